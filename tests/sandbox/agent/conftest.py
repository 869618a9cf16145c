"""A sandbox with machines, and clusters in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from sandbox.machines import image
from tests import records
from tests.sandbox.agent import grants
from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.served import ServedLab
from tests.sandbox.machines.rig import Machines, booted

Made = TypeVar("Made", bound=Lab)


@pytest.fixture(scope="session", name="booted")
def _booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A sandbox with machines for the session."""
    with booted(tmp_path_factory.mktemp("agent")) as running:
        if made := image.find():
            records.add("versions", versions=made.versions)
        yield running


@contextmanager
def _clusters(booted: Machines, kind: type[Made], module: str) -> Iterator[Callable[..., Made]]:
    """Makes clusters, destroys them, and holds every call of their nodes against their roles."""
    made: list[Made] = []

    def make(managers: int = 3, workers: int = 2, **agent: Any) -> Made:
        made.append(kind(booted.state.folder, booted.endpoint, managers, workers, **agent))
        return made[-1]

    yield make
    for one in made:
        one.close()
    refused = grants.look(made, booted.calls(grants.JOURNAL.seen), module)
    assert refused == [], "calls that a node's role does not allow"


@pytest.fixture
def lab(booted: Machines, request: pytest.FixtureRequest) -> Iterator[Callable[..., Lab]]:
    """`lab(managers, workers, **agent_config)` makes a cluster that is destroyed after the test."""
    with _clusters(booted, Lab, request.module.__name__) as make:
        yield make


@pytest.fixture
def serve(booted: Machines, request: pytest.FixtureRequest) -> Iterator[Callable[..., ServedLab]]:
    """As `lab`, with a load balancer before the workers."""
    with _clusters(booted, ServedLab, request.module.__name__) as make:
        yield make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What adds up over the other tests comes last."""
    items.sort(key=lambda item: "test_grants" in item.nodeid)
