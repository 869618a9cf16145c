"""Fixtures for the cluster's tests."""

from collections.abc import Callable
from typing import Any

import pytest

from components.hosts import artefact
from components.hosts.artefact import Artefact
from components.swarm.component import SwarmCluster
from tests.engine import Engine
from tests.unit.swarm.args import arguments

AGENT = Artefact(content=b"the agent", sha256="5ca1ab1e" * 8)
MakeSwarm = Callable[..., SwarmCluster]


@pytest.fixture
def make_swarm(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> MakeSwarm:
    """Makes the cluster ``swarm`` of ``arguments(...)``; the agent is a stand-in, so that goldens do not follow it."""
    monkeypatch.setattr(artefact, "build", lambda: AGENT)
    # Physical names as AWS would auto-name them: what a policy or user data names must come from outputs.
    engine.computed["aws:s3/bucket:Bucket"] = {"bucket": "swarm-state-bucket-id"}

    def make(zones: int = 2, **changes: Any) -> SwarmCluster:
        return engine.run(lambda: SwarmCluster("swarm", arguments(zones, **changes)))

    return make
