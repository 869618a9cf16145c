"""Reads the catalogue: ``alerts/*.yaml``, one file for each area."""

from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from components.monitoring.catalogue.models import Area, Catalogue

FOLDER = Path(__file__).with_name("alerts")


def parse(text: str, source: str) -> Area:
    """One area.

    Raises:
        ValueError: a key is unknown or missing, or a value is refused; names ``source`` and the key.
    """
    try:
        return Area.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise ValueError(f"{source}: {error}") from error


@cache
def load() -> Catalogue:
    """Every area, by its name."""
    paths = sorted(FOLDER.glob("*.yaml"))
    return Catalogue(areas=tuple(parse(path.read_text(), path.name) for path in paths))
