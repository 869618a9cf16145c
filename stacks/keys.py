"""The setting that an argument of a component came from."""

import re
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from stacks.settings import Section, Settings

_TOP_LEVEL = {"enable_protection": "protection", "tags": "tags"}
"""Settings of the whole stack that become arguments of each component."""

_FIELD = re.compile(r"(?<![\[\w])[a-z]\w*(?![\w\]])")
"""A name in a path, but not what stands in brackets: ``worker_pools[web].min_size``."""


def key_of_argument(settings: Settings, project: str, section: str, path: str) -> str:
    """``worker_pools[0].min_size`` of ``cluster`` as ``timonel:cluster.workerPools[0].minSize``."""
    if section == "cluster" and path.startswith("network."):
        section, path = "network", path.removeprefix("network.")
    for argument, setting in _TOP_LEVEL.items():
        if re.match(rf"{argument}\b", path):
            return f"{project}:{setting}{path.removeprefix(argument)}"
    aliases = {name: alias for model in _sections(type(getattr(settings, section))) for name, alias in _names(model)}
    spelled = _FIELD.sub(lambda field: aliases.get(field[0], to_camel(field[0])), path)
    return f"{project}:{section}.{spelled}"


def _names(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    return ((name, info.alias or name) for name, info in model.model_fields.items())


def _sections(section: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The section and those below it."""
    yield section
    for info in section.model_fields.values():
        for inner in (info.annotation, *getattr(info.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, Section):
                yield from _sections(inner)
