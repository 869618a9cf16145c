"""What ends a control plane besides its cluster's delete: `down`, and the end of the AWS API."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from sandbox.kubernetes import build
from sandbox.kubernetes.record import recorded
from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.eks import NAME, World
from tests.unit.sandbox.world import until

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("how", ["down", "killed"])
def test_nothing_of_a_control_plane_outlives_its_sandbox(how: str, tmp_path: Path) -> None:
    build.ensure()
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.up("--kubernetes")
    world = World(sandbox)
    world.eks.create_cluster(**world.arguments())
    until("cluster active", lambda: world.describe()["status"] == "ACTIVE", 300)
    processes = recorded(sandbox.state.folder / "kubernetes" / "us-east-1" / NAME)
    assert len(processes) == 5, "supervisor, etcd and three servers"
    if how == "killed":
        api = sandbox.state.read()
        os.kill(int(api["pid"]), signal.SIGKILL)
        until("the processes' end", lambda: not any(p.alive() for p in processes), 120)
    sandbox.down()
    assert not any(p.alive() for p in processes)
