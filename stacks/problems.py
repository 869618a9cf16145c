"""Settings that cannot work, said so that one reading mends them all: key, value, rule, reason."""

import difflib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, get_args

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stacks.descriptions import describe
from stacks.kinds import kinds_of

Location = tuple[int | str, ...]

RULES: Mapping[str, str] = {
    "int_type": "be a whole number, without quotes",
    "bool_type": "be true or false, without quotes",
    "string_type": "be text (quote it when it looks like a number)",
    "string_too_short": "not be empty",
    "list_type": "be a list",
    "dict_type": "be an object, that is, keys with values",
    "model_type": "be an object, that is, keys with values",
}
"""The end of "but it must ..." by pydantic's name for the error."""


@dataclass(frozen=True)
class Problem:
    """One setting that cannot work."""

    key: str
    """The whole key: ``timonel:cluster.managers.count``."""
    got: str
    """The value as JSON; empty where there is none."""
    rule: str
    """The end of "but it must ..."."""
    reason: str
    """Why, or what the setting is; one or more sentences."""

    def __str__(self) -> str:
        got = f"got {self.got}, but it must" if self.got else "it must"
        return f"{self.key}: {got} {self.rule}. {self.reason}".rstrip()

    def hidden_if(self, secret_keys: Set[str]) -> "Problem":
        """The same without the value when it lies below a key that Pulumi holds encrypted."""
        top = self.key.partition(".")[0].partition("[")[0]
        return replace(self, got="a secret") if self.got and top in secret_keys else self


class SettingsError(pulumi.RunError):
    """All problems at once; ``pulumi.RunError`` is shown without a stack trace."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """One line for each problem."""
        self.problems = problems
        count = "1 setting" if len(problems) == 1 else f"{len(problems)} settings"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{count} cannot work; nothing was changed:\n{lines}")


def problems_of(error: ValidationError, model: type[BaseModel], project: str) -> list[Problem]:
    """What pydantic found, in our form."""
    details = error.errors(include_url=False)
    # Another kind has other keys: what is said about them beside a wrong kind is noise.
    wrong_kinds = {d["loc"][:-1] for d in details if d["loc"] and d["loc"][-1] == "kind"}
    return [
        _problem(detail, model, project)
        for detail in details
        if detail["loc"][-1:] == ("kind",) or detail["loc"][:1] not in wrong_kinds
    ]


def misspelt_namespaces(configuration: Mapping[str, str], project: str) -> list[Problem]:
    """Keys whose namespace is nearly the project's: Pulumi takes them for settings of an unknown provider."""
    found = []
    for key in configuration:
        namespace, _, rest = key.partition(":")
        if namespace != project and difflib.get_close_matches(namespace, [project], cutoff=0.75):
            rule = f"begin with {project}: to be a setting of this project"
            found.append(Problem(key, _shown(configuration[key]), rule, f"Did you mean {project}:{rest}?"))
    return found


def _problem(detail: ErrorDetails, model: type[BaseModel], project: str) -> Problem:
    location, owner = _walk(model, detail["loc"])
    if detail["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return _wrong_kind(detail, owner, location, project)
    key = key_of(location, project)
    if detail["type"] == "missing":
        reason = describe(owner, str(location[-1])) or "It has no sensible default."
        return Problem(key, "", "be given", reason)
    got = _shown(detail["input"])
    if detail["type"] == "extra_forbidden":
        return Problem(key, got, "be a setting that exists", _suggestion(owner, str(location[-1])))
    own = [str(part) for part in location if isinstance(part, str)]
    return Problem(key, got, _rule(detail, owner, location), describe(owner, own[-1]) if own else "")


def _wrong_kind(detail: ErrorDetails, owner: type[BaseModel] | None, location: Location, project: str) -> Problem:
    """Pydantic names the object; what is wrong is the ``kind`` in it."""
    info = _field(owner, str(location[-1])) if owner else None
    choices = ", ".join(kinds_of(info) if info else ())
    key, reason = key_of((*location, "kind"), project), describe(owner, str(location[-1]))
    if "kind" not in detail["input"]:
        return Problem(key, "", "be given", f"It is one of {choices}. {reason}")
    return Problem(key, _shown(detail["input"]["kind"]), f"be one of {choices}", reason)


def key_of(location: Location, project: str) -> str:
    """``("cluster", "workerPools", 0, "name")`` as ``timonel:cluster.workerPools[0].name``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return f"{project}:{text.removeprefix('.')}"


def _rule(detail: ErrorDetails, owner: type[BaseModel] | None, location: Location) -> str:
    if detail["type"] in {"enum", "literal_error"}:
        return f"be one of {', '.join(_choices(owner, location))}"
    # A rule that the table does not know yet is still said, in pydantic's words.
    return RULES.get(detail["type"], f"hold this: {detail['msg']}")


def _choices(owner: type[BaseModel] | None, location: Location) -> list[str]:
    """The values of the enum, or of the literal of enum members, that the setting takes."""
    info = _field(owner, str(location[-1])) if owner else None
    kind = info.annotation if info else None
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return [str(getattr(value, "value", value)) for value in get_args(kind)]


def _suggestion(owner: type[BaseModel] | None, key: str) -> str:
    known = sorted(info.alias or name for name, info in owner.model_fields.items()) if owner else []
    # Case and underscores are what people change most: zone_names, Zonenames.
    plain = {candidate.replace("_", "").lower(): candidate for candidate in known}
    close = difflib.get_close_matches(key.replace("_", "").lower(), list(plain), n=1)
    if close:
        return f"Did you mean {plain[close[0]]}?"
    return f"There are: {', '.join(known)}."


def _walk(model: type[BaseModel], location: Location) -> tuple[Location, type[BaseModel] | None]:
    """The location without the kinds that pydantic puts into it, and the section that its last key belongs to."""
    shown: list[int | str] = []
    owner: type[BaseModel] | None = model
    inner: type[BaseModel] | None = model
    kinds: Mapping[str, type[BaseModel]] = {}
    for part in location:
        if part in kinds:
            inner, kinds = kinds[str(part)], {}
            continue
        shown.append(part)
        if isinstance(part, str):
            owner = inner
            info = _field(owner, part) if owner else None
            kinds = kinds_of(info) if info else {}
            inner = _section_in(info.annotation) if info and not kinds else None
    return tuple(shown), owner


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _section_in(inner))), None)


def _field(owner: type[BaseModel], key: str) -> Any:
    return next((info for info in owner.model_fields.values() if info.alias == key), None)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 200 else f"{text[:200]}..."
