"""A sandbox with machines, and clusters in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from sandbox.machines import image
from tests.sandbox.agent import report
from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.served import ServedLab
from tests.sandbox.machines.rig import Machines, booted


def pytest_terminal_summary() -> None:
    """One table of everything that was measured."""
    if not report.REPORT.rows:
        return
    report.REPORT.show(Console(width=160))
    print(f"kept in {report.keep().relative_to(report.ROOT)}")


@pytest.fixture(scope="session", name="booted")
def _booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A sandbox with machines for the session."""
    with booted(tmp_path_factory.mktemp("agent")) as running:
        if made := image.find():
            report.REPORT.versions |= made.versions
        yield running


@pytest.fixture
def lab(booted: Machines) -> Iterator[Callable[..., Lab]]:
    """`lab(managers, workers, **agent_config)` makes a cluster that is destroyed after the test."""
    made: list[Lab] = []

    def make(managers: int = 3, workers: int = 2, **agent: Any) -> Lab:
        made.append(Lab(booted.state.folder, booted.endpoint, managers, workers, **agent))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def serve(booted: Machines) -> Iterator[Callable[..., ServedLab]]:
    """As `lab`, with a load balancer before the workers."""
    made: list[ServedLab] = []

    def make(managers: int = 3, workers: int = 2, **agent: Any) -> ServedLab:
        made.append(ServedLab(booted.state.folder, booted.endpoint, managers, workers, **agent))
        return made[-1]

    yield make
    for one in made:
        one.close()
