"""The provider: the engine's requests, answered by the table."""

import asyncio
import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.provider.experimental import provider as sdk

from sandbox.providers import serve, values
from sandbox.providers.aws import checking, compare, configuration, lifecycle, naming, table, tagging
from sandbox.providers.aws.client import Api
from sandbox.providers.aws.run import Run
from sandbox.providers.schema import Package, ResourceSchema, UnknownTokenError

CONTENT = "__content"
"""Input in which ``check`` keeps the sha256 of the assets, since a path does not tell that a file has changed."""
HIDDEN = "[secret]"


class AwsProvider(sdk.Provider):
    """Pulumi's AWS provider, as far as the table goes."""

    def __init__(self, package: Package, log: serve.EngineLog | None = None, api: Api | None = None) -> None:
        """Hold the parts; nothing is called before ``configure``.

        Args:
            package: the installed SDK package.
            log: the engine's log; None in tests.
            api: the way to AWS; None: made by ``configure``.
        """
        self._package = package
        self._log = log
        self._api = api
        self._cancelled = threading.Event()

    @property
    def api(self) -> Api:
        """The way to AWS. Without ``configure`` (an engine that only checks) it follows the environment."""
        if self._api is None:
            self._api = Api(configuration.settings({}, os.environ))
        return self._api

    async def get_schema(self, _request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:
        """Give the schema of what the table supports."""
        from sandbox.providers.aws.package_schema import package_schema  # noqa: PLC0415 (only `pulumi import` asks)

        return sdk.GetSchemaResponse(await asyncio.to_thread(package_schema, self._package))

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Refuse settings that the stand-in does not follow."""
        given, _ = values.from_wire(request.new_inputs)
        failures = configuration.check(given)
        return sdk.CheckResponse(request.new_inputs, [sdk.CheckFailure(*failure) for failure in failures])

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Take the settings."""
        given, _ = values.from_wire(request.args)
        if self._api is None:
            self._api = Api(configuration.settings(given, os.environ))
            # While the engine and the program are busy, and this process is not.
            threading.Thread(target=self._api.prepare, name="prepare", daemon=True).start()
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def cancel(self) -> None:
        """End every wait."""
        self._cancelled.set()

    # ---- resources

    def _known(self, token: str) -> tuple[table.Row, ResourceSchema]:
        try:
            schema = self._package.resource(token)
        except UnknownTokenError as error:
            raise serve.ProviderError(str(error)) from None
        row = table.row(token)
        if row is None:
            raise serve.ProviderError(f"the stand-in for the AWS provider does not support {token}")
        return row, schema

    def _run(self, request: Any, inputs: dict[str, Any], state: dict[str, Any], **more: Any) -> Run:
        row, schema = self._known(_token(request))
        log, urn = self._log, request.urn
        status: Callable[[str], None] = (lambda text: log.status(urn, text)) if log else (lambda _text: None)
        timeout = float(getattr(request, "timeout", 0) or 0)
        identity = str(getattr(request, "resource_id", ""))
        return Run(
            self.api,
            row,
            schema,
            inputs,
            state,
            id=identity,
            timeout=timeout,
            cancelled=self._cancelled,
            status=status,
            **more,
        )

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Check names, types and what the row supports; fill in defaults and the physical name."""
        row, schema = self._known(_token(request))
        given, secrets = values.from_wire(request.new_inputs)
        old, _ = values.from_wire(request.old_inputs)
        made, failures = checking.inputs(
            _token(request), schema["inputs"], lifecycle.supported(row, schema), row.unsupported, given
        )
        failures += checking.exclusive(_token(request), row.one_of, given)
        try:
            made = naming.with_name(row, request.name, {**row.defaults, **made}, old)
        except naming.NameTooLongError as error:
            failures.append((row.name.property if row.name else "", f"{_token(request)}: {error}"))
        made |= await asyncio.to_thread(_contents, made)
        return sdk.CheckResponse(
            values.to_wire(made, secrets), [sdk.CheckFailure(*failure) for failure in failures] or None
        )

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Tell update from replacement."""
        row, schema = self._known(_token(request))
        state, _ = values.from_wire(request.old_state)
        new, _ = values.from_wire(request.new_inputs)
        before = serve.old_inputs()
        old = values.from_wire(before)[0] if before is not None else _inputs_of(state, schema)
        found = self._changes(row, schema, old, new, state)
        replaced = [item.name for item in found if item.replaces]
        fixed = row.name is not None and row.name.property not in (new.get(compare.DEFAULTS) or [])
        unchanged = row.name is not None and new.get(row.name.property) == state.get(row.name.property)
        kinds = sdk.PropertyDiffKind
        return sdk.DiffResponse(
            changes=bool(found),
            replaces=replaced,
            diffs=[item.name for item in found],
            delete_before_replace=bool(replaced) and (row.delete_before_replace or (fixed and unchanged)),
            detailed_diff={
                item.name: sdk.PropertyDiff(
                    kinds[item.kind.upper() + ("_REPLACE" if item.replaces else "")], item.name != "tagsAll"
                )
                for item in found
            },
        )

    def _changes(
        self,
        row: table.Row,
        schema: ResourceSchema,
        *sides: Mapping[str, Any],
    ) -> list[compare.Change]:
        """Compare inputs (old, new, then the state), the tags that the provider adds, and the content of assets."""
        old, new, state = sides
        found = compare.changes(row, schema, old, new, state)
        names = {item.name for item in found}
        if row.tags and "tags" not in names and state.get("tagsAll") is not None:
            wanted = tagging.merged(self.api.settings.default_tags, new.get("tags"))
            if wanted != state["tagsAll"]:
                found.append(compare.Change("tagsAll", "update", replaces=False))
        before, after = (json.loads(side.get(CONTENT) or "{}") for side in (old, new))
        for name in sorted(set(before) & set(after) - names):
            if before[name] != after[name]:
                found.append(compare.Change(name, "update", compare.replaces(row, name)))
        return [item for item in found if item.name != CONTENT]

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make it, or in a preview say what is known of it."""
        inputs, secrets = values.from_wire(request.properties)
        run = self._run(request, inputs, {})
        if request.preview:
            known = preview(run)
            return sdk.CreateResponse("", values.to_wire(known, secrets))
        made, state = await self._guarded(run, secrets, "create", lifecycle.create, run)
        return sdk.CreateResponse(made, values.to_wire(state, secrets))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """Read it for a refresh, an import or a ``get``."""
        inputs, secrets = values.from_wire(request.inputs)
        state, more = values.from_wire(request.properties)
        importing = not inputs
        run = self._run(request, inputs, state)
        found = await self._guarded(run, secrets | more, "read", lifecycle.refresh, run, importing)
        if found is None:
            return sdk.ReadResponse("")
        hidden = secrets | more
        return sdk.ReadResponse(run.id, values.to_wire(found[0], hidden), values.to_wire(found[1], hidden))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change it, or in a preview say what it will be."""
        state, _ = values.from_wire(request.olds)
        inputs, secrets = values.from_wire(request.news)
        row, schema = self._known(_token(request))
        before = serve.old_inputs()
        old = values.from_wire(before)[0] if before is not None else _inputs_of(state, schema)
        found = self._changes(row, schema, old, inputs, state)
        run = self._run(request, inputs, state, old=old, changed=frozenset(item.name for item in found))
        if request.preview:
            return sdk.UpdateResponse(values.to_wire(preview(run), secrets))
        after = await self._guarded(run, secrets, "update", lifecycle.update, run)
        return sdk.UpdateResponse(values.to_wire(after, secrets))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Delete it and wait until it is gone where that takes time."""
        state, secrets = values.from_wire(request.properties)
        run = self._run(request, {}, state)
        await self._guarded(run, secrets, "delete", lifecycle.delete, run)

    async def _guarded(
        self, run: Run, secrets: frozenset[str], verb: str, function: Callable[..., Any], *arguments: Any
    ) -> Any:
        """Run in a thread; errors name the resource and hold no secret."""
        name = f"{run.row.token} {run.id}".strip()
        hidden = [text for key in secrets for text in _texts(run.inputs.get(key)) + _texts(run.state.get(key))]
        try:
            return await asyncio.to_thread(function, *arguments)
        except lifecycle.NotReadyError as error:
            reason = f"{verb} {name}: {_without(str(error), hidden)}"
            raise serve.InitError(error.resource_id, values.to_wire(error.state, secrets), reason) from None
        except serve.ProviderError as error:
            raise serve.ProviderError(f"{verb} {name}: {_without(str(error), hidden)}") from None

    # ---- functions

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        """Call a function of the table."""
        from sandbox.providers.aws import functions  # noqa: PLC0415 (most plugins never serve one)

        given, secrets = values.from_wire(request.args)
        try:
            schema = self._package.function(request.tok)
        except UnknownTokenError as error:
            raise serve.ProviderError(str(error)) from None
        row = table.function(request.tok)
        if row is None:
            raise serve.ProviderError(f"the stand-in for the AWS provider does not support the function {request.tok}")
        made, failures = checking.inputs(request.tok, schema["inputs"], functions.supported(row, schema), (), given)
        if failures:
            return sdk.InvokeResponse(failures=[sdk.CheckFailure(*failure) for failure in failures])
        result = await asyncio.to_thread(functions.call, self.api, row, schema, made)
        return sdk.InvokeResponse(values.to_wire(result, result.keys() if secrets else ()))


def _token(request: Any) -> str:
    """Give the token; below a component the URN's type also names the parents (``a:b:C$aws:ec2/vpc:Vpc``)."""
    return str(request.type).rpartition("$")[2]


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) and value else []


def _without(message: str, hidden: list[str]) -> str:
    for text in sorted(hidden, key=len, reverse=True):
        message = message.replace(text, HIDDEN)
    return message


def _inputs_of(state: Mapping[str, Any], schema: ResourceSchema) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name in schema["inputs"]}


def _contents(inputs: Mapping[str, Any]) -> dict[str, Any]:
    sums = {}
    for name, value in inputs.items():
        if isinstance(value, pulumi.FileAsset):
            sums[name] = hashlib.sha256(Path(value.path).read_bytes()).hexdigest()
        elif isinstance(value, pulumi.StringAsset):
            sums[name] = hashlib.sha256(value.text.encode()).hexdigest()
    return {CONTENT: json.dumps(sums, sort_keys=True)} if sums else {}


def preview(run: Run) -> dict[str, Any]:
    """Give the state as far as it is known before the change is made."""
    outputs, row = run.schema["outputs"], run.row
    state: dict[str, Any] = {name: value for name, value in run.state.items() if name in outputs}
    for name, known in outputs.items():
        given = run.inputs.get(name)
        if given is not None:
            state[name] = _with_what_aws_added(given, run.state.get(name), run.old.get(name))
        elif not run.state and known["required"]:
            state[name] = values.UNKNOWN
        elif name in run.changed and name not in run.inputs:
            state.pop(name, None)
    if run.state:
        state |= dict.fromkeys(set(row.volatile) & set(outputs) - set(run.inputs), values.UNKNOWN)
    if row.tags:
        state["tagsAll"] = tagging.merged(run.api.settings.default_tags, run.inputs.get("tags"))
    if "region" in outputs:
        state["region"] = run.region
    return state


def _with_what_aws_added(given: Any, was: Any, asked: Any) -> Any:
    """An object as it will be: what nobody asked for and AWS gave (a cluster's own security group) stays known."""
    if not isinstance(given, dict) or not isinstance(was, dict) or not isinstance(asked, dict):
        return given
    return {**{key: value for key, value in was.items() if key not in asked}, **given}
