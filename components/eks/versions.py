"""The Kubernetes versions of EKS that Timonel knows, from ``versions.yaml`` beside this file."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("versions.yaml")


@dataclass(frozen=True)
class Release:
    """A minor version of Kubernetes on EKS."""

    version: str
    """``1.35``."""
    standard_until: datetime.date | None
    """Last day of standard support; None where no source gave the day yet."""
    extended_until: datetime.date | None
    """Last day of extended support, which costs more; None as above."""
    addons: Mapping[str, str]
    """Version of each add-on."""

    def is_standard(self, today: datetime.date) -> bool:
        """Whether standard support lasts; so it does where the end is unknown."""
        return self.standard_until is None or today <= self.standard_until

    def is_supported(self, today: datetime.date) -> bool:
        """Whether AWS runs it at all, extended support included."""
        return self.extended_until is None or today <= self.extended_until


@dataclass(frozen=True)
class Releases:
    """All of them."""

    default: str
    by_version: Mapping[str, Release]
    """Oldest first."""


@cache
def load() -> Releases:
    """The file's content."""
    document = yaml.safe_load(FILE.read_text())
    return Releases(
        default=document["default"],
        by_version={
            version: Release(version, _day(entry["standard"]), _day(entry["extended"]), entry["addons"])
            for version, entry in sorted(document["kubernetes"].items(), key=lambda item: minor(item[0]))
        },
    )


def minor(version: str) -> int:
    """``35`` of ``1.35``.

    Raises:
        ValueError: no such version.
    """
    major, _, number = version.partition(".")
    if major != "1":
        raise ValueError(f"no version of Kubernetes 1: {version}")
    return int(number)


def _day(text: str | None) -> datetime.date | None:
    return None if text is None else datetime.date.fromisoformat(text)
