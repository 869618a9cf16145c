"""Create, read, update and delete by a row of the table."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.providers.aws import compare, expressions, tagging
from sandbox.providers.aws.client import ApiError
from sandbox.providers.aws.run import DELETE_SECONDS, Run
from sandbox.providers.aws.shapes import from_api, lookup
from sandbox.providers.aws.table import Call, Row
from sandbox.providers.schema import ResourceSchema
from sandbox.providers.serve import ProviderError


class NotReadyError(ProviderError):
    """What was made did not become ready."""

    def __init__(self, resource_id: str, state: dict[str, Any], reason: str) -> None:
        """Name the resource, what is known of it, and the reason."""
        self.resource_id = resource_id
        self.state = state
        self.reason = reason
        super().__init__(reason)


def supported(row: Row, schema: ResourceSchema) -> frozenset[str]:
    """Give the inputs that the row does something with."""
    names: set[str] = {*row.local, *row.blind, "region"}
    if row.tags:
        names.add("tags")
    if row.name:
        names |= {row.name.property, *([row.name.prefix] if row.name.prefix else [])}
    for call in (row.create, *row.steps):
        names |= {*call.take, *call.triggers, *expressions.field_names(call.args)}
    return frozenset(names & set(schema["inputs"]))


DELETE_FAILED = "DELETE_FAILED"
"""The state in which EKS leaves what it could not delete."""


def _triggers(call: Call) -> set[str]:
    return set(call.triggers) or {*call.take, *expressions.field_names(call.args)}


def create(run: Run) -> tuple[str, dict[str, Any]]:
    """Make the resource and give its id and state. Raises NotReadyError when it exists but is not whole."""
    run.extra["tagsAll"] = tagging.wanted(run)
    answer = _create_call(run)
    run.extra = {**run.extra, **{key: item for key, item in answer.items() if key != "ResponseMetadata"}}
    made = expressions.evaluate(run.row.id, run.facts())
    if made is None:
        raise ProviderError(f"{run.row.create.op}: the answer has no {run.row.id}")
    run.id = str(made)
    try:
        given = {name for name, value in run.inputs.items() if value is not None}
        for step in run.row.steps:
            if step.phase in {"", "create"} and _triggers(step) & given:
                _step(run, step)
        tagging.after_create(run)
        _wait_ready(run)
        found = read(run)
    except ProviderError as error:
        raise NotReadyError(run.id, dict(run.inputs), str(error)) from None
    if found is None:
        raise NotReadyError(run.id, dict(run.inputs), f"{run.id} is not there after it was made")
    return run.id, found


def _step(run: Run, step: Call) -> None:
    """Make the call; ``answer`` is what the steps after it see."""
    try:
        run.extra["answer"] = run.perform(step)
    except ApiError as error:
        if not error.among(step.missing):
            raise


def _create_call(run: Run) -> dict[str, Any]:
    row = run.row
    if not row.tags:
        return run.perform(row.create)
    style = tagging.style(row)
    call = Call(**{**row.create.__dict__, "args": {**style.create, **row.create.args}})
    return run.perform(call)


def _primary(run: Run) -> dict[str, Any] | None:
    """Read the item that tells whether the resource exists; None when it does not."""
    first = run.row.read[0]
    try:
        answer = run.perform(first)
    except ApiError as error:
        if error.among(run.row.gone):
            return None
        raise
    answer.pop("ResponseMetadata", None)
    item = expressions.evaluate(first.item, {**run.facts(), **answer}) if first.item else answer
    if not item:
        return None
    if run.row.gone_when and expressions.evaluate(run.row.gone_when, {**run.facts(), **item}):
        return None
    return dict(item) if isinstance(item, Mapping) else {"value": item}


def api_values(run: Run) -> dict[str, Any] | None:
    """Read all properties that the API gives, in Pulumi's form; None when the resource is gone."""
    item = _primary(run)
    if item is None:
        return None
    row, outputs = run.row, run.schema["outputs"]
    stated = {name for call in row.read for name in (*call.out, *call.give)} | set(row.computed)
    tagged = {"tags", "tagsAll"} if row.tags else set()
    values: dict[str, Any] = {}
    for name, known in outputs.items():
        if name not in stated | tagged | set(row.local) | set(row.blind):
            values[name] = from_api(lookup(item, row.names.get(name, name)), known["type"], name, row.names)
    _stated(run, row.read[0].out, {**run.facts(), **item, "item": item}, values)
    for call in row.read[1:]:
        _secondary(run, call, item, values)
    if row.arn:
        service = row.arn_service or row.service
        place = expressions.evaluate(row.arn, {**run.facts(), **item})
        identity = run.api.identity()
        values["arn"] = f"arn:{identity['partition']}:{service}:{run.region}:{identity['account']}:{place}"
    present = {name: value for name, value in values.items() if value is not None}
    _stated(run, row.computed, {**run.facts(), **present, "item": item}, values)
    if row.tags:
        values["tagsAll"] = tagging.read(run, item)
    if "region" in outputs:
        values["region"] = run.region
    return {name: value for name, value in values.items() if value is not None}


def _secondary(run: Run, call: Call, item: Mapping[str, Any], values: dict[str, Any]) -> None:
    run.extra["item"] = item
    try:
        answer = run.perform(call)
    except ApiError as error:
        if not error.among(call.missing):
            raise
        answer = {}
    inner = (expressions.evaluate(call.item, answer) if call.item else answer) or {}
    if isinstance(inner, list):
        inner = {"items": inner}
    for name in call.give:
        values[name] = from_api(
            lookup(inner, run.row.names.get(name, name)), run.schema["outputs"][name]["type"], name, run.row.names
        )
    _stated(run, call.out, {**run.facts(), **inner, "item": item}, values)


def _stated(run: Run, out: Mapping[str, str], data: Mapping[str, Any], values: dict[str, Any]) -> None:
    for name, expression in out.items():
        if name not in run.schema["outputs"]:
            continue
        value = expressions.evaluate(expression, data)
        values[name] = from_api(value, run.schema["outputs"][name]["type"], name, run.row.names)


def read(run: Run) -> dict[str, Any] | None:
    """Give the state as the API has it, in the form of the inputs where both mean the same; None when it is gone."""
    values = api_values(run)
    if values is None:
        return None
    row = run.row
    state: dict[str, Any] = {}
    for name in run.schema["outputs"]:
        given = run.inputs.get(name)
        if name in row.local or name in row.blind:
            state[name] = given if given is not None else run.state.get(name)
        elif name in values:
            alike = given is not None and compare.same(row, name, given, values[name])
            state[name] = given if alike else values[name]
        elif given is not None and compare.is_empty(given):
            state[name] = given
    if row.tags:
        state["tags"] = tagging.own(run, values["tagsAll"])
    return {name: value for name, value in state.items() if value is not None}


def refresh(run: Run, importing: bool) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Read for the engine: state and inputs, in which a change behind Pulumi's back shows. None when it is gone."""
    if importing:
        _import_id(run)
    state = read(run) if run.id else None
    if state is None:
        return None
    inputs = _imported(run, state) if importing else _refreshed(run, state)
    return state, {name: value for name, value in inputs.items() if value is not None}


def _import_id(run: Run) -> None:
    if not run.row.import_id:
        return
    found = re.fullmatch(run.row.import_id, run.id)
    if not found:
        raise ProviderError(f"{run.row.token}: {run.id!r} is no id to import: it must match {run.row.import_id}")
    run.extra.update({key: value for key, value in found.groupdict().items() if value is not None})
    run.state.update({key: value for key, value in found.groupdict().items() if value is not None})
    run.id = ""
    made = expressions.evaluate(run.row.id, run.facts())
    if made is None:
        # The id is AWS's, and what was given only finds it.
        made = expressions.evaluate(run.row.id, {**run.facts(), **(_primary(run) or {})})
    run.id = str(made) if made is not None else ""


def _imported(run: Run, state: dict[str, Any]) -> dict[str, Any]:
    known = supported(run.row, run.schema)
    inputs = {name: run.row.defaults.get(name) for name in run.row.defaults}
    inputs |= {name: value for name, value in state.items() if name in known and not compare.is_empty(value)}
    for group in run.row.one_of:
        for name in [name for name in group if name in inputs][1:]:
            del inputs[name]
    if run.row.name:
        inputs.pop(run.row.name.prefix, None)
    if inputs.get("region") == run.api.settings.region:
        del inputs["region"]
    return {**inputs, compare.DEFAULTS: [], compare.IMPORTED: True}


def _refreshed(run: Run, state: dict[str, Any]) -> dict[str, Any]:
    row, schema = run.row, run.schema
    inputs: dict[str, Any] = {}
    for name, given in run.inputs.items():
        kept = name.startswith("__") or name in row.local or name in row.blind
        if kept or name not in schema["inputs"] or (compare.is_empty(given) and compare.is_empty(state.get(name))):
            inputs[name] = given
        elif name in state:
            kind = schema["inputs"][name]["type"]
            inputs[name] = compare.refreshed(
                row, name, kind, given=given, actual=state[name], state=run.state.get(name)
            )
    for name in supported(row, schema) - set(run.inputs) - set(row.local) - set(row.blind):
        # Not given and not AWS's to fill: a value that has moved is drift.
        optional = not schema["outputs"].get(name, {"required": True})["required"]
        now, before = state.get(name), run.state.get(name)
        nothing = compare.is_empty(now) and compare.is_empty(before)
        if optional and not nothing and not compare.same(row, name, now, before):
            inputs[name] = now
    return inputs


def update(run: Run) -> dict[str, Any]:
    """Change what differs and give the new state. Raises NotReadyError when the change was made but not completed."""
    run.extra["tagsAll"] = tagging.wanted(run)
    if not run.changed:
        _take_up(run)
    try:
        for step in run.row.steps:
            if step.phase in {"", "update"} and _triggers(step) & run.changed:
                _step(run, step)
        tagging.update(run)
        _wait_ready(run)
        found = read(run)
    except ProviderError as error:
        raise NotReadyError(run.id, dict(run.state), str(error)) from None
    if found is None:
        raise ProviderError(f"{run.id} was deleted by somebody else during the update")
    return found


def _take_up(run: Run) -> None:
    """Find what an earlier create or update left undone: the engine asks for an update without any change then."""
    actual = api_values(run)
    if actual is None:
        return
    row = run.row
    readable = set(run.inputs) & set(run.schema["inputs"]) - {*row.local, *row.blind, "tags", "region"}
    behind = {
        name
        for name in readable
        if not compare.same(row, name, run.inputs[name], actual.get(name))
        and not (compare.is_empty(run.inputs[name]) and compare.is_empty(actual.get(name)))
    }
    run.changed = frozenset(behind)
    run.old = {**run.inputs, **{name: actual.get(name) for name in behind}}
    run.state = {**run.state, **actual}


def delete(run: Run) -> None:
    """Delete; what is gone already is no error."""
    for call in run.row.delete:
        try:
            run.perform(call, DELETE_SECONDS)
        except ApiError as error:
            if not error.among((*run.row.gone, *call.missing)):
                raise
    if not run.row.wait_gone:
        return
    pauses = run.pauses(900)
    while (item := _primary(run)) is not None:
        _fail_on(run, item, DELETE_FAILED)
        if not pauses.rest(f"waiting until {run.id} is gone"):
            raise ProviderError(f"{run.id} is still there after {pauses.elapsed:.0f} s")


def _wait_ready(run: Run) -> None:
    wait = run.row.wait
    if wait is None:
        return
    pauses = run.pauses(wait.seconds)
    while True:
        item = _primary(run)
        facts = {**run.facts(), **(item or {})}
        value = expressions.evaluate(wait.path, facts) if item else None
        if value in wait.ok:
            return
        _fail_on(run, item, *wait.fail)
        if not pauses.rest(f"waiting for {run.id}: {value or 'not there yet'}"):
            late = f"{run.id} is still {value or 'not there'} after {pauses.elapsed:.0f} s"
            raise ProviderError(late + _reason(run, item))


def _fail_on(run: Run, item: Mapping[str, Any] | None, *bad: Any) -> None:
    """Raise when the resource is in a state that it does not leave by itself."""
    if run.row.wait is None or item is None:
        return
    value = expressions.evaluate(run.row.wait.path, {**run.facts(), **item})
    if value in bad:
        raise ProviderError(f"{run.id} is {value}{_reason(run, item)}")


def _reason(run: Run, item: Mapping[str, Any] | None) -> str:
    """Say why, where the row tells how to find out."""
    if run.row.wait is None or not run.row.wait.reason or item is None:
        return ""
    found = expressions.evaluate(run.row.wait.reason, {**run.facts(), **item})
    return f": {found}" if found else ""
