"""Fault 10 on booted hosts: sizes that change live, tokens that rotate meanwhile, an AWS that throttles, is away, lies.

In the life of one cluster. Nothing that was not lost is recovered: the epoch tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest

from node_agent.records import RECORD
from tests.sandbox.agent.lab import ZONES, Lab
from tests.sandbox.agent.report import say
from tests.sandbox.agent.served import Watch
from tests.sandbox.agent.telling import Listener
from tests.sandbox.agent.test_faults import healed
from tests.sandbox.machines.rig import Machines

pytestmark = [pytest.mark.machines, pytest.mark.faults, pytest.mark.timeout(3000)]

NODES = [":assumed-role/"]
"""Faults of the API that the nodes meet, and nobody else."""
SPREAD = {1: (1, 0, 0), 3: (1, 1, 1), 5: (2, 2, 1)}
"""Number of managers -> sizes of the zones' groups, as the component spreads them."""
THROTTLED = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
AWAY = 120.0
"""Seconds that S3 is away."""


def test_sizes_change_live_and_a_bad_aws_makes_nothing_be_recovered(lab: Callable[..., Lab], booted: Machines) -> None:
    def faults(**chosen: object) -> None:
        booted.control("PUT", "faults", chosen | {"callers": NODES} if chosen else {})

    faults(throttle=0.3)
    cluster = lab(managers=1, workers=1)
    say("10 boot of 1 manager and 1 worker, 30 % of AWS's answers are throttling", cluster.wait_whole(400))
    cluster.docker("config", "create", "kept", "/etc/hostname")
    resized(cluster, 3, "the same throttling")
    met = [c["error"] for c in booted.calls() if cluster.id in c["caller"] and c["error"] in THROTTLED]
    assert len(met) > 50, f"the nodes met it: {met}"
    faults()
    containers_log(cluster)

    resized(cluster, 5, "both tokens rotated while nodes join", rotate)
    s3_away(cluster, faults)
    resized(cluster, 3)
    assert cluster.record()["epoch"] == 1, "so far nothing was lost, and nothing was recovered"

    faults(empty=0.3, stale=15, services=["ec2", "autoscaling"])
    survivor = cluster.status()["leader"]
    lost = [i for i in cluster.ledger() if i != survivor]
    cluster.ec2.terminate_instances(InstanceIds=lost)
    note = "EC2 and Auto Scaling answer as of 15 s ago, and 3 of 10 answers are empty"
    with Listener(cluster) as told:
        seconds = healed(cluster, lost, 600)
    say("10 two of three managers lost", seconds, note=note)
    faults()
    record = cluster.record()
    assert (record["epoch"], record["recovered"]["by"]) == (2, survivor), "recovered once, by the one that was left"
    assert told.heard("recovered") and max(told.values("timonel_epoch")) == 2, "13: who recovered says so"

    resized(cluster, 1)
    assert cluster.record()["epoch"] == 2
    assert "kept" in cluster.docker("config", "ls", "--format", "{{.Name}}").split()


def resized(cluster: Lab, size: int, note: str = "", meanwhile: Callable[[Lab], None] | None = None) -> None:
    """Change the groups' sizes as the stack does, and wait until the cluster is whole; the quorum is watched."""
    before = len(cluster.ledger())
    watched = Watch(cluster) if min(before, size) > 1 else nullcontext()
    with watched as watch, Listener(cluster) as told:
        for zone, wanted in zip(ZONES, SPREAD[size], strict=True):
            cluster.asg.update_auto_scaling_group(AutoScalingGroupName=cluster.groups[zone], DesiredCapacity=wanted)
        if meanwhile:
            began = time.monotonic()
            meanwhile(cluster)
            seconds = time.monotonic() - began + cluster.wait_whole(600)
        else:
            seconds = cluster.wait_whole(600)
    if watch:
        assert watch.looks > 5 and watch.lost == [] and watch.silence < 45, f"quorum: {watch.lost}, {watch.silence}"
    say(f"10 managers {before} to {size}", seconds, note=note)
    if size > before:
        assert told.heard("admit"), "13: the leader says whom it lets in"
    else:
        assert told.heard("lift-protection") and 1 in told.values("timonel_node_leaving"), "13: and who shall go"
    assert {before, size} <= told.values("timonel_managers") and size in told.values("timonel_managers_wanted")


def containers_log(cluster: Lab) -> None:
    """dockerd of every node sends its containers' logs to CloudWatch, with the node's role."""
    nodes = len(cluster.instances())
    talk = "trap 'exit 0' TERM; echo here; while :; do sleep 1; done"
    cluster.docker("service", "create", "-d", "--name", "talk", "--mode", "global", "busybox", "sh", "-c", talk)

    def told() -> int:
        streams = cluster.logs.describe_log_streams(logGroupName=cluster.id)["logStreams"]
        names = [s["logStreamName"] for s in streams]
        pages = (cluster.logs.get_log_events(logGroupName=cluster.id, logStreamName=name) for name in names)
        return sum(any(e["message"] == "here" for e in page["events"]) for page in pages)

    cluster.wait(lambda: told() == nodes, 90, lambda: f"{told()} of {nodes} containers' logs")
    cluster.docker("service", "rm", "talk")


def rotate(cluster: Lab) -> None:
    """Both tokens, as soon as the first of the new managers joins; a worker comes at the same time."""
    cluster.asg.update_auto_scaling_group(AutoScalingGroupName=cluster.worker_group, DesiredCapacity=2)
    cluster.wait(lambda: any(e["state"] in {"waiting", "joining"} for e in cluster.ledger().values()), 120)
    told = {role: cluster.docker("swarm", "join-token", "-q", role) for role in ("manager", "worker")}
    for role, old in told.items():
        assert cluster.docker("swarm", "join-token", "--rotate", "-q", role) != old


def s3_away(cluster: Lab, faults: Callable[..., None]) -> None:
    """Nothing changes while the state is out of reach, and nothing has to be healed when it is back."""

    def versions() -> list[str]:
        found = cluster.s3.list_object_versions(Bucket=cluster.id, Prefix=RECORD)["Versions"]
        return [v["VersionId"] for v in found]

    before, ids = versions(), sorted(cluster.instances())
    with outage(faults), Watch(cluster) as watch, Listener(cluster) as told:
        time.sleep(AWAY)
    seconds = cluster.wait_whole(240)
    note = f"away for {AWAY:.0f} s; nobody lost, nothing recovered, the record unchanged"
    say("10 S3 away, whole again after its return", seconds, note=note)
    assert watch.lost == [] and watch.silence < 45, "the swarm lives without S3"
    assert versions() == before and sorted(cluster.instances()) == ids
    assert "away" in told.outcomes() and max(told.values("timonel_aws_unanswered_passes")) > 1, "13: S3 is missed"


@contextmanager
def outage(faults: Callable[..., None]) -> Iterator[None]:
    """S3 answers every call of a node with 503."""
    faults(outage=["s3"])
    try:
        yield
    finally:
        faults()
