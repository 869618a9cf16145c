"""Fixtures for every test, and how tests are run side by side (`make test`, `make faults`)."""

from collections.abc import Iterator

import pytest
from rich.console import Console

from tests import records
from tests.engine import Engine
from tests.order import longest_first


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A recording engine of its own for each test; see ``tests/engine.py``."""
    recording = Engine()
    yield recording
    recording.close()


def pytest_configure() -> None:
    """The run has its name before the workers start, which inherit it."""
    records.begin()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers take files in this order."""
    if records.is_worker():
        longest_first(items)


def pytest_unconfigure() -> None:
    """Whatever ended the run, no sandbox outlives it."""
    if not records.is_worker() and (started := records.sandboxes()):
        from tests.sandbox import rig

        rig.end(started)


def pytest_terminal_summary() -> None:
    """One table of the faults that were measured, by all workers."""
    from tests.sandbox.agent import report

    found = report.of_run()
    if found.rows:
        found.show(Console(width=160))
        print(f"kept in {found.keep().relative_to(report.ROOT)}")
