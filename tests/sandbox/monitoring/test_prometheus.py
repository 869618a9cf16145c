"""Prometheus on a booted swarm: what `up` ends with, what changes leave alone, who is told, what `destroy` leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from components.monitoring import grafana
from components.monitoring.catalogue import Parameters, datadog_monitors, load
from components.monitoring.dashboards import DATASOURCE_UID, dashboards, panel_queries
from sandbox.machines import actions
from tests.sandbox.machines.rig import until
from tests.sandbox.monitoring.watched import Watched, watched

pytestmark = pytest.mark.machines

SCRAPE = 15
GROUP_WAIT = 10
ADMITTED = 1.5
"""Times the sum of the configured intervals, until somebody is told."""


@pytest.fixture(scope="module", name="stack")
def _stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("monitoring")) as found:
        start = time.monotonic()
        found.stack.up().ok()
        print(f"MONITORING up: {time.monotonic() - start:.0f} s", flush=True)
        yield found


def test_up_ends_with_every_target_up_and_every_panel_showing_data(stack: Watched) -> None:
    url = f"{stack.outputs['prometheusUrl']}/api/v1/status/buildinfo"
    until("Prometheus is ready", lambda: stack.ask([(url, "")])[0][0] == 200, 60)
    wanted = {"node": 2, "cadvisor": 2, "dockerd": 2, "prometheus": 1, "alertmanager": 1}

    def all_up() -> bool:
        found = stack.targets()
        jobs = {job: sum(1 for t in found if t["labels"]["job"] == job) for job in wanted}
        return jobs == wanted and all(t["health"] == "up" for t in found)

    start = time.monotonic()
    until("every target is up", all_up, 120, 2)
    print(f"MONITORING every target up: {time.monotonic() - start:.0f} s after up", flush=True)
    panels = panel_queries()

    def empty() -> list[str]:
        found = stack.query(*(panel.expr for panel in panels))
        return [f"{p.dashboard}/{p.panel}: {p.expr}" for p, result in zip(panels, found, strict=True) if not result]

    assert len(panels) > 40
    until("every panel shows data", lambda: not empty(), 90, 5)


def test_nobody_gets_in_without_the_password(stack: Watched) -> None:
    pages = [f"{stack.outputs[name]}/metrics" for name in ("prometheusUrl", "alertmanagerUrl")]
    pages.append(f"{stack.outputs['grafanaUrl']}/api/search")
    assert [status for status, _ in stack.ask([(page, "") for page in pages], user="")] == [401, 401, 401]


def test_grafana_has_the_dashboards_and_each_panel_s_query_gives_data_through_it(stack: Watched) -> None:
    url = stack.outputs["grafanaUrl"]
    [(status, found)] = stack.ask([(f"{url}/api/search", "")])
    assert status == 200
    assert {hit["uid"] for hit in found} == {json.loads(text)["uid"] for text in dashboards().values()}
    answers = stack.ask([(f"{url}/api/dashboards/uid/{hit['uid']}", "") for hit in found])
    targets = [target for _, told in answers for panel in told["dashboard"]["panels"] for target in panel["targets"]]
    assert len(targets) == len(panel_queries())
    query = f"{url}/api/datasources/proxy/uid/{DATASOURCE_UID}/api/v1/query"

    def empty() -> list[str]:
        given = stack.ask([(query, target["expr"]) for target in targets])
        results = [told["data"]["result"] if status == 200 else [] for status, told in given]
        return [target["expr"] for target, result in zip(targets, results, strict=True) if not result]

    until("every panel shows data", lambda: not empty(), 90, 5)


def test_the_password_is_readable_in_no_service_config_log_or_state(stack: Watched) -> None:
    told = stack.on_manager(
        "docker service inspect $(docker service ls -q); docker config inspect $(docker config ls -q); "
        "docker secret inspect $(docker secret ls -q); "
        "for one in $(docker service ls -q); do docker service logs $one 2>&1; done; docker inspect $(docker ps -q)"
    )
    assert grafana.PASSWORD_FILE in told, "the service has it by a secret"
    assert "stand-in for Grafana" in told, "its log is among these"
    for text in (told, json.dumps(stack.stack.export())):
        assert stack.outputs["monitoringPassword"] not in text


def test_a_second_preview_and_that_of_more_workers_show_monitoring_unchanged(stack: Watched) -> None:
    assert stack.stack.preview("--expect-no-changes").ok().changed == {}
    stack.workers(2)
    found = stack.stack.preview().ok()
    assert found.changed, "more workers are a change"
    for kind in ("docker:index/service:Service", "docker:index/serviceConfig:ServiceConfig", "pulumi:providers:docker"):
        assert {step["op"] for step in found.of(kind)} <= {"same"}, kind
    stack.workers(1)


def test_a_preview_of_another_version_of_an_image_shows_exactly_its_service(stack: Watched) -> None:
    versions = stack.stack.folder / "components" / "monitoring" / "images.yaml"
    pinned = versions.read_text()
    versions.write_text(pinned.replace("grafana/grafana:12", "grafana/grafana:99"))
    assert versions.read_text() != pinned
    found = stack.stack.preview().ok()
    versions.write_text(pinned)
    assert {step["urn"].rsplit("::", 1)[1]: step["op"] for step in found.steps} == {"monitoring-grafana": "update"}


@pytest.mark.faults
def test_datadog_takes_prometheus_place_by_one_line_and_gives_it_back(stack: Watched) -> None:
    keys = stack.machines.control("GET", "datadog/keys")
    config = {
        "timonel:secrets": {"ops": "http://127.0.0.1/", "dd": keys["api_key"]},
        "datadog:apiKey": keys["api_key"],
        "datadog:appKey": keys["app_key"],
    }
    stack.choose("datadog", config=config, datadog={"apiKey": "dd"})
    start = time.monotonic()
    stack.stack.up().ok()
    print(f"MONITORING from Prometheus to Datadog: {time.monotonic() - start:.0f} s", flush=True)
    assert stack.on_manager("docker service ls --format '{{.Name}}'").split() == ["monitoring-datadog-agent"]
    hosts = {
        instance["PrivateDnsName"].partition(".")[0] for r in ("manager", "worker") for instance in stack.instances(r)
    }

    def reporting() -> bool:
        seen = {check["host"] for check in stack.machines.control("GET", "datadog")["checks"]}
        return hosts <= seen

    until("the Agent of every node reports", reporting, 120, 2)
    account = stack.machines.control("GET", "datadog")
    wanted = {f"alert:{monitor.alert}" for monitor in datadog_monitors(load(), "monitored", Parameters())}
    assert {tag for one in account["monitors"] for tag in one["tags"] if tag.startswith("alert:")} >= wanted
    assert len(account["dashboards"]) == 1
    shown = stack.on_manager(
        "docker service inspect monitoring-datadog-agent; docker service logs monitoring-datadog-agent 2>&1"
    )
    assert "DD_API_KEY" in shown
    assert keys["api_key"] not in shown, "the key is readable"
    state = json.dumps([r for r in stack.stack.export()["deployment"]["resources"] if "docker:" in r["type"]])
    assert keys["api_key"] not in state
    assert stack.stack.preview("--expect-no-changes").ok().changed == {}

    stack.choose("prometheus")
    start = time.monotonic()
    stack.stack.up().ok()
    print(f"MONITORING and back: {time.monotonic() - start:.0f} s", flush=True)
    account = stack.machines.control("GET", "datadog")
    assert (account["monitors"], account["dashboards"]) == ([], [])
    until(
        "Prometheus is back",
        lambda: stack.ask([(stack.outputs["prometheusUrl"] + "/api/v1/targets", "")])[0][0] == 200,
        90,
    )


@pytest.mark.faults
def test_a_new_receiver_rolls_alertmanager_alone_and_hears_of_a_dead_worker(stack: Watched) -> None:
    stack.configure(receivers=[{"kind": "webhook", "secret": "ops"}], secrets={"ops": stack.receive()})
    rolled = stack.stack.up().ok()
    services = {step["urn"].rsplit("::", 1)[1]: step["op"] for step in rolled.of("docker:index/service:Service")}
    assert {name for name, op in services.items() if op != "same"} == {"monitoring-alertmanager"}, services
    until("Alertmanager is found again", lambda: all(t["health"] == "up" for t in stack.targets()), 60, 2)

    [worker] = stack.instances("worker")
    node = f"ip-{worker['PrivateIpAddress'].replace('.', '-')}"
    # The sandbox's EC2 sees a dead host at once, AWS' after minutes: without this the group takes the node out first.
    scaling = stack.machines.client("autoscaling")
    group = next(tag["Value"] for tag in worker["Tags"] if tag["Key"] == "aws:autoscaling:groupName")
    scaling.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["HealthCheck"])
    start = time.time()
    actions.power_cut(stack.machines.folder, worker["InstanceId"])
    [first, *_] = until("somebody is told", lambda: stack.received("NodeDown"), 300, 1)
    seconds = first["at"] - start
    [alert] = [alert for alert in load().alerts if alert.name == "NodeDown"]
    intervals = SCRAPE + SCRAPE + int(alert.hold.removesuffix("s")) + GROUP_WAIT
    print(f"MONITORING a dead worker at the webhook: {seconds:.0f} s; intervals sum to {intervals} s", flush=True)
    assert (first["status"], first["node"]) == ("firing", node)
    assert seconds <= ADMITTED * intervals
    scaling.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["HealthCheck"])


def test_destroy_needs_no_flags_and_no_docker_api(stack: Watched) -> None:
    managers = [instance["InstanceId"] for instance in stack.instances("manager")]
    stack.machines.client("ec2").terminate_instances(InstanceIds=managers)
    start = time.monotonic()
    stack.stack.destroy().ok()
    print(f"MONITORING destroyed with every manager dead: {time.monotonic() - start:.0f} s", flush=True)
    report = json.loads(stack.machines.cli("leaks", "--stack", "timonel/monitored", "--json").out)
    assert report["left_behind"] == [], report["left_behind"]
