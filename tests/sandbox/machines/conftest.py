"""Fixtures of the tests on booted hosts."""

from collections.abc import Callable, Iterator

import pytest

from sandbox.machines import controller
from tests.sandbox.machines.rig import Machines


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A sandbox with machines for the session; its end must leave nothing in the kernel."""
    reason = controller.supported()
    if reason:
        pytest.skip(f"hosts cannot boot here: {reason}")
    running = Machines(tmp_path_factory.mktemp("machines"))
    try:
        running.up("--machines")
        running.prepare()
        yield running
    finally:
        running.down()
    left = {what: found for what, found in running.traces().items() if found}
    assert not left, f"down left something behind: {left}"


@pytest.fixture
def launch(machines: Machines) -> Iterator[Callable[..., str]]:
    """`launch(user_data, zone, **options)` launches an instance that is terminated after the test."""
    made: list[str] = []

    def make(*arguments: str, **options: object) -> str:
        made.append(machines.launch(*arguments, **options))
        return made[-1]

    yield make
    machines.terminate(made)
