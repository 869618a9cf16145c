"""Fixtures of the tests on booted hosts."""

from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.machines.rig import Machines, booted


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A sandbox with machines for the session, its VPC made."""
    with booted(tmp_path_factory.mktemp("machines")) as running:
        running.prepare()
        yield running


@pytest.fixture
def launch(machines: Machines) -> Iterator[Callable[..., str]]:
    """`launch(user_data, zone, **options)` launches an instance that is terminated after the test."""
    made: list[str] = []

    def make(*arguments: str, **options: object) -> str:
        made.append(machines.launch(*arguments, **options))
        return made[-1]

    yield make
    machines.terminate(made)
