"""Fault 6 on booted hosts: whoever makes the swarm dies at each step, is paused and wakes up too late; a joiner dies.

A slow S3 holds the answer of a write back after it took effect, which makes each step last long enough to be hit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from node_agent.records import LEDGER
from sandbox.machines import actions
from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.report import say
from tests.sandbox.agent.telling import Listener
from tests.sandbox.agent.test_faults import healed, zones
from tests.sandbox.machines.rig import Machines

pytestmark = [pytest.mark.machines, pytest.mark.faults, pytest.mark.timeout(3000)]

SLOW = 5.0
"""Seconds that S3 holds an answer back: less than the agent's read time-out."""


def test_one_swarm_comes_of_it_whoever_dies_or_sleeps_while_it_is_made(
    lab: Callable[..., Lab], booted: Machines
) -> None:
    def slow(instance: str = "i-", *operations: str) -> None:
        chosen = {"delay": SLOW, "actions": list(operations), "callers": [f":assumed-role/.*/{instance}"]}
        booted.control("PUT", "faults", chosen if operations else {})

    slow("i-", "PutObject")
    cluster = lab(managers=3, workers=0)
    began = time.monotonic()
    with Listener(cluster) as told:
        dead, sleeper, record = makers_die_and_one_sleeps(cluster, slow)
    took = time.monotonic() - began
    say("6 winner killed before init, after init, before publishing; a paused one wakes up too late", took)
    assert record["holder"] != sleeper and record["swarm_id"], record
    assert cluster.record()["swarm_id"] == record["swarm_id"] and cluster.record()["epoch"] == 5, "one swarm, one epoch"
    assert not dead & set(cluster.ledger())
    assert told.heard("claim-init") and 0 in told.values("timonel_record_live"), "13: who makes it anew says so"
    swarms = {cluster.host(i).run("docker", "info", "-f", "{{.Swarm.Cluster.ID}}").stdout for i in cluster.instances()}
    assert swarms == {record["swarm_id"] + "\n"}, "every manager is in the one swarm"

    a_joiner_dies(cluster, slow)


def makers_die_and_one_sleeps(cluster: Lab, slow: Callable[..., None]) -> tuple[set[str], str, dict[str, Any]]:
    """Three makers die and one is paused until another has made the swarm: the dead, the sleeper, the record then."""
    first = winner(cluster, 1)
    assert not made_a_swarm(cluster, first)
    killed(cluster, first)

    second = winner(cluster, 2)
    slow(second, "GetObject")
    cluster.wait(lambda: made_a_swarm(cluster, second), 120)
    assert entry(cluster, second).get("state") != "member", "it has told nobody yet"
    killed(cluster, second)
    slow("i-", "PutObject")

    third = winner(cluster, 3)
    cluster.wait(lambda: entry(cluster, third).get("state") == "member", 120)
    assert made_a_swarm(cluster, third) and published(cluster) == {}, "its tokens are not published yet"
    killed(cluster, third)

    sleeper = winner(cluster, 4)
    slow(sleeper, "GetObject")
    marked = "grep -q '\"epoch\": 4' /var/lib/timonel/node.json"  # written right before the last look at the record
    cluster.wait(lambda: cluster.host(sleeper).run("sh", "-c", marked, timeout=30).returncode == 0, 120)
    actions.freeze(cluster.state, sleeper)
    assert not made_a_swarm(cluster, sleeper), "it was paused between its last look and what cannot be taken back"
    slow()
    fenced(cluster, sleeper)
    cluster.wait(lambda: live(cluster, 5), 240, lambda: str(cluster.record()))
    record = cluster.record()
    actions.thaw(cluster.state, sleeper)
    cluster.wait_whole(400)
    return {first, second, third}, sleeper, record


def a_joiner_dies(cluster: Lab, slow: Callable[..., None]) -> None:
    """A follower is lost, and its replacement in the middle of its join."""
    swarm = cluster.record()["swarm_id"]
    lost = next(i for i in sorted(cluster.ledger()) if i != cluster.status()["leader"])
    with Listener(cluster) as told:
        seconds = a_follower_and_its_replacement_die(cluster, lost, slow)
    say("6 a replacement dies while joining", seconds)
    assert told.heard("remove") and told.heard("drop"), "13: the leader says whom it took out"
    assert 0 in told.values("timonel_quorum_margin"), "13: meanwhile none of the others may fail"
    assert (cluster.record()["epoch"], cluster.record()["swarm_id"]) == (5, swarm), "nothing was recovered"
    assert zones(cluster) == {"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1}


def a_follower_and_its_replacement_die(cluster: Lab, lost: str, slow: Callable[..., None]) -> float:
    """Seconds until the cluster is whole again."""
    cluster.ec2.terminate_instances(InstanceIds=[lost])
    began = time.monotonic()
    slow("i-", "PutObject")

    def joining() -> list[str]:
        return [i for i, e in cluster.ledger().items() if e["state"] == "joining"]

    cluster.wait(lambda: bool(joining()), 240, lambda: str(cluster.ledger()))
    [replacement] = joining()
    killed(cluster, replacement)
    slow()
    healed(cluster, [lost, replacement], 400)
    return time.monotonic() - began


def winner(cluster: Lab, epoch: int) -> str:
    """Wait for a record of this epoch that says `init`; who holds it."""
    cluster.wait(lambda: cluster.record().get("epoch") == epoch, 240, lambda: str(cluster.record()))
    record = cluster.record()
    assert record["phase"] == "init", record
    return str(record["holder"])


def killed(cluster: Lab, instance: str) -> None:
    """At once, as by a hypervisor that fails; EC2 notices."""
    actions.power_cut(cluster.state, instance)
    cluster.ec2.terminate_instances(InstanceIds=[instance])


def made_a_swarm(cluster: Lab, instance: str) -> bool:
    """Whether dockerd has written the state of a swarm on this host's disk."""
    return (actions.host(cluster.state, instance).folder / "docker" / "swarm" / "docker-state.json").exists()


def entry(cluster: Lab, instance: str) -> dict[str, Any]:
    return cluster.ledger().get(instance, {})


def published(cluster: Lab) -> dict[str, Any]:
    """The workers' secret; empty before its first value."""
    try:
        told = cluster.secrets.get_secret_value(SecretId=cluster.arns["workers"])
    except cluster.secrets.exceptions.ResourceNotFoundException:
        return {}
    found: dict[str, Any] = json.loads(told["SecretString"])
    return found


def live(cluster: Lab, epoch: int) -> bool:
    return (cluster.record().get("epoch"), cluster.record().get("phase")) == (epoch, "live")


def fenced(cluster: Lab, instance: str) -> None:
    """What `recover --fence` writes, without EC2's part: the only way to take over from one that EC2 calls running."""
    found = entry(cluster, instance)
    assert found, "a holder that has enrolled"
    body = json.dumps({**found, "fenced": True})
    cluster.s3.put_object(Bucket=cluster.id, Key=f"{LEDGER}{instance}.json", Body=body.encode())
