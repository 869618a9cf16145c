"""A whole zone cut off: it heals into one swarm; where it takes the majority with it, a human decides."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sandbox.machines import actions
from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.report import say
from tests.sandbox.agent.telling import metric, said
from tests.sandbox.agent.test_faults import zones
from tests.sandbox.machines.rig import until

pytestmark = [pytest.mark.machines, pytest.mark.faults]

MakeLab = Callable[..., Lab]


def test_a_zone_cut_off_converges_and_a_lost_majority_that_ec2_denies_waits_for_a_human(lab: MakeLab) -> None:
    """Fault 7."""
    cluster = lab(managers=3, workers=1)
    cluster.wait_whole(600)
    nodes = sorted(n["id"] for n in cluster.status()["nodes"])
    old = cluster.status()["leader"]
    zone = cluster.instances()[old]["Placement"]["AvailabilityZone"]

    began = time.monotonic()
    actions.cut_zone(cluster.state, zone, api=True)
    cluster.wait(lambda: cluster.status()["leader"] != old, 120, lambda: str(cluster.status()))
    say("7 the leader's zone cut off: another leads", time.monotonic() - began)
    assert refuses_writes(cluster, old), "the side without majority changes nothing"
    cluster.docker("config", "create", "meanwhile", "/etc/hostname")
    until("its metrics say so", lambda: metric(cluster, old, "timonel_has_leader") == 0, 120, 1)
    assert said(cluster, old, "wait", "away"), "it says that AWS does not answer"
    began = time.monotonic()
    actions.heal(cluster.state)
    cluster.wait_whole(240)
    until("one leader for everybody", lambda: {leader(cluster, i) for i in cluster.ledger()} == {leader(cluster, old)})
    say("7 zone healed: one leader for everybody", time.monotonic() - began)
    assert sorted(n["id"] for n in cluster.status()["nodes"]) == nodes, "everybody is who they were"
    assert cluster.record()["epoch"] == 1, "nothing was lost, so nothing was recovered"

    survivor = cluster.status()["leader"]
    dead = sorted(set(cluster.ledger()) - {survivor})
    for instance in dead:
        actions.cut_zone(cluster.state, cluster.instances()[instance]["Placement"]["AvailabilityZone"], api=True)
    fence = ["timonel-node", "recover", "--yes", "--fence", *dead]
    early = cluster.host(survivor).run(*fence, timeout=60)
    assert early.returncode == 1 and "nothing to fence" in early.stderr, "the leader spoke a moment ago"
    cluster.wait(lambda: bool(said(cluster, survivor, "blocked", "blocked")), 240, lambda: cluster.journal(survivor))
    line = said(cluster, survivor, "blocked", "blocked")[-1]
    assert line["level"] == "alert" and "a minority never fences" in line["why"]
    until("the alert is in the metrics", lambda: metric(cluster, survivor, "timonel_recovery_blocked") == 1, 60, 1)
    assert set(dead) <= set(cluster.instances()), "EC2 calls them running"
    time.sleep(40)
    assert cluster.record()["epoch"] == 1, "without a human nothing is recovered"
    began = time.monotonic()
    done = cluster.host(survivor).run(*fence, timeout=60)
    assert done.returncode == 0, done.stderr
    cluster.wait(lambda: (cluster.record()["epoch"], cluster.record()["phase"]) == (2, "live"), 300,
                 lambda: cluster.journal(survivor)[-3000:])  # fmt: skip
    say("7 dead zones fenced by hand: a leader again", time.monotonic() - began)
    actions.heal(cluster.state)
    cluster.wait_whole(300)
    say("7 dead zones fenced by hand: three managers again", time.monotonic() - began, "one host by hand")
    assert cluster.record()["holder"] == survivor
    assert all(n == 1 for n in zones(cluster).values())
    assert "meanwhile" in cluster.docker("config", "ls", "--format", "{{.Name}}").split()
    until("the alert is over", lambda: metric(cluster, survivor, "timonel_recovery_blocked") == 0)


def refuses_writes(cluster: Lab, instance: str) -> bool:
    """Whether a manager refuses to change the swarm."""
    return (
        cluster.host(instance).run("docker", "config", "create", "split", "/etc/hostname", timeout=90).returncode != 0
    )


def leader(cluster: Lab, instance: str) -> str:
    """Who leads, in the eyes of one manager."""
    rows = cluster.host(instance).run("docker", "node", "ls", "--format", "{{.ManagerStatus}} {{.ID}}", timeout=60)
    return " ".join(line for line in rows.stdout.splitlines() if line.startswith("Leader"))
