"""Managers that break without being terminated: power, stop and start, a hung dockerd, a full disk."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sandbox.machines import actions
from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.report import say
from tests.sandbox.agent.telling import metric, said
from tests.sandbox.agent.test_faults import healed, zones
from tests.sandbox.machines.rig import shell, until

pytestmark = [pytest.mark.machines, pytest.mark.faults]

MakeLab = Callable[..., Lab]
SMALL_DISK = """
set -e
systemctl stop docker.socket docker.service
cp -a /var/lib/docker /var/lib/before
mount -t tmpfs -o size=400m,mode=0710 tmpfs /var/lib/docker
cp -a /var/lib/before/. /var/lib/docker
mkdir /var/lib/docker/of-timonel
systemctl stop timonel-agent
cp -a /var/lib/timonel/. /var/lib/docker/of-timonel
mount --bind /var/lib/docker/of-timonel /var/lib/timonel
systemctl start timonel-agent
systemctl start docker.socket docker.service
"""
"""Docker's and the agent's folders on a disk that a test can fill; the real one is the whole machine's."""
FILL = """
dd if=/dev/zero of=/var/lib/docker/fill bs=64k 2>&1 | grep 'No space'
dd if=/dev/zero of=/var/lib/docker/rest bs=1 count=4096 2>/dev/null || true
"""


def test_a_manager_that_breaks_comes_back_as_itself_or_is_replaced(lab: MakeLab) -> None:
    """Faults 3 and 13. Nothing is recovered, nobody is there twice."""
    cluster = lab(managers=3, workers=0)
    cluster.wait_whole(600)
    identities = node_ids(cluster)
    follower, other = sorted(set(cluster.ledger()) - {cluster.status()["leader"]})

    # Auto Scaling would replace a host that is off for long: here it is off for a moment only
    health_checks(cluster, on=False)
    actions.power_cut(cluster.state, follower)
    cluster.wait(lambda: reachability(cluster, follower) == "unreachable", 120)
    told = metrics_of_the_leader(cluster, "timonel_managers_reachable", "timonel_quorum_margin")
    assert told == [2, 0], "one more and the quorum is gone: an alert can say so"
    cluster.docker("config", "create", "without-one", "/etc/hostname")
    began = time.monotonic()
    actions.power_on(cluster.state, follower)
    cluster.wait_whole(180)
    say("3 manager lost power and has it again", time.monotonic() - began)
    assert node_ids(cluster) == identities, "the same identity"

    cluster.ec2.stop_instances(InstanceIds=[other])
    cluster.wait(lambda: other in cluster.instances(states=("stopped",)), 120)
    cluster.wait(lambda: reachability(cluster, other) == "unreachable", 120)
    began = time.monotonic()
    cluster.ec2.start_instances(InstanceIds=[other])
    cluster.wait_whole(180)
    say("3 manager stopped and started", time.monotonic() - began)
    assert node_ids(cluster) == identities, "the same identity"

    leader = cluster.status()["leader"]
    host = cluster.host(leader)
    shell(host, "kill -STOP $(cat /var/run/docker.pid)")
    began = time.monotonic()
    cluster.wait(lambda: cluster.status()["leader"] != leader, 120, lambda: str(cluster.status()))
    say("3 dockerd of the leader hangs: another leads", time.monotonic() - began)
    cluster.wait(lambda: said(cluster, leader, "dockerd", "killed") != [], 240)
    cluster.wait_whole(240)
    say("3 dockerd of the leader hangs: killed and back", time.monotonic() - began)
    assert metric(cluster, leader, "timonel_dockerd_kills") == 1
    assert node_ids(cluster) == identities, "the same identity"

    full = next(i for i in sorted(cluster.ledger()) if i != cluster.status()["leader"])
    host = cluster.host(full)
    shell(host, SMALL_DISK, 120)
    cluster.wait_whole(180)
    assert "No space" in shell(host, FILL)
    host.run("systemctl", "restart", "docker", timeout=120)
    cluster.wait(lambda: said(cluster, full, "metrics", "failed") != [], 60, lambda: cluster.journal(full)[-2000:])
    cluster.docker("config", "create", "beside-a-full-disk", "/etc/hostname")
    seen = []
    for _ in range(30):
        time.sleep(1)
        seen.append(reachability(cluster, full))
    told_at = metric(cluster, full, "timonel_agent_last_pass_timestamp_seconds")
    assert told_at and time.time() - told_at > 25, "its metrics stand still: an alert can say so"
    began = time.monotonic()
    shell(host, "rm /var/lib/docker/fill /var/lib/docker/rest")
    cluster.wait_whole(240)
    say("3 disk of a manager full, then freed", time.monotonic() - began,
        note=f"reachable in {seen.count('reachable')} of {len(seen)} looks while full")  # fmt: skip
    assert node_ids(cluster) == identities, "the same identity"

    health_checks(cluster, on=True)
    leader = cluster.status()["leader"]
    actions.power_cut(cluster.state, leader)
    began = time.monotonic()
    cluster.wait(lambda: cluster.status()["leader"] != leader, 120, lambda: str(cluster.status()))
    until("the metrics say it", lambda: metrics_of_the_leader(cluster, "timonel_managers_reachable") == [2])
    healed(cluster, [leader], 400)
    say("3 leader lost power for good", time.monotonic() - began, "one host by hand",
        f"its hook alone would have taken {Lab.hook_seconds} s")  # fmt: skip
    assert said(cluster, cluster.status()["leader"], "release"), "nobody waited for the dead to answer the hook"
    assert all(n == 1 for n in zones(cluster).values()), "the replacement stands in the right zone"
    assert set(node_ids(cluster).values()) & set(identities.values()) == set(identities.values()) - {identities[leader]}
    assert cluster.record()["epoch"] == 1, "a majority lived throughout: nothing was recovered"
    kept = cluster.docker("config", "ls", "--format", "{{.Name}}").split()
    assert {"without-one", "beside-a-full-disk"} <= set(kept)


# --- looking and doing


def node_ids(cluster: Lab) -> dict[str, str]:
    """Node id by instance; two nodes of one instance would be a duplicate."""
    nodes = cluster.status()["nodes"]
    found = {n["instance_id"]: n["id"] for n in nodes}
    assert len(found) == len(nodes), nodes
    return found


def reachability(cluster: Lab, instance: str) -> str | None:
    """The leader's word on a manager."""
    return next((n["reachability"] for n in cluster.status()["nodes"] if n["instance_id"] == instance), None)


def metrics_of_the_leader(cluster: Lab, *names: str) -> list[float | None]:
    """What the leader tells of the whole cluster."""
    time.sleep(4)  # the file follows status.json by the rest of a pass
    return [metric(cluster, cluster.status()["leader"], name) for name in names]


def health_checks(cluster: Lab, *, on: bool) -> None:
    """Whether Auto Scaling looks at its instances."""
    act = cluster.asg.resume_processes if on else cluster.asg.suspend_processes
    for group in cluster.groups.values():
        act(AutoScalingGroupName=group, ScalingProcesses=["HealthCheck"])
