"""Faults 8 and 9 on booted hosts: workers go one by one, then every node is replaced, and a client counts failures."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sandbox.machines import actions
from tests.sandbox.agent.report import say
from tests.sandbox.agent.served import SERVICE, Client, ServedLab, Watch
from tests.sandbox.agent.telling import Listener
from tests.sandbox.agent.test_faults import healed, zones
from tests.sandbox.machines.rig import Machines

pytestmark = [pytest.mark.machines, pytest.mark.faults, pytest.mark.timeout(3000)]

Serve = Callable[..., ServedLab]


def test_workers_go_and_every_node_is_replaced_while_a_client_is_answered(serve: Serve, booted: Machines) -> None:
    """Faults 8 and 9, in the life of one cluster."""
    booted.control("PUT", "settings", {"warmup": 30})
    cluster = serve(managers=3, workers=3)
    say("1 formed, 3 managers and 3 workers", cluster.wait_whole(600))
    cluster.serve(replicas=2)
    scaled_in(cluster)
    interrupted(cluster)
    replaced(cluster)
    lost_meanwhile(cluster)


def scaled_in(cluster: ServedLab) -> None:
    """The group shrinks: Auto Scaling takes a worker out of the target group, the agents do the rest."""
    before = set(cluster.instances("worker"))
    with Client(cluster) as client, Listener(cluster) as told:
        cluster.asg.update_auto_scaling_group(AutoScalingGroupName=cluster.worker_group, DesiredCapacity=2)
        cluster.wait(lambda: len(cluster.instances("worker", ("pending", "running"))) == 2, 240)
        left = list(before - set(cluster.instances("worker")))
        seconds = healed(cluster, left, 240)
        cluster.wait(lambda: cluster.healthy() == 2, 120, lambda: str(cluster.targets()))
    say("8 a worker scaled in", seconds, note=client.told())
    assert client.failures == [], client.failures
    assert told.heard("drain") and 1 in told.values("timonel_node_leaving"), "13: the leader says whom it drains"
    assert_in_order(cluster)


def interrupted(cluster: ServedLab) -> None:
    """Two minutes' notice: out of the target group, drained, replaced, gone before EC2 takes it."""
    victim = next(i for i, state in sorted(cluster.targets().items()) if state == "healthy")
    began = time.monotonic()
    with Client(cluster) as client, Listener(cluster) as told:
        actions.spot_notice(cluster.state, victim)
        cluster.wait(lambda: victim not in cluster.instances("worker"), 200)
        gone = time.monotonic() - began
        healed(cluster, [victim], 240)
        seconds = time.monotonic() - began
        cluster.wait(lambda: cluster.healthy() == 2, 120, lambda: str(cluster.targets()))
    say("8 a worker interrupted (spot notice)", seconds, note=f"gone after {gone:.0f} s; {client.told()}")
    assert gone < 120, "it left by itself before EC2 would have taken it"
    assert client.failures == [], client.failures
    assert told.heard("mark-leaving") and 1 in told.values("timonel_node_leaving"), "13: it says that it had notice"


def replaced(cluster: ServedLab) -> None:
    """A new launch template for all groups at once, as `pulumi up` does it: nothing of the old remains."""
    old = list(cluster.instances())
    cluster.docker("config", "create", "kept", "/etc/hostname")
    groups = [*cluster.groups.values(), cluster.worker_group]
    began = time.monotonic()
    with Client(cluster) as client, Watch(cluster) as watch, Listener(cluster) as told:
        for group in groups:
            cluster.replace(group)
        cluster.wait(
            lambda: finished(cluster, groups), 900, lambda: f"{cluster.refreshes(groups)} {cluster.why_not_whole()}"
        )
        healed(cluster, old, 240)
        seconds = time.monotonic() - began
        cluster.wait(lambda: cluster.healthy() == 2, 120, lambda: str(cluster.targets()))
    quorum = f"fewest managers reached {watch.fewest}, longest without a leader {watch.silence:.0f} s"
    say("9 rolling update of 3 managers and 2 workers", seconds, note=f"{client.told()}; {quorum}")
    assert not set(old) & set(cluster.instances()), "every node is new"
    assert watch.looks > 20 and watch.lost == [], f"quorum: {watch.lost}"
    assert watch.fewest >= 2 and watch.silence < 45, quorum
    assert cluster.record()["epoch"] == 1, "nothing was recovered"
    assert zones(cluster) == {"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1}
    assert "kept" in cluster.docker("config", "ls", "--format", "{{.Name}}").split()
    assert client.failures == [], client.failures
    assert told.heard("admit") and told.heard("mark-leaving"), "13: each that comes and each that goes is told of"
    assert 1 in told.values("timonel_node_leaving")


def lost_meanwhile(cluster: ServedLab) -> None:
    """Another rolling update, and all managers are terminated at once in the middle of it."""
    old = list(cluster.instances())
    groups = [*cluster.groups.values(), cluster.worker_group]
    with Client(cluster) as client, Listener(cluster) as told:
        for group in groups:
            cluster.replace(group)
        cluster.wait(lambda: len(cluster.ledger()) > 3, 240, lambda: str(cluster.ledger()))
        managers = list(cluster.instances("manager"))
        began = time.monotonic()
        cluster.ec2.terminate_instances(InstanceIds=managers)
        cluster.wait(lambda: finished(cluster, groups), 900, lambda: str(cluster.refreshes(groups)))
        healed(cluster, [*old, *managers], 400)
        seconds = time.monotonic() - began
        cluster.wait(lambda: cluster.healthy() == 2, 120, lambda: str(cluster.targets()))
    say("9 all managers lost during a rolling update, to the update's end", seconds, note=client.told())
    assert cluster.record()["epoch"] == 2, "recovered once"
    assert "kept" in cluster.docker("config", "ls", "--format", "{{.Name}}").split()
    assert told.heard("restore", "restored") and max(told.values("timonel_recovered_timestamp_seconds")) > 0, "13"
    assert max(told.values("timonel_epoch")) == 2, "13: its rise is an alert"
    # Auto Scaling goes on with the workers while the restored swarm may not know yet whom it counts as in service
    assert len(client.failures) < client.count / 10 and client.outage < 60, client.told()


def finished(cluster: ServedLab, groups: list[str]) -> bool:
    """Whether the newest refresh of each group has succeeded; fails the test when one did not."""
    states = cluster.refreshes(groups)
    assert not [s for s in states.values() if s.startswith(("Failed", "Cancelled"))], states
    return all(s.startswith("Successful") for s in states.values())


def assert_in_order(cluster: ServedLab) -> None:
    """No node of a worker that left remains, and the service has what it wants."""
    workers = [n for n in cluster.status()["nodes"] if n["role"] == "worker"]
    assert len(workers) == 2, workers
    assert cluster.running(SERVICE) == 2
