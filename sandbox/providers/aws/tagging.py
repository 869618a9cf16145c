"""Tags, the provider's default tags among them."""

from collections.abc import Mapping
from typing import Any

from sandbox.providers.aws import expressions, table
from sandbox.providers.aws.client import ApiError
from sandbox.providers.aws.run import Run
from sandbox.providers.aws.table import Call, Row, TagStyle


def style(row: Row) -> TagStyle:
    """Give the row's style of tags."""
    return table.tag_style(row.tags)


def merged(defaults: Mapping[str, str], own: Any) -> Any:
    """Give default tags and the resource's own, which win."""
    return {**defaults, **(own or {})} if own is None or isinstance(own, Mapping) else own


def wanted(run: Run) -> dict[str, str]:
    """Give all tags that the resource must have."""
    return merged(run.api.settings.default_tags, run.inputs.get("tags")) if run.row.tags else {}


def own(run: Run, everything: Mapping[str, str]) -> dict[str, str] | None:
    """Give the resource's own tags out of all that it has: those that the defaults do not account for."""
    given = run.inputs.get("tags") or {}
    defaults = run.api.settings.default_tags
    mine = {key: value for key, value in everything.items() if key in given or defaults.get(key) != value}
    return mine or (given if run.inputs.get("tags") is not None else None)


def read(run: Run, item: Mapping[str, Any]) -> dict[str, str]:
    """Read all tags but AWS's own and ignored ones."""
    form = style(run.row)
    data: Mapping[str, Any] = item
    run.extra["item"] = item
    if form.read is not None:
        try:
            data = _perform(run, form.read)
        except ApiError as error:
            if not error.among(form.read.missing):
                raise
            data = {}
    found = expressions.evaluate(form.item, {**run.facts(), **data}) or {}
    return {key: value for key, value in found.items() if not run.api.settings.ignores_tag(key)}


def _target(run: Run) -> Any:
    return expressions.evaluate(run.row.tag_target, run.facts()) if run.row.tag_target else run.id


def _perform(run: Run, call: Call, **facts: Any) -> dict[str, Any]:
    arguments = expressions.render(call.args, run.facts({"target": _target(run), **facts}))
    return run.call(call.op, arguments, call.service)


def after_create(run: Run) -> None:
    """Put tags on what the create call of its service cannot tag."""
    if run.row.tags and not style(run.row).create and wanted(run):
        call = style(run.row).whole or style(run.row).add
        if call is not None:
            _perform(run, call, tags=wanted(run))


def update(run: Run) -> None:
    """Bring the tags from the state's to the wanted ones."""
    if not run.row.tags:
        return
    form, after = style(run.row), wanted(run)
    before = {key: str(value) for key, value in (run.state.get("tagsAll") or {}).items()}
    gone = sorted(key for key in before if key not in after and not run.api.settings.ignores_tag(key))
    new = {key: value for key, value in after.items() if before.get(key) != value}
    if form.whole is not None:
        if gone or new:
            _perform(run, form.whole, tags=after)
        return
    if gone and form.remove is not None:
        _perform(run, form.remove, keys=gone)
    if new and form.add is not None:
        _perform(run, form.add, tags=new)
