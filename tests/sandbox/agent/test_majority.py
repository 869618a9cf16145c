"""The majority of five managers lost at once: one of the survivors recovers, also when it cannot reach the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sandbox.machines import actions
from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.report import say
from tests.sandbox.agent.telling import metric, said
from tests.sandbox.agent.test_faults import healed, zones

pytestmark = [pytest.mark.machines, pytest.mark.faults]

MakeLab = Callable[..., Lab]


def test_three_of_five_managers_lost_at_once_and_again_with_a_survivor_cut_off(lab: MakeLab) -> None:
    """Fault 4. Two survivors that both force a new cluster would be a split that never converges."""
    cluster = lab(managers=5, workers=1)
    cluster.wait_whole(600)
    cluster.docker("service", "create", "-d", "--name", "web", "--replicas", "2", "--constraint", "node.role==worker",
                   "busybox", "sleep", "100000")  # fmt: skip
    cluster.wait(lambda: cluster.running("web") == 2, 120, lambda: cluster.docker("service", "ps", "web"))
    worker = next(iter(cluster.instances("worker")))
    containers = tasks(cluster, worker)

    lost, survivors = halves(cluster)
    cluster.docker("config", "create", "late", "/etc/hostname")
    cluster.ec2.terminate_instances(InstanceIds=lost)
    say("4 three of five lost", healed(cluster, lost, 600), "one host by hand")
    record = cluster.record()
    assert record["epoch"] == 2 and record["holder"] in survivors
    assert [i for i in survivors if said(cluster, i, "recovered")] == [record["holder"]], "one recoverer"
    leader = cluster.status()["leader"]
    assert metric(cluster, leader, "timonel_epoch") == 2, "its rise is an alert"
    assert (metric(cluster, leader, "timonel_recovered_timestamp_seconds") or 0) > 0
    assert "late" in configs(cluster), "written after the last snapshot"
    assert tasks(cluster, worker) == containers, "the services never noticed"
    assert sorted(zones(cluster).values()) == [1, 2, 2]

    lost, survivors = halves(cluster)
    cut, alone = survivors[0], survivors[1]
    before = next(n["id"] for n in cluster.status()["nodes"] if n["instance_id"] == cut)
    actions.cut_host(cluster.state, cut)
    cluster.ec2.terminate_instances(InstanceIds=lost)

    def waits_for_the_other() -> bool:
        return any(cut in line["why"] for line in said(cluster, alone, "blocked", "blocked"))

    cluster.wait(waits_for_the_other, 400, lambda: cluster.journal(alone)[-3000:])
    assert cluster.record()["phase"] == "recover", "nobody forces a cluster while another may hold the old one"
    actions.heal(cluster.state)
    say("4 three of five lost, a survivor cut off: after its return", healed(cluster, lost, 600), "one host by hand",
        "the recoverer waited for it")  # fmt: skip
    assert cluster.record()["epoch"] == 3 and cluster.record()["holder"] == alone
    assert said(cluster, cut, "leave-force"), "the one that returned gave up its old state"
    assert before not in {n["id"] for n in cluster.status()["nodes"]}, "and joined as another node"
    assert "late" in configs(cluster)
    assert tasks(cluster, worker) == containers, "the services never noticed"


def halves(cluster: Lab) -> tuple[list[str], list[str]]:
    """Three managers, the leader among them, and the two others."""
    leader = cluster.status()["leader"]
    others = sorted(set(cluster.ledger()) - {leader})
    return [leader, *others[:2]], others[2:]


def configs(cluster: Lab) -> list[str]:
    return cluster.docker("config", "ls", "--format", "{{.Name}}").split()


def tasks(cluster: Lab, instance: str) -> set[str]:
    """Containers that run on a host."""
    return set(cluster.host(instance).run("docker", "ps", "-q", "--no-trunc", timeout=60).stdout.split())
