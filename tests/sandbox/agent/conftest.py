"""A sandbox with machines, and clusters in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.machines import controller
from tests.sandbox.agent.lab import Lab
from tests.sandbox.machines.rig import Machines


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A sandbox with machines for the session; its end must leave nothing in the kernel."""
    reason = controller.supported()
    if reason:
        pytest.skip(f"hosts cannot boot here: {reason}")
    running = Machines(tmp_path_factory.mktemp("agent"))
    try:
        running.up("--machines")
        yield running
    finally:
        running.down()
    left = {what: found for what, found in running.traces().items() if found}
    assert not left, f"down left something behind: {left}"


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
