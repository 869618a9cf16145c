"""Fault 5, to the last word: what was written right before a snapshot is in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.report import say
from tests.sandbox.agent.test_faults import newest_before

pytestmark = [pytest.mark.machines, pytest.mark.faults]


def test_the_last_write_before_a_snapshot_is_restored_from_it(lab: Callable[..., Lab]) -> None:
    """Raft says on disk that its last entry is committed with the next one only; a forced cluster drops the rest."""
    cluster = lab(managers=3, workers=0)
    cluster.wait_whole(400)
    cluster.docker("config", "create", "last", "/etc/hostname")
    newest_before(cluster)
    cluster.ec2.terminate_instances(InstanceIds=list(cluster.instances()))

    def recovered() -> bool:
        record = cluster.record()
        return (record["epoch"], record["phase"], cluster.status()["epoch"]) == (2, "live", 2)

    seconds = cluster.wait(recovered, 400, lambda: str(cluster.record()))
    say("5 all managers lost: the first of the restored swarm leads", seconds, "one host by hand")
    assert cluster.docker("config", "ls", "--format", "{{.Name}}").split() == ["last"]
