"""The table: what each row says about a resource or function, read from ``tables/*.yaml`` and checked for its form.

docs/sandbox-provider-aws.md explains how a row is written.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

TABLES = Path(__file__).parent / "tables"


class TableError(Exception):
    """A row has not the form that the code expects."""


@dataclass(frozen=True)
class Call:
    """One API call of a row."""

    op: str = ""
    """The API's name of the operation: ``CreateVpc``."""
    hook: str = ""
    """The name of a function in ``hooks.py``: in place of ``op``, or with it to make the call and wait for its end."""
    service: str = ""
    """boto3's service name, where it is not the row's."""
    take: tuple[str, ...] = ()
    """Properties passed by the default rule."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Other arguments: a tree whose strings are expressions over properties and facts."""
    triggers: tuple[str, ...] = ()
    """For steps: run when one of these is given (create) or changed (update). Default: what is taken and read."""
    phase: str = ""
    """For steps: ``create`` or ``update``; default both."""
    when: str = ""
    """Expression; the call is left out when it is false."""
    item: str = ""
    """For reads: where in the answer the resource is."""
    out: Mapping[str, str] = field(default_factory=dict)
    """For reads: properties that the default rule does not find, as expressions over the item, properties and facts."""
    give: tuple[str, ...] = ()
    """For secondary reads: properties that the default rule finds in the item."""
    missing: tuple[str, ...] = ()
    """For secondary reads: error codes that mean "nothing set"."""
    retry: tuple[str, ...] = ()
    """Error codes that are tried again for a bounded time."""


@dataclass(frozen=True)
class Wait:
    """What to wait for after create or update."""

    path: str
    """Expression over the primary read's item."""
    ok: tuple[Any, ...] = ()
    """Values that end the wait."""
    fail: tuple[Any, ...] = ()
    """Values that fail it."""
    reason: str = ""
    """Expression that says why it failed."""
    seconds: int = 600
    """Longest wait, unless the resource has ``customTimeouts``."""


@dataclass(frozen=True)
class Name:
    """The physical name that Pulumi makes up when none is given: ``<logical name>-<7 hex>``."""

    property: str = "name"
    prefix: str = ""
    """Property with a prefix, which keeps Pulumi from naming."""
    max: int = 255
    lower: bool = False
    """Lower-case the logical name."""
    begin: str = ""
    """What every such name begins with."""
    exact: bool = False
    """The logical name itself, without random digits."""


@dataclass(frozen=True)
class Row:
    """What the table says about a resource."""

    token: str
    service: str
    """boto3's name."""
    id: str
    """Expression over the create call's answer, properties and facts."""
    create: Call
    read: tuple[Call, ...]
    """The first tells whether the resource exists; further ones add properties."""
    delete: tuple[Call, ...] = ()
    steps: tuple[Call, ...] = ()
    """Calls after create, and on update, each for the properties that it sets."""
    cfn: str = ""
    """CloudFormation's type; its createOnlyProperties are the properties that replace."""
    cfn_names: Mapping[str, str] = field(default_factory=dict)
    """CloudFormation's name by property, where the default rule does not find it."""
    replace: tuple[str, ...] = ()
    """Properties that replace though CloudFormation can update them; dotted paths reach inside."""
    replace_when: Mapping[str, str] = field(default_factory=dict)
    """Properties that replace only on a condition: an expression over inputs, ``old``, ``added`` and ``removed``."""
    update: tuple[str, ...] = ()
    """Properties that are updated though CloudFormation replaces."""
    local: tuple[str, ...] = ()
    """Properties that steer the provider and exist only in the state."""
    blind: tuple[str, ...] = ()
    """Properties that the API does not give back."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Inputs that the genuine provider fills in."""
    sets: tuple[str, ...] = ()
    """Lists without order, by dotted path."""
    json: tuple[str, ...] = ()
    """Properties that are JSON documents, compared by meaning."""
    unsupported: tuple[str, ...] = ()
    """Nested properties, by dotted path, that the stand-in refuses."""
    names: Mapping[str, str] = field(default_factory=dict)
    """API member by dotted property path, where the default rule does not find it."""
    arn: str = ""
    """Expression for what follows ``arn:partition:service:region:account:``."""
    arn_service: str = ""
    computed: Mapping[str, str] = field(default_factory=dict)
    """Further outputs, as expressions over everything read."""
    tags: str = ""
    """Style in ``tables/tags.yaml``."""
    tag_target: str = ""
    """Expression for what tags are put on. Default: the id."""
    tag_kind: str = ""
    """EC2's resource type."""
    name: Name | None = None
    wait: Wait | None = None
    gone: tuple[str, ...] = ()
    """Error codes, or words of messages where AWS has one code for many errors: the resource is not there."""
    gone_when: str = ""
    """Expression over the primary read's item: true when it is as good as deleted."""
    wait_gone: bool = False
    """Wait after delete until it is gone."""
    import_id: str = ""
    """Regular expression with named groups for ids given to ``pulumi import``."""
    delete_before_replace: bool = False
    """Two cannot exist at once, whatever the name."""
    volatile: tuple[str, ...] = ()
    """Outputs that become unknown in a preview of any update."""
    one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of which at most one may be given."""

    def calls(self) -> tuple[Call, ...]:
        """All calls of the row."""
        return (self.create, *self.steps, *self.read, *self.delete)


@dataclass(frozen=True)
class Function:
    """What the table says about a function (invoke)."""

    token: str
    service: str = ""
    op: str = ""
    hook: str = ""
    """The name of a function in ``functions.py`` that makes the result, or with ``op`` finds the item in the answer."""
    args: Mapping[str, Any] = field(default_factory=dict)
    take: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """Supported arguments besides ``take`` and what ``args`` reads."""
    item: str = ""
    """Where in the answer the result is."""
    single: bool = False
    """``item`` gives a list that must hold exactly one."""
    out: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    more: tuple[Call, ...] = ()
    """Further reads, with the found ``item`` among the facts."""


@dataclass(frozen=True)
class TagStyle:
    """How a service takes tags."""

    create: Mapping[str, Any] = field(default_factory=dict)
    """Arguments added to the create call."""
    add: Call | None = None
    remove: Call | None = None
    whole: Call | None = None
    """In place of ``add`` and ``remove``: sets all tags at once."""
    item: str = ""
    """Expression over the primary read's item."""
    read: Call | None = None
    """Where the primary read does not carry tags."""


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


_CALLS = {"create", "add", "remove", "whole"}
_CALL_LISTS = {"read", "steps", "delete", "more"}


def _build(kind: type[Any], raw: Mapping[str, Any], where: str) -> Any:
    known = {item.name: item for item in fields(kind)}
    made: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in known:
            raise TableError(f"{where}: no field {key!r}; known are {', '.join(sorted(known))}")
        inner = f"{where}.{key}"
        if kind is not Call and isinstance(value, Mapping) and (key in _CALLS or (kind is TagStyle and key == "read")):
            made[key] = value if kind is TagStyle and key == "create" else _build(Call, value, inner)
        elif kind in {Row, Function} and key in _CALL_LISTS:
            many = value if isinstance(value, list) else [value]
            made[key] = tuple(_build(Call, item, inner) for item in many)
        elif key == "name" and kind is Row:
            made[key] = _build(Name, value, inner)
        elif key == "wait":
            made[key] = _build(Wait, value, inner)
        else:
            made[key] = value if isinstance(value, Mapping) else _tuples(value)
    try:
        return kind(**made)
    except TypeError as error:
        raise TableError(f"{where}: {error}") from None


@functools.cache
def _document(name: str) -> Mapping[str, Any]:
    path = TABLES / f"{name}.yaml"
    if not path.exists():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(), Loader=loader) or {}  # noqa: S506 (both are the safe loader)


def _module(token: str) -> str:
    found = re.fullmatch(r"aws:([A-Za-z0-9-]+)/[A-Za-z0-9]+:[A-Za-z0-9]+", token)
    return found[1].lower() if found else ""


@functools.cache
def row(token: str) -> Row | None:
    """Give a resource's row, or None when the table has none."""
    raw = _document(_module(token)).get("resources", {}).get(token)
    return _build(Row, {"token": token, **raw}, token) if raw else None


@functools.cache
def function(token: str) -> Function | None:
    """Give a function's row, or None when the table has none."""
    raw = _document(_module(token)).get("functions", {}).get(token)
    return _build(Function, {"token": token, **raw}, token) if raw is not None else None


@functools.cache
def tag_style(name: str) -> TagStyle:
    """Give a style of tags."""
    raw = _document("tags").get(name)
    if raw is None:
        raise TableError(f"no tag style {name!r}")
    style: TagStyle = _build(TagStyle, raw, f"tags.{name}")
    return style


def tokens(section: str = "resources") -> list[str]:
    """List the tokens of all resources, or with ``functions`` of all functions."""
    names = sorted(path.stem for path in TABLES.glob("*.yaml") if path.stem != "tags")
    return [token for name in names for token in _document(name).get(section, {})]
