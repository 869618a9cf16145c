"""The table's expressions: JMESPath, with the few functions that AWS's shapes of data ask for."""

import base64
import datetime
import functools
import json
import secrets
import urllib.parse
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import jmespath  # type: ignore[import-untyped]
from jmespath import functions
from jmespath.parser import ParsedResult  # type: ignore[import-untyped]

from sandbox.providers.aws import security_groups

F = TypeVar("F", bound=Callable[..., Any])


def _takes(*types: str) -> Callable[[F], F]:
    """State the arguments' types as JMESPath names them: ``object|null``, ``any``; ``...`` repeats the last."""
    signature = [
        {
            "types": [] if kind.startswith("any") else kind.removesuffix("...").split("|"),
            **({"variadic": True} if kind.endswith("...") else {}),
        }
        for kind in types
    ]
    return cast("Callable[[F], F]", functions.signature(*signature))


class _Functions(functions.Functions):  # type: ignore[misc]
    """JMESPath's functions and ours; the name after ``_func_`` is what a table writes."""

    @_takes("object|null", "string", "string")
    def _func_tag_list(self, tags: Mapping[str, str] | None, key: str, value: str) -> list[dict[str, str]] | None:
        """``{a: b}`` as ``[{Key: a, Value: b}]``; nothing when there are no tags."""
        return [{key: name, value: text} for name, text in sorted(tags.items())] if tags else None

    @_takes("array|null", "string", "string")
    def _func_tag_map(self, tags: list[Mapping[str, str]] | None, key: str, value: str) -> dict[str, str]:
        """``[{Key: a, Value: b}]`` as ``{a: b}``."""
        return {item[key]: item.get(value, "") for item in tags or []}

    @_takes("string", "object|null")
    def _func_tag_specification(self, kind: str, tags: Mapping[str, str] | None) -> list[dict[str, Any]] | None:
        """EC2's tags at creation."""
        pairs = [{"Key": name, "Value": text} for name, text in sorted((tags or {}).items())]
        return [{"ResourceType": kind, "Tags": pairs}] if pairs else None

    @_takes("object")
    def _func_attributes(self, values: Mapping[str, Any]) -> list[dict[str, str]] | None:
        """Attributes as Elastic Load Balancing takes them: a list of Key and Value, both strings."""
        pairs = [
            {"Key": key, "Value": json.dumps(value) if isinstance(value, (bool, int)) else str(value)}
            for key, value in sorted(values.items())
            if value is not None
        ]
        return pairs or None

    @_takes("array|null", "string")
    def _func_attribute(self, pairs: list[Mapping[str, str]] | None, key: str) -> str | None:
        """One of such attributes."""
        return next((pair.get("Value") for pair in pairs or [] if pair["Key"] == key), None)

    @_takes("string...")
    def _func_format(self, template: str, *values: Any) -> str:
        """Python's ``str.format`` with positions."""
        return template.format(*values)

    @_takes("string|null", "string")
    def _func_split(self, text: str | None, separator: str) -> list[str] | None:
        """Split; the empty string has no parts."""
        return None if text is None else [part for part in text.split(separator) if part]

    @_takes("string|null")
    def _func_base64(self, text: str | None) -> str | None:
        """Encode text."""
        return None if text is None else base64.b64encode(text.encode()).decode()

    @_takes("string|null", "string")
    def _func_after(self, text: str | None, separator: str) -> str | None:
        """What follows the last separator."""
        return None if text is None else text.rpartition(separator)[2]

    @_takes("string|null", "string", "string")
    def _func_replace(self, text: str | None, old: str, new: str) -> str | None:
        """Replace every occurrence."""
        return None if text is None else text.replace(old, new)

    @_takes("array|null", "object")
    def _func_with(self, items: list[Mapping[str, Any]] | None, more: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """Each item with further members: a projection cannot reach what is outside of it."""
        return None if items is None else [{**item, **more} for item in items]

    @_takes("array|null", "object|null", "object")
    def _func_search(
        self,
        filters: list[Mapping[str, Any]] | None,
        tags: Mapping[str, str] | None,
        more: Mapping[str, Any],
    ) -> list[dict[str, Any]] | None:
        """EC2's filters from a function's ``filters``, ``tags`` and single arguments."""
        found = [{"Name": item["name"], "Values": [str(value) for value in item["values"]]} for item in filters or []]
        found += [{"Name": f"tag:{key}", "Values": [value]} for key, value in sorted((tags or {}).items())]
        for key, value in sorted(more.items()):
            if value is not None:
                found.append({"Name": key, "Values": [json.dumps(value) if isinstance(value, bool) else str(value)]})
        return found or None

    @_takes("string|null")
    def _func_crc32(self, text: str | None) -> str:
        """The number that the genuine provider puts into ids that it makes up."""
        return str(zlib.crc32((text or "").encode()))

    @_takes("array|null", "string", "any")
    def _func_pick(self, items: list[Mapping[str, Any]] | None, key: str, value: Any) -> Any:
        """The first item whose ``key`` has the value; none for a null value."""
        return next((item for item in items or [] if value is not None and item.get(key) == value), None)

    @_takes("object|null", "object|null")
    def _func_map_put(self, old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> dict[str, str] | None:
        """What a map has gained, or has with another value."""
        return {key: value for key, value in (new or {}).items() if (old or {}).get(key) != value} or None

    @_takes("object|null", "object|null")
    def _func_map_dropped(self, old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> list[str] | None:
        """The keys that a map has lost."""
        return sorted(set(old or {}) - set(new or {})) or None

    @_takes("array|null", "array|null", "array")
    def _func_minus(
        self, items: list[Mapping[str, Any]] | None, others: list[Mapping[str, Any]] | None, keys: list[str]
    ) -> list[Mapping[str, Any]] | None:
        """The items that agree with none of the others in the given members."""
        kept = [[item.get(key) for key in keys] for item in others or []]
        return [item for item in items or [] if [item.get(key) for key in keys] not in kept] or None

    @_takes("array|null", "array")
    def _func_log_types(self, enabled: list[str] | None, known: list[str]) -> list[dict[str, Any]]:
        """EKS's log types as one list that is on and one that is off; empty ones are left out."""
        wanted = set(enabled or [])
        sides = [(True, sorted(wanted)), (False, [item for item in known if item not in wanted])]
        return [{"types": types, "enabled": on} for on, types in sides if types]

    @_takes("string|null")
    def _func_unique_name(self, prefix: str | None) -> str | None:
        """A name with a given prefix, as the genuine provider makes it: time and random digits."""
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d%H%M%S%f")
        return None if prefix is None else f"{prefix}{moment[:18]}{secrets.token_hex(4)}"

    @_takes("object|null")
    def _func_tag_query(self, tags: Mapping[str, str] | None) -> str | None:
        """Tags as S3 takes them in a header."""
        return urllib.parse.urlencode(sorted(tags.items())) if tags else None

    @_takes("array|null", "string")
    def _func_inline_rules(self, permissions: list[Mapping[str, Any]] | None, group: str) -> list[dict[str, Any]]:
        """A security group's permissions as the program's inline rules."""
        return security_groups.inline_rules(permissions or [], group)

    @_takes("object|array|null|string")
    def _func_document(self, value: Any) -> str | None:
        """A policy document as text; an empty one is none."""
        if value is None or value == "":
            return None
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))

    @_takes("any", "any")
    def _func_default(self, value: Any, otherwise: Any) -> Any:
        """The value, or what stands in for null. Unlike ``||``, keeps false, 0 and empty values."""
        return otherwise if value is None else value

    @_takes("any", "any", "any")
    def _func_choose(self, condition: Any, yes: Any, no: Any) -> Any:
        """``yes`` when the condition is true, else ``no``; null counts as false."""
        return yes if condition else no


_OPTIONS = jmespath.Options(custom_functions=_Functions())


@functools.cache
def _compiled(expression: str) -> ParsedResult:
    return jmespath.compile(expression)


def evaluate(expression: str, data: Mapping[str, Any]) -> Any:
    """Evaluate one expression."""
    return _compiled(expression).search(data, options=_OPTIONS)


def render(template: Any, data: Mapping[str, Any]) -> Any:
    """Evaluate every string in a tree of mappings and lists; other leaves stand for themselves."""
    if isinstance(template, str):
        return evaluate(template, data)
    if isinstance(template, Mapping):
        return {key: render(item, data) for key, item in template.items()}
    if isinstance(template, list):
        return [render(item, data) for item in template]
    return template


def field_names(template: Any) -> set[str]:
    """Give the first names of the paths that a template reads: the properties and facts that it depends on."""
    if isinstance(template, str):
        return _fields(_compiled(template).parsed)
    if isinstance(template, Mapping):
        return set().union(*(field_names(item) for item in template.values()))
    if isinstance(template, list):
        return set().union(*(field_names(item) for item in template))
    return set()


def _fields(node: Mapping[str, Any]) -> set[str]:
    children = node.get("children", [])
    kind = node["type"]
    if kind == "field":
        return {str(node["value"])}
    if kind in {"subexpression", "projection", "filter_projection", "value_projection", "flatten", "index_expression"}:
        # What follows the first part is evaluated on that part, not on the data.
        return _fields(children[0])
    if kind == "pipe":
        return _fields(children[0])
    return set().union(*(_fields(child) for child in children if isinstance(child, Mapping)))
