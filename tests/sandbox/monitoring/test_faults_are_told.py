"""Three managers, two Prometheus, three Alertmanagers: who is told of which fault when, and of its end; what is left of
alerts and history when the node dies that they run on.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from components.monitoring.catalogue import load
from node_agent.manager import QUIET
from sandbox.machines import actions
from tests.sandbox.machines.rig import shell, until
from tests.sandbox.monitoring.outside import HOOK, PASSWORD, STORE, USER, Outside, outside
from tests.sandbox.monitoring.watched import Watched, watched

pytestmark = [pytest.mark.machines, pytest.mark.faults]

SCRAPE = EVALUATION = 15
SCRAPE_TIMEOUT = 10
GROUP_WAIT, GROUP_INTERVAL = 10, 60
"""MonitoringStack's defaults, seconds."""
ADMITTED = 1.5
"""Times the sum of the configured intervals, until somebody is told."""
HOLDS = {alert.name: int(alert.hold[:-1]) * {"s": 1, "m": 60}[alert.hold[-1]] for alert in load().alerts
         if alert.hold[-1] in "sm"}  # fmt: skip


@dataclass
class Cluster:
    """The stack and what is outside of it."""

    stack: Watched
    outside: Outside

    def targets(self) -> list[dict[str, Any]]:
        """Prometheus' targets; none while no Prometheus can be reached."""
        try:
            return self.stack.targets()
        except AssertionError:
            return []

    def all_up(self, **wanted: int) -> bool:
        """Whether so many targets of each job are there, and up."""
        found = self.targets()
        count = {job: sum(1 for t in found if t["labels"]["job"] == job) for job in wanted}
        return count == wanted and all(t["health"] == "up" for t in found)

    def told(self, alert: str, began: float, further: float = 0.0, **labels: str) -> None:
        """Wait until the webhook is told that an alert fires. `further`: seconds of further intervals."""
        self._heard(alert, "firing", began, further + SCRAPE + EVALUATION + HOLDS[alert] + GROUP_WAIT, labels)

    def healed(self, alert: str, ended: float, further: float = 0.0, **labels: str) -> None:
        """Wait until the webhook is told that it ended."""
        self._heard(alert, "resolved", ended, further + SCRAPE + EVALUATION + GROUP_INTERVAL, labels)

    def _heard(self, alert: str, status: str, since: float, intervals: float, labels: dict[str, str]) -> None:
        def heard() -> Any:
            return [
                told
                for told in self.outside.told(alert, status)
                if told.at >= since and labels.items() <= told.labels.items()
            ]

        first = until(f"{alert} {status}", heard, 3 * intervals, 0.5)[0]
        seconds = float(first.at - since)
        print(
            f"MONITORING {alert} {status}: {seconds:.0f} s; the intervals sum to {intervals:.0f} s "
            f"({seconds / intervals:.2f})",
            flush=True,
        )
        assert seconds <= ADMITTED * intervals, f"{alert} {status} took more than {ADMITTED} times its intervals"


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("faults")
    with watched(folder) as stack:
        stack.edit(lambda config: config["timonel:cluster"]["managers"].update(count=3))
        stack.workers(2)
        configure(stack, replicas=2, alertmanagers=3)
        start = time.monotonic()
        stack.stack.up().ok()
        print(f"MONITORING up of three managers: {time.monotonic() - start:.0f} s", flush=True)
        with outside(stack, folder / "store") as found:
            yield Cluster(stack, found)


def configure(stack: Watched, **settings: int) -> None:
    """The stack's monitoring, all of whose receivers are outside."""
    stack.configure(
        receivers=[{"kind": "webhook", "secret": "ops"}], deadMansSwitch="switch",
        remoteWrite={"url": f"{STORE}/api/v1/write", "username": USER, "secret": "store"},
        secrets={"ops": f"{HOOK}/ops", "switch": f"{HOOK}/switch", "store": PASSWORD}, **settings,
    )  # fmt: skip


def node(instance: dict[str, Any]) -> str:
    """An instance's name in the swarm."""
    return f"ip-{instance['PrivateIpAddress'].replace('.', '-')}"


def homes(stack: Watched, service: str) -> list[str]:
    """The nodes that a service runs on."""
    listed = f"docker service ps monitoring-{service} --filter desired-state=running --format '{{{{.Node}}}}'"
    return stack.on_manager(listed).split()


def starve(stack: Watched, service: str) -> None:
    """Make a service whose task no node can take."""
    stack.on_manager(
        f"docker service create --detach --name {service} --constraint node.labels.{service}==yes busybox sleep 9999"
    )


def cut_power(stack: Watched, name: str) -> float:
    """Take a manager's power away for good; when."""
    [instance] = [one for one in stack.instances("manager") if node(one) == name]
    actions.power_cut(stack.machines.folder, instance["InstanceId"])
    return time.time()


def test_every_replica_is_found_and_the_alertmanagers_know_each_other(cluster: Cluster) -> None:
    everything = {"node": 5, "cadvisor": 5, "dockerd": 5, "prometheus": 2, "alertmanager": 3}
    until("every target is up", lambda: cluster.all_up(**everything), 180, 2)

    def members() -> list[str]:
        [found] = cluster.stack.query("alertmanager_cluster_members")
        return sorted(one["value"][1] for one in found)

    until("each Alertmanager has two peers", lambda: members() == ["3", "3", "3"], 90, 2)


def test_samples_arrive_at_the_outside_store_with_its_password(cluster: Cluster) -> None:
    query = 'count by (replica) (up{job="node", cluster="monitored"})'
    until("both replicas have written", lambda: len(cluster.outside.stored(query)) == 2, 120, 2)


@dataclass
class Disk:
    """A small file system on a host, two thirds full, and somebody who writes to it."""

    host: Any

    def fill(self, image: Any) -> None:
        """Mount it and begin to write."""
        image.write_bytes(b"")
        run("truncate", "--size=64M", str(image))
        run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        device = run("losetup", "--find", "--show", str(image)).strip()
        number = device.removeprefix("/dev/loop")
        try:
            inside = f"mknod {device} b 7 {number}; mkdir -p /srv/data && mount {device} /srv/data"
            run("nsenter", f"--target={self.host.leader().pid}", "--mount", "sh", "-c", inside)
        finally:
            run("losetup", "--detach", device)  # it goes when it is unmounted, or with the host
        writer = "while sleep 5; do dd if=/dev/zero bs=64k count=1 status=none >>/srv/data/fill; done"
        shell(self.host, "dd if=/dev/zero of=/srv/data/fill bs=1M count=42 status=none")
        shell(self.host, f"systemd-run --unit=filler sh -c '{writer}'")

    def empty(self) -> None:
        """Stop writing and give the space back."""
        shell(self.host, "systemctl stop filler && rm /srv/data/fill")


def run(*command: str) -> str:
    """A command on this machine."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_three_faults_are_told_in_time_and_so_is_their_end(cluster: Cluster, tmp_path: Any) -> None:
    if not (shutil.which("mkfs.ext4") and shutil.which("losetup")):
        pytest.skip("no mkfs.ext4 or losetup on this machine")
    stack = cluster.stack
    manager, *_ = stack.instances("manager")
    worker, *_ = stack.instances("worker")
    disk = Disk(stack.machines.host(manager["InstanceId"]))

    disk.fill(tmp_path / "disk")
    filling = time.time()
    starve(stack, "shop")
    starved = time.time()
    # The sandbox's EC2 sees a dead host at once, AWS' after minutes: without this the group takes the node out first.
    scaling = stack.machines.client("autoscaling")
    group = next(tag["Value"] for tag in worker["Tags"] if tag["Key"] == "aws:autoscaling:groupName")
    scaling.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["HealthCheck"])
    actions.power_cut(stack.machines.folder, worker["InstanceId"])
    died = time.time()

    cluster.told("NodeDown", died, further=SCRAPE_TIMEOUT, node=node(worker))
    actions.power_on(stack.machines.folder, worker["InstanceId"])
    powered = time.time()
    cluster.told("ServiceBelowReplicas", starved, further=QUIET, service="shop")
    full = {"node": node(manager), "mountpoint": "/srv/data"}
    cluster.told("DiskWillFill", filling, **full)

    # A host boots for about as long as an interval; its end is counted from the power's return all the same.
    cluster.healed("NodeDown", powered, further=2 * QUIET, node=node(worker))
    scaling.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["HealthCheck"])
    disk.empty()
    emptied = time.time()
    stack.on_manager(f"docker node update --label-add shop=yes {node(manager)}")
    fed = time.time()
    cluster.healed("DiskWillFill", emptied, **full)
    cluster.healed("ServiceBelowReplicas", fed, further=QUIET, service="shop")


def test_no_message_comes_twice_though_there_are_two_prometheus_and_three_alertmanagers(cluster: Cluster) -> None:
    groups: dict[str, list[float]] = {}
    for call in cluster.outside.calls("/ops"):
        groups.setdefault(call.body["groupKey"], []).append(call.at)
    assert len(groups) >= 3
    for group, times in groups.items():
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert min(pauses, default=GROUP_INTERVAL) > GROUP_INTERVAL / 2, f"{group}: the same from a second Alertmanager"


def test_a_dead_manager_takes_a_prometheus_with_it_and_no_alert_is_lost(cluster: Cluster) -> None:
    stack, told = cluster.stack, cluster.outside.told
    starve(stack, "stuck")
    cluster.told("ServiceBelowReplicas", time.time(), further=QUIET, service="stuck")
    leader = stack.on_manager("docker node ls --format '{{.Hostname}} {{.ManagerStatus}}' | grep Leader").split()[0]
    died = cut_power(stack, next(home for home in homes(stack, "prometheus") if home != leader))
    cluster.told("QuorumAtRisk", died, further=QUIET)

    def whole() -> bool:
        return cluster.all_up(node=5, cadvisor=5, dockerd=5, prometheus=2, alertmanager=3)

    until("everything is back by itself", whole, 600, 2)
    print(f"MONITORING two Prometheus and three Alertmanagers again: {time.time() - died:.0f} s", flush=True)
    [end, *_] = until("its end is told", lambda: [m for m in told("QuorumAtRisk", "resolved") if m.at > died], 300, 1)
    print(f"MONITORING QuorumAtRisk resolved by the agents: {end.at - died:.0f} s after the death", flush=True)

    lasting = [m for m in told("ServiceBelowReplicas", "resolved") if m.labels["service"] == "stuck"]
    assert not lasting, "it still lasts, and nobody was told that it ended"
    [held] = stack.query('ALERTS{alertname="ServiceBelowReplicas", alertstate="firing", service="stuck"}')
    assert held, "a Prometheus still holds it"
    [ages] = stack.query('prometheus_tsdb_lowest_timestamp_seconds{job="prometheus"}')
    # What the second one has depends on whether one has run on its manager before.
    assert min(float(one["value"][1]) for one in ages) < died - 60, "the other replica kept its history"
    gap = longest_gap(cluster.outside, 'prometheus_tsdb_head_samples_appended_total{job="prometheus"}', died)
    print(f"MONITORING longest gap of the outside store over the manager's death: {gap:.0f} s", flush=True)
    assert gap <= 2 * SCRAPE, "the other replica went on writing"

    stack.on_manager("docker service rm stuck")
    cluster.healed("ServiceBelowReplicas", time.time(), further=QUIET, service="stuck")


def longest_gap(found: Outside, metric: str, since: float) -> float:
    """Longest time without a sample of any replica, from a minute before until now."""
    window = int(time.time() - since) + 60
    stamps = sorted(float(at) for one in found.stored(f"{metric}[{window}s]") for at, _ in one["values"])
    return max(later - earlier for earlier, later in itertools.pairwise(stamps))


def test_the_switch_is_called_every_minute_until_prometheus_ends(cluster: Cluster) -> None:
    calls = cluster.outside.calls("/switch")
    assert {alert["labels"]["alertname"] for call in calls for alert in call.body["alerts"]} == {"Watchdog"}
    pauses = [later.at - earlier.at for earlier, later in itertools.pairwise(calls)]
    print(f"MONITORING calls of the switch: {len(calls)}, the longest pause {max(pauses):.0f} s", flush=True)
    assert max(pauses) <= ADMITTED * 60, "a manager died meanwhile, and the outside service was called all the same"

    cluster.stack.on_manager("docker service scale --detach monitoring-prometheus=0")
    ended = time.time()

    def silent() -> bool:
        return time.time() - cluster.outside.calls("/switch")[-1].at > 2 * (60 + 30)

    until("the calls end", silent, 600, 5)
    last = cluster.outside.calls("/switch")[-1].at - ended
    print(f"MONITORING last call of the switch: {last:.0f} s after Prometheus' end", flush=True)
    assert last <= 4 * 60 + 60 + 30, "Prometheus gives each alert four minutes, the switch's route one and a half"


def test_the_only_prometheus_and_the_only_alertmanager_come_back_elsewhere_with_what_fires(cluster: Cluster) -> None:
    stack = cluster.stack
    configure(stack)
    stack.stack.up().ok()
    until("both are there", lambda: cluster.all_up(node=5, cadvisor=5, dockerd=5, prometheus=1, alertmanager=1), 240, 2)
    starve(stack, "lone")
    cluster.told("ServiceBelowReplicas", time.time(), further=QUIET, service="lone")
    [home] = homes(stack, "prometheus")
    both = homes(stack, "alertmanager") == [home]
    died = cut_power(stack, home)

    def fires() -> bool:
        url = f"{stack.outputs['prometheusUrl']}/api/v1/query"
        query = 'ALERTS{alertname="ServiceBelowReplicas", alertstate="firing", service="lone"}'
        [(status, answer)] = stack.ask([(url, query)])
        return bool(status == 200 and answer["data"]["result"])

    url = f"{stack.outputs['prometheusUrl']}/api/v1/status/buildinfo"
    until("it does not answer", lambda: stack.ask([(url, "")])[0][0] != 200, 60, 1)
    until("Prometheus is ready", lambda: stack.ask([(url, "")])[0][0] == 200, 300, 1)
    where = "with the only Alertmanager" if both else "without Alertmanager"
    print(f"MONITORING the only Prometheus, {where}, is on another manager: {time.time() - died:.0f} s", flush=True)
    until("the alert fires again", fires, 400, 2)
    print(f"MONITORING what fired fires there: {time.time() - died:.0f} s", flush=True)
    again = [m.at - died for m in cluster.outside.told("ServiceBelowReplicas", "firing")
             if m.labels["service"] == "lone" and m.at > died]  # fmt: skip
    ended = [m.at - died for m in cluster.outside.told("ServiceBelowReplicas", "resolved")
             if m.labels["service"] == "lone" and m.at > died]  # fmt: skip
    print(f"MONITORING told of meanwhile: firing after {again} s, resolved after {ended} s", flush=True)
    assert not ended or any(at > ended[-1] for at in again), "somebody believes that it ended"
    stack.on_manager("docker service rm lone")
    cluster.healed("ServiceBelowReplicas", time.time(), further=QUIET, service="lone")
