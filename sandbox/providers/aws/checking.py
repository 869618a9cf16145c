"""Checks of a resource's inputs, before anything is made."""

from collections.abc import Mapping
from typing import Any

from sandbox.providers.aws.shapes import coerce
from sandbox.providers.schema import Property, Type

Failure = tuple[str, str]
"""A property and why it is refused."""


def inputs(
    token: str,
    known: Mapping[str, Property],
    supported: frozenset[str],
    unsupported: tuple[str, ...],
    given: Mapping[str, Any],
    *,
    provider: str = "AWS",
) -> tuple[dict[str, Any], list[Failure]]:
    """Check names and types.

    Args:
        token: for the messages.
        known: what the SDK package knows.
        supported: what the row does something with.
        unsupported: nested properties that the row refuses, by dotted path.
        given: the program's inputs.
        provider: whose stand-in refuses, for the messages.

    Returns:
        the inputs in the form of their types, and what is wrong with them. No message shows a value.
    """
    failures: list[Failure] = []
    result: dict[str, Any] = {}
    for name, value in given.items():
        if name.startswith("__"):
            result[name] = value
        elif name not in known:
            failures.append((name, f"{token} has no property {name!r}; known are {', '.join(sorted(known))}"))
        elif name not in supported:
            failures.append((name, f"the stand-in for the {provider} provider does not support {name!r} of {token}"))
        else:
            try:
                result[name] = coerce(value, known[name]["type"])
            except TypeError as error:
                failures.append((name, f"{token}: {name}{error}"))
            else:
                inner = _unsupported(value, known[name]["type"], name, unsupported)
                reason = f"the stand-in for the {provider} provider does not support {{!r}} of {{}}"
                failures.extend((name, reason.format(path, token)) for path in inner)
    for name, item in known.items():
        if item["required"] and given.get(name) is None:
            failures.append((name, f"{token}: the property {name!r} is required"))
    return result, failures


def _unsupported(value: Any, type_: Type, path: str, refused: tuple[str, ...]) -> list[str]:
    if path in refused:
        return [path]
    if isinstance(value, list):
        inner = type_.get("of", Type(kind="any"))
        return [found for item in value for found in _unsupported(item, inner, path, refused)]
    if isinstance(value, dict) and type_["kind"] == "object":
        properties = type_.get("properties", {})
        return [
            found
            for name, item in value.items()
            if item is not None and name in properties
            for found in _unsupported(item, properties[name]["type"], f"{path}.{name}", refused)
        ]
    return []


def exclusive(token: str, groups: tuple[tuple[str, ...], ...], given: Mapping[str, Any]) -> list[Failure]:
    """Refuse more than one of a group."""
    failures = []
    for group in groups:
        both = [name for name in group if given.get(name) is not None]
        if len(both) > 1:
            failures.append((both[1], f"{token}: {' and '.join(both)} cannot be given together"))
    return failures
