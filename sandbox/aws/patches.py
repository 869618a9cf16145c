"""All corrections of moto, put in place before the first call."""

from __future__ import annotations


def install() -> None:
    """Patch moto. Idempotent."""
