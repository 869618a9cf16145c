"""Pulumi values as the API's, and back, led by botocore's shapes and the SDK package's types.

The default rule: ``camelCase`` is ``PascalCase``, compared without regard to case; a table states the exceptions.
"""

import datetime
import json
from collections.abc import Mapping
from typing import Any

from sandbox.providers.schema import Property, Type

Renames = Mapping[str, str]
"""API member by dotted property path: ``{"ingress.protocol": "IpProtocol"}``."""


def to_api(value: Any, shape: Any, path: str = "", renames: Renames | None = None) -> Any:  # noqa: PLR0911
    """Shape a value as the API takes it; None leaves are dropped, and a structure that held only those is None."""
    if value is None:
        return None
    kind = shape.type_name
    if kind == "structure":
        return _structure(value, shape, path, renames or {})
    if kind == "list":
        if isinstance(value, Mapping) and set(getattr(shape.member, "members", ())) == {"Key", "Value"}:
            return [{"Key": str(key), "Value": _text(item)} for key, item in sorted(value.items())]
        items = value if isinstance(value, (list, tuple)) else [value]
        made = [to_api(item, shape.member, path, renames) for item in items]
        return [item for item in made if item is not None]
    if kind == "map":
        return {str(key): to_api(item, shape.value, path, renames) for key, item in value.items() if item is not None}
    if kind in {"integer", "long"}:
        return int(value)
    if kind in {"float", "double"}:
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "string":
        return _text(value)
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, separators=(",", ":")) if isinstance(value, (dict, list)) else str(value)


def member_name(shape: Any, name: str) -> str | None:
    """Find a structure's member by the default rule."""
    if name in shape.members:
        return name
    return next((member for member in shape.members if member.lower() == name.lower()), None)


def _renamed(renames: Renames, path: str) -> str | None:
    """Find an exception; a call's arguments may put properties inside others, so the end of the path decides."""
    found = [known for known in renames if path == known or path.endswith("." + known)]
    return renames[max(found, key=len)] if found else None


def _structure(value: Any, shape: Any, path: str, renames: Renames) -> dict[str, Any] | None:
    if isinstance(value, (list, tuple)):
        # Blocks that are given at most once are objects in Pulumi, but some keep their list.
        value = value[0] if value else {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{path or shape.name}: the API takes a structure here, not a {type(value).__name__}")
    result: dict[str, Any] = {}
    for key, item in value.items():
        inner = f"{path}.{key}" if path else key
        member = _renamed(renames, inner) or member_name(shape, key)
        if member is None or member not in shape.members:
            raise KeyError(f"{inner}: the API's {shape.name} has no such member")
        made = to_api(item, shape.members[member], inner, renames)
        if made is not None:
            result[member] = made
    return result if result or not value else None


def from_api(value: Any, type_: Type, path: str = "", renames: Renames | None = None) -> Any:
    """Shape what the API answered as Pulumi has it; what the type does not know is dropped."""
    if value is None:
        return None
    kind = type_["kind"]
    if kind == "list":
        items = value if isinstance(value, (list, tuple)) else [value]
        return [from_api(item, type_["of"], path, renames) for item in items]
    if kind == "map":
        if isinstance(value, list):
            value = {item.get("Key", item.get("key")): item.get("Value", item.get("value")) for item in value}
        return {str(key): from_api(item, type_["of"], path, renames) for key, item in value.items()}
    if kind == "object":
        if isinstance(value, list):
            return from_api(value[0], type_, path, renames) if value else None
        return _object(value, type_.get("properties", {}), path, renames or {})
    return _scalar(value, kind)


def _scalar(value: Any, kind: str) -> Any:
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "integer":
        return int(value) if str(value) != "" else None
    if kind == "number":
        return float(value)
    if kind == "string":
        if isinstance(value, datetime.datetime):
            return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _text(value)
    return value


def lookup(value: Mapping[str, Any], name: str) -> Any:
    """Find an answer's member by the default rule."""
    if name in value:
        return value[name]
    return next((item for key, item in value.items() if key.lower() == name.lower()), None)


def _object(value: Any, properties: Mapping[str, Property], path: str, renames: Renames) -> dict[str, Any] | None:
    if not isinstance(value, Mapping):
        return None
    result: dict[str, Any] = {}
    for name, item in properties.items():
        inner = f"{path}.{name}" if path else name
        found = lookup(value, renames.get(inner, name))
        made = from_api(found, item["type"], inner, renames)
        if made is not None:
            result[name] = made
    return result


def coerce(value: Any, type_: Type) -> Any:
    """Bring a program's value into the form of its type: ``"80"`` for a number, an object for a policy document.

    Raises:
        TypeError: with the reason as its text, starting with the path inside the value (empty or ``.x`` or ``[0]``).
    """
    return _coerce(value, type_, "")


def _coerce(value: Any, type_: Type, path: str) -> Any:
    from sandbox.providers.values import is_unknown  # noqa: PLC0415

    if value is None or is_unknown(value):
        return value
    kind = type_["kind"]
    if kind == "list":
        if not isinstance(value, list):
            raise TypeError(f"{path}: must be a list, but is {_kind(value)}")
        return [_coerce(item, type_["of"], f"{path}[{index}]") for index, item in enumerate(value)]
    if kind == "map":
        if not isinstance(value, dict):
            raise TypeError(f"{path}: must be a map, but is {_kind(value)}")
        return {key: _coerce(item, type_["of"], f"{path}.{key}") for key, item in value.items()}
    if kind == "object":
        return _coerce_object(value, type_, path)
    if kind in {"any", "asset"}:
        return value
    return _coerce_scalar(value, type_, path)


def _coerce_object(value: Any, type_: Type, path: str) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"{path}: must be an object, but is {_kind(value)}")
    properties = type_.get("properties")
    if properties is None:
        return value
    for name in value:
        if name not in properties:
            raise TypeError(f"{path}.{name}: is not a property here; known are {', '.join(sorted(properties))}")
    for name, item in properties.items():
        if item["required"] and value.get(name) is None:
            raise TypeError(f"{path}.{name}: is required")
    return {
        name: _coerce(item, properties[name]["type"], f"{path}.{name}")
        for name, item in value.items()
        if item is not None
    }


def _coerce_scalar(value: Any, type_: Type, path: str) -> Any:
    kind = type_["kind"]
    if kind == "string":
        if isinstance(value, (dict, list)):
            if type_.get("also") == "object":
                return json.dumps(value, separators=(",", ":"))
            raise TypeError(f"{path}: must be a string, but is {_kind(value)}")
        return _text(value)
    if kind == "boolean":
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
    if kind in {"integer", "number"} and not isinstance(value, bool):
        try:
            number = float(value)
        except (TypeError, ValueError):
            pass
        else:
            if kind == "number" or number.is_integer():
                return int(number) if number.is_integer() else number
    raise TypeError(f"{path}: must be of type {kind}, but is {_kind(value)}")


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")
