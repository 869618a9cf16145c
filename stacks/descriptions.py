"""What a setting is, in the words of the component's argument that it becomes: the docstring below the field."""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache

from pydantic import BaseModel


def describe(section: type[BaseModel] | None, key: str) -> str:
    """One or more sentences about ``key`` (as a stack file spells it) of ``section``; empty when nothing says."""
    if section is None:
        return ""
    for name, info in section.model_fields.items():
        if info.alias == key:
            arguments = getattr(section, "arguments", None)
            text = info.description or (_docstrings(arguments).get(name, "") if arguments else "")
            return _in_stack_spelling(text, section)
    return ""


def _in_stack_spelling(text: str, section: type[BaseModel]) -> str:
    """Other settings that the text names, as a stack file spells them, and Markdown's single backticks."""
    for name, info in section.model_fields.items():
        text = text.replace(f"``{name}``", f"``{info.alias}``")
    return text.replace("``", "`")


@cache
def _docstrings(arguments: type) -> Mapping[str, str]:
    """Docstring by field of a TypedDict. Python drops them, so they are read from the source."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(arguments))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 (what getsource gives for a class)
    found = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = " ".join(text.value.value.split())
    return found
