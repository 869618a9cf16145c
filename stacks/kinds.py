"""Settings whose ``kind`` chooses which other keys there are."""

from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def kinds_of(info: FieldInfo) -> Mapping[str, type[BaseModel]]:
    """The sections that a setting may be, by ``kind``; empty for a setting without."""
    if info.discriminator is None:
        return {}
    return {
        str(kind.value): section
        for section in get_args(info.annotation)
        for kind in get_args(section.model_fields[str(info.discriminator)].annotation)
    }
