"""Fixtures for every test."""

from collections.abc import Iterator

import pytest

from tests.engine import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A recording engine of its own for each test; see ``tests/engine.py``."""
    recording = Engine()
    yield recording
    recording.close()
