"""A sandbox whose EKS clusters have real control planes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.kubernetes import build
from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.eks import World


@pytest.fixture(scope="session")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox; Kubernetes is built first where it is not (minutes, once for a machine)."""
    build.ensure()
    running = Sandbox(tmp_path_factory.mktemp("eks"))
    running.up("--kubernetes")
    yield running
    running.down()


@pytest.fixture(scope="module")
def world(planes: Sandbox) -> Iterator[World]:
    """An empty account with a network and roles."""
    planes.reset()
    planes.control("PUT", "settings", {"transition": 0.1, "hook": 0.2, "health_check": 0.3, "warmup": 0.2})
    yield World(planes)
    planes.reset()
