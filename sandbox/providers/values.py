"""Pulumi's property values as plain Python data, and back.

Secrets are kept by top-level property: a property with a secret anywhere inside is secret as a whole, as the genuine
bridged providers do it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import pulumi
from pulumi.provider.experimental.property_value import PropertyValue, ResourceReference
from pulumi.runtime.rpc import UNKNOWN

__all__ = ["UNKNOWN", "Plain", "contains_unknown", "from_wire", "is_unknown", "plain", "to_wire"]

Plain = Any
"""None, bool, float, int, str, list, dict, an asset or the string ``UNKNOWN``."""


def plain(value: PropertyValue) -> Plain:
    """Strip secrecy and dependencies; an unknown stays the SDK's sentinel string."""
    inner = value.value
    if isinstance(inner, str):
        return inner
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence):
        return [plain(cast(PropertyValue, item)) for item in inner]
    if isinstance(inner, ResourceReference):
        return plain(inner.resource_id) if inner.resource_id is not None else UNKNOWN
    return inner


def from_wire(properties: Mapping[str, PropertyValue]) -> tuple[dict[str, Plain], frozenset[str]]:
    """Give plain properties without the nulls, and the names of those that hold a secret."""
    values = {key: plain(item) for key, item in properties.items()}
    secrets = {key for key, item in properties.items() if item.contains_secret()}
    if "tags" in secrets:
        secrets.add("tagsAll")  # the same tags again
    return {key: item for key, item in values.items() if item is not None}, frozenset(secrets)


def _wrap(value: Plain) -> PropertyValue:
    if isinstance(value, bool) or value is None or isinstance(value, (str, pulumi.Asset, pulumi.Archive)):
        return PropertyValue(value)
    if isinstance(value, (int, float)):
        return PropertyValue(float(value))
    if isinstance(value, Mapping):
        return PropertyValue({str(key): _wrap(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return PropertyValue([_wrap(item) for item in value])
    raise TypeError(f"no Pulumi value for a {type(value).__name__}")


def to_wire(values: Mapping[str, Plain], secrets: Iterable[str] = ()) -> dict[str, PropertyValue]:
    """Make property values; those named in ``secrets`` are secret. Nulls are left out."""
    hidden = frozenset(secrets)
    return {key: _wrap(item).with_secret(key in hidden) for key, item in values.items() if item is not None}


def is_unknown(value: Plain) -> bool:
    """Tell whether the value itself is not known yet (preview)."""
    return isinstance(value, str) and value == UNKNOWN


def contains_unknown(value: Plain) -> bool:
    """Tell whether anything inside the value is not known yet (preview)."""
    if isinstance(value, Mapping):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(contains_unknown(item) for item in value)
    return is_unknown(value)
