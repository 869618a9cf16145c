"""Pulumi's property values as plain Python values, and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

Plain = dict[str, Any]


class _Unknown:
    """A value that this preview cannot know yet."""

    def __repr__(self) -> str:
        return "(unknown until applied)"


UNKNOWN: Final = _Unknown()


def to_plain(values: Mapping[str, PropertyValue]) -> Plain:
    """Plain values by property; whole numbers become ``int``, since the wire knows floats only; nulls are left out."""
    return {key: _plain(value) for key, value in values.items() if value.value is not None}


def to_wire(values: Plain, secrets: Iterable[str]) -> dict[str, PropertyValue]:
    """The values for the engine; those named in ``secrets`` are marked, so that the state holds them encrypted."""
    hidden = frozenset(secrets)
    return {key: _wire(value).with_secret(key in hidden) for key, value in values.items()}


def _plain(value: PropertyValue) -> Any:
    inner: Any = value.value
    match inner:
        case rpc.UNKNOWN:
            return UNKNOWN
        case str() | bool() | None:
            return inner
        case float():
            return int(inner) if inner.is_integer() else inner
        case Mapping():
            return to_plain(inner)
        case Sequence():
            return [_plain(item) for item in inner]
    raise TypeError(f"a property of the kind {type(inner).__name__} is not one this provider takes")


def _wire(value: Any) -> PropertyValue:
    match value:
        case _Unknown():
            # Not PropertyValue.computed(): the SDK (3.272) cannot put it on the wire; it reads the mark as text.
            return PropertyValue(rpc.UNKNOWN)
        case bool() | str() | None:
            return PropertyValue(value)
        case int() | float():
            return PropertyValue(float(value))
        case Mapping():
            return PropertyValue({key: _wire(item) for key, item in value.items()})
        case Sequence():
            return PropertyValue([_wire(item) for item in value])
    raise TypeError(f"a value of the kind {type(value).__name__} cannot be a property")
