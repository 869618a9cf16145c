"""Further faults on booted hosts, for `make faults`: they cost minutes each."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.report import say
from tests.sandbox.agent.telling import Listener
from tests.sandbox.agent.test_faults import healed, zones

pytestmark = [pytest.mark.machines, pytest.mark.faults]

MakeLab = Callable[..., Lab]


def test_two_of_three_managers_lost_at_once_then_told_to_go_then_not_wanted(lab: MakeLab) -> None:
    """Faults 4, 6 and 10: the survivor forces a new cluster of its own state, and nothing acknowledged is
    lost; then two termination notices; then 3 managers become 1.
    """
    cluster = lab(managers=3, workers=1)
    say("1 formed", cluster.wait_whole(600))
    cluster.docker("service", "create", "-d", "--name", "web", "--replicas", "3", "busybox", "sh", "-c",
                   "echo here; exec sleep 100000")  # fmt: skip
    cluster.wait(lambda: cluster.running("web") == 3, 120, lambda: cluster.docker("service", "ps", "web"))
    streams = cluster.logs.describe_log_streams(logGroupName=cluster.id)["logStreams"]
    assert len(streams) >= 3, "the containers' logs go to CloudWatch"
    cluster.docker("config", "create", "late", "/etc/hostname")
    survivor = sorted(cluster.ledger())[0]
    lost = [i for i in cluster.ledger() if i != survivor]
    cluster.ec2.terminate_instances(InstanceIds=lost)
    say("4 two of three lost", healed(cluster, lost, 900))
    record = cluster.record()
    assert record["epoch"] == 2 and record["holder"] == survivor
    assert "late" in cluster.docker("config", "ls", "--format", "{{.Name}}").split(), "written after the last snapshot"
    cluster.wait(lambda: cluster.running("web") == 3, 120, lambda: cluster.docker("service", "ps", "web"))
    assert all(n == 1 for n in zones(cluster).values())

    pair = sorted(cluster.ledger())[:2]
    with Listener(cluster) as told:
        for instance in pair:
            cluster.asg.terminate_instance_in_auto_scaling_group(
                InstanceId=instance, ShouldDecrementDesiredCapacity=False
            )
        seconds = healed(cluster, pair, 900)
    say("6 two notices at once", seconds)
    assert told.heard("mark-leaving") and 1 in told.values("timonel_node_leaving"), "13: both say that they go"
    assert cluster.record()["epoch"] == 2, "the quorum was never given away"

    for zone in ("us-east-1b", "us-east-1c"):
        cluster.asg.update_auto_scaling_group(AutoScalingGroupName=cluster.groups[zone], MinSize=0, DesiredCapacity=0)
    say("10 three to one", cluster.wait_whole(600))
    assert cluster.record()["epoch"] == 2
    assert "late" in cluster.docker("config", "ls", "--format", "{{.Name}}").split()


def test_a_killed_agent_and_a_restarted_dockerd_change_nothing(lab: MakeLab) -> None:
    """With autolock: dockerd comes back locked, and the agent opens it with the key from the managers' secret."""
    cluster = lab(managers=1, workers=0, autolock=True)
    say("1 formed (autolock)", cluster.wait_whole(400))
    only = cluster.status()["leader"]
    host = cluster.host(only)
    before = host.run("docker", "info", "-f", "{{.Swarm.NodeID}}", timeout=60).stdout
    host.run("systemctl", "kill", "-s", "KILL", "timonel-agent", timeout=60)
    host.run("systemctl", "restart", "docker", timeout=120)
    began = time.monotonic()

    def unlocked() -> bool:
        return bool(
            host.run("docker", "info", "-f", "{{.Swarm.LocalNodeState}}", timeout=60).stdout.strip() == "active"
        )

    cluster.wait(unlocked, 120)
    say("3 unlocked again", time.monotonic() - began)
    assert host.run("docker", "info", "-f", "{{.Swarm.NodeID}}", timeout=60).stdout == before
    assert cluster.record()["epoch"] == 1
