"""What is generated from the settings: Pulumi.yaml with its config schema, and the table of settings in the docs."""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stacks.descriptions import describe
from stacks.kinds import kinds_of
from stacks.settings import Section, Settings

PROJECT = "timonel"

_HEAD = f"""\
# Generated from stacks/settings.py by `make golden`.
name: {PROJECT}
description: Container orchestration that provisions itself, finds its faults and becomes stable again.
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: .venv
# Resources of Timonel's own (certificates, readiness, closing mark), started by the engine from this folder.
plugins:
  providers:
    - name: timonel
      path: ./provider
# Top-level keys only: Pulumi's schema has no fields of objects. stacks/settings.py checks the rest, and docs/stacks.md
# lists it. An object's default is empty, since Pulumi replaces a default whole and would lose what it held.
"""


def pulumi_yaml() -> str:
    """The project file."""
    config = {key: _declaration(Settings.model_fields[name], key) for name, key in _keys(Settings)}
    return _HEAD + yaml.safe_dump({"config": config}, sort_keys=False, width=116, allow_unicode=True)


def settings_table() -> str:
    """Every setting, for ``docs/stacks.md``."""
    lines = ["| key | type | what |", "|---|---|---|"]
    lines += [f"| `{key}` | {kind} | {text} |" for key, kind, text in _rows(Settings, f"{PROJECT}:")]
    return "\n".join(lines) + "\n"


def _declaration(info: FieldInfo, key: str) -> dict[str, Any]:
    is_switch = info.annotation is bool
    declaration = {"type": "boolean" if is_switch else "object", "description": describe(Settings, key)}
    # A declared key without a default is one that Pulumi demands.
    if not info.is_required():
        declaration["default"] = info.default if is_switch else {}
    return declaration


def _rows(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, key in _keys(section):
        info = section.model_fields[name]
        inner, is_list = _section_of(info.annotation)
        kinds = kinds_of(info)
        yield (
            f"{prefix}{key}",
            "object" if kinds else _type_name(info.annotation),
            describe(section, key).replace("|", "\\|"),
        )
        if inner:
            yield from _rows(inner, f"{prefix}{key}{'[]' if is_list else ''}.")
        for kind in kinds.values():
            yield from _rows(kind, f"{prefix}{key}.")


def _keys(section: type[BaseModel]) -> Sequence[tuple[str, str]]:
    return [(name, info.alias or name) for name, info in section.model_fields.items()]


def _section_of(annotation: Any) -> tuple[type[Section] | None, bool]:
    is_list = get_origin(annotation) is list
    kind = get_args(annotation)[0] if is_list else annotation
    return (kind, is_list) if isinstance(kind, type) and issubclass(kind, Section) else (None, is_list)


def _type_name(annotation: Any) -> str:
    inner, is_list = _section_of(annotation)
    if inner:
        return "list of objects" if is_list else "object"
    if is_list:
        return "list of text"
    if get_origin(annotation) is dict:
        return "text by key"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if get_args(annotation):
        return ", ".join(f"`{getattr(value, 'value', value)}`" for value in get_args(annotation))
    return {int: "whole number", bool: "true or false", str: "text"}[annotation]
