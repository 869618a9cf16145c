"""Comparing inputs: what a change is, what replaces, and what a read of the API means for the inputs."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.providers.aws import cloudformation, expressions
from sandbox.providers.aws.table import Row
from sandbox.providers.schema import ResourceSchema, Type
from sandbox.providers.values import contains_unknown

DEFAULTS = "__defaults"
"""Input in which Pulumi's bridged providers keep the names of the properties that they filled in."""


ASSET = "an asset"
"""What every asset is to a comparison of values."""
IMPORTED = "__imported"
"""Input that marks inputs read by an import."""


def canonical_policy(text: Any) -> Any:
    """Bring a JSON document into a form in which equal meaning is equality.

    In IAM's grammar an element that may be a list may also be a single string, and lists have no order; account
    ids and root principals are the same. Anything that is not JSON stands for itself.
    """
    try:
        document = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text
    return _canonical(document)


def _canonical(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _canonical(item) for key, item in sorted(node.items())}
    if isinstance(node, list):
        items = sorted((_canonical(item) for item in node), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    if isinstance(node, str):
        root = re.fullmatch(r"arn:[a-z-]+:iam::(\d{12}):root", node)
        return root[1] if root else node
    if isinstance(node, bool):
        return "true" if node else "false"
    return str(node) if isinstance(node, (int, float)) else node


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def canonical(row: Row, path: str, value: Any) -> Any:
    """Bring a property's value into a form in which equal meaning is equality."""
    if path in row.json:
        return canonical_policy(value)
    if isinstance(value, Mapping):
        made = {name: canonical(row, f"{path}.{name}", item) for name, item in value.items()}
        # Inside an object false and nothing are the same to AWS; 0 is not.
        return {name: item for name, item in made.items() if item is not False and item not in (None, "", [], {})}
    if isinstance(value, list):
        items = [canonical(row, path, item) for item in value]
        return sorted(items, key=_key) if path in row.sets else items
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    # What is left are assets, which are compared by their content: two checkouts have different paths.
    return value if isinstance(value, (str, bool)) or value is None else ASSET


def same(row: Row, name: str, one: Any, other: Any) -> bool:
    """Tell whether two values of a property mean the same."""
    return bool(canonical(row, name, one) == canonical(row, name, other))


def replaces(row: Row, name: str, facts: Mapping[str, Any] | None = None) -> bool:
    """Tell whether a change of a top-level property replaces the resource."""
    if facts is not None and name in row.replace_when:
        return bool(expressions.evaluate(row.replace_when[name], facts))
    if name in row.replace or name == "region":
        return True
    if name in row.update or not row.cfn:
        return False
    mapped = row.cfn_names.get(name, name).lower()
    return any(item.lower() == mapped for item in cloudformation.create_only(row.cfn))


def replaces_inside(row: Row, name: str, old: Any, new: Any) -> bool:
    """Tell whether a difference inside a property replaces, by the dotted paths of the row."""
    for path in row.replace:
        head, _, rest = path.partition(".")
        if head == name and rest and _at(old, rest) != _at(new, rest):
            return True
    return False


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give ``added`` and ``removed`` elements of every list that differs."""
    added: dict[str, Any] = {}
    removed: dict[str, Any] = {}
    for name in {*old, *new}:
        before, after = old.get(name) or [], new.get(name) or []
        if isinstance(before, list) and isinstance(after, list) and before != after:
            added[name] = [item for item in after if item not in before] or None
            removed[name] = [item for item in before if item not in after] or None
    return {"added": added, "removed": removed}


@dataclass(frozen=True)
class Change:
    """One property that differs."""

    name: str
    kind: str
    """``add``, ``delete`` or ``update``."""
    replaces: bool


def changes(
    row: Row,
    schema: ResourceSchema,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    state: Mapping[str, Any],
) -> list[Change]:
    """Compare old and new inputs, both as ``check`` or ``read`` made them.

    A property that is no longer given and that AWS also fills by itself is left as it is, as the genuine provider
    does it.
    """
    found: list[Change] = []
    facts = {**new, "old": old, **differences(old, new)}
    for name in sorted(set(old) | set(new)):
        before, after = old.get(name), new.get(name)
        if old.get(IMPORTED) and after is not None and name in schema["inputs"]:
            # An import reads every part that AWS has filled in; what the program does not give is no difference.
            before = refreshed(row, name, schema["inputs"][name]["type"], given=after, actual=before, state=before)
        if name in {DEFAULTS, IMPORTED} or (before is None and after is None):
            continue
        if contains_unknown(after):
            certain = replaces(row, name)
            found.append(Change(name, "add" if before is None else "update", certain))
            continue
        if same(row, name, before, after):
            continue
        if before is None and is_empty(after) and is_empty(state.get(name)):
            continue
        if after is None and name in schema["outputs"] and schema["outputs"][name]["required"]:
            continue
        if after is None and name in row.defaults and same(row, name, before, row.defaults[name]):
            continue
        kind = "add" if before is None else "delete" if after is None else "update"
        found.append(Change(name, kind, replaces(row, name, facts) or replaces_inside(row, name, before, after)))
    return found


def refreshed(row: Row, name: str, type_: Type, *, given: Any, actual: Any, state: Any) -> Any:
    """Say what an input becomes when the API answers ``actual``.

    Equal in meaning: the input stays as it was given. Else what the API says, without the parts that the program did
    not give and that have not moved since the state was written (AWS fills those in).
    """
    if same(row, name, given, actual):
        return given
    if isinstance(given, Mapping) and isinstance(actual, Mapping) and type_["kind"] == "object":
        known = state if isinstance(state, Mapping) else {}
        properties = type_.get("properties", {})
        result: dict[str, Any] = {}
        for key, item in actual.items():
            inner = f"{name}.{key}"
            kind = properties[key]["type"] if key in properties else Type(kind="any")
            if key in given:
                result[key] = refreshed(row, inner, kind, given=given[key], actual=item, state=known.get(key))
            elif known.get(key) is not None and not same(row, inner, known[key], item):
                result[key] = item
        for key, item in given.items():
            # What the API leaves out when it is empty or false is no difference either.
            if key not in actual and (item in (False, "", 0, [], {}) or f"{name}.{key}" in row.blind):
                result[key] = item
        return result
    if isinstance(given, list) and isinstance(actual, list) and len(given) == len(actual):
        before = state if isinstance(state, list) and len(state) == len(given) else [None] * len(given)
        if name in row.sets:
            actual = _aligned(row, name, given, actual)
            before = _aligned(row, name, given, [item for item in before if item is not None])
            before += [None] * (len(given) - len(before))
        inner_type = type_.get("of", Type(kind="any"))
        pairs = zip(given, actual, before, strict=False)
        return [refreshed(row, name, inner_type, given=one, actual=other, state=third) for one, other, third in pairs]
    return actual


def _aligned(row: Row, name: str, given: list[Any], actual: list[Any]) -> list[Any]:
    """Bring a set's elements into the order of the given ones, by the most parts in common."""
    rest = list(actual)
    result = []
    for item in given:
        if not rest:
            break
        best = max(rest, key=lambda other: _likeness(row, name, item, other))
        rest.remove(best)
        result.append(best)
    return result + rest


def _likeness(row: Row, name: str, one: Any, other: Any) -> int:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return sum(same(row, f"{name}.{key}", item, other.get(key)) for key, item in one.items())
    return int(same(row, name, one, other))


def is_empty(value: Any) -> bool:
    """Tell whether a value is what AWS answers for something that was never set."""
    return value is None or value in ("", [], {}, False, 0)
