"""Prometheus on a booted swarm: what `up` ends with, what changes leave alone, what `destroy` leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.monitoring import grafana
from components.monitoring.catalogue import Parameters, datadog_monitors, load
from components.monitoring.dashboards import DATASOURCE_UID, dashboards, panel_queries
from sandbox.machines import actions
from tests.sandbox.machines.rig import until
from tests.sandbox.monitoring.watched import Watched, watched
from tests.sandbox.rig import Update

pytestmark = pytest.mark.machines


@pytest.fixture(scope="module", name="stack")
def _stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("monitoring")) as found:
        start = time.monotonic()
        found.stack.up().ok()
        print(f"MONITORING up: {time.monotonic() - start:.0f} s", flush=True)
        yield found


def test_up_ends_with_every_target_up_and_every_panel_showing_data(stack: Watched) -> None:
    stack.wait_until_ready()
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


@contextmanager
def changed(file: Path, old: str, new: str) -> Iterator[None]:
    """A file of the program with another text in it for a while."""
    text = file.read_text()
    assert text.count(old) >= 1, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new, 1))
    yield
    file.write_text(text)


def rolled(preview: Update) -> dict[str, str]:
    """What a preview would do to services, configs and secrets, by their logical names."""
    kinds = ("service:Service", "serviceConfig:ServiceConfig", "secret:Secret")
    steps = [step for kind in kinds for step in preview.ok().of(f"docker:index/{kind}")]
    return {s["urn"].rsplit("::", 1)[1]: "replace" if "replace" in s["op"] else s["op"] for s in steps}


def test_a_changed_receiver_would_roll_alertmanager_alone(stack: Watched) -> None:
    stack.configure(receivers=[{"kind": "webhook", "secret": "ops"}], secrets={"ops": "http://127.0.0.1/"})
    assert rolled(stack.stack.preview()) == {
        "monitoring-alertmanager": "update",
        "monitoring-alertmanager-alertmanager": "replace",  # a config is another one by its content
        "monitoring-alertmanager-receiver-0": "create",
    }
    stack.configure()


def test_a_changed_rule_would_roll_prometheus_alone(stack: Watched) -> None:
    rules = stack.stack.folder / "components/monitoring/catalogue/alerts/nodes.yaml"
    with changed(rules, "for: 30s", "for: 45s"):
        found = rolled(stack.stack.preview())
    assert found == {"monitoring-prometheus": "update", "monitoring-prometheus-rules": "replace"}


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


def oldest(stack: Watched) -> float:
    """Time of the oldest sample that Prometheus has; 0 while it does not answer."""
    url = f"{stack.outputs['prometheusUrl']}/api/v1/query"
    [(status, answer)] = stack.ask([(url, 'prometheus_tsdb_lowest_timestamp_seconds{job="prometheus"}')])
    found = answer["data"]["result"] if status == 200 else []
    return float(found[0]["value"][1]) if found else 0.0


@pytest.mark.faults
def test_the_history_survives_the_end_of_the_service_s_task_and_of_the_host_s_power(stack: Watched) -> None:
    before = until("Prometheus tells of itself", lambda: oldest(stack), 60, 2)
    stack.on_manager("docker kill --signal KILL $(docker ps --quiet --filter name=monitoring-prometheus)")
    start = time.monotonic()
    until("Prometheus runs again", lambda: oldest(stack), 120, 2)
    print(f"MONITORING Prometheus after its task was killed: {time.monotonic() - start:.0f} s", flush=True)
    assert oldest(stack) == before

    [manager] = stack.instances("manager")
    scaling = stack.machines.client("autoscaling")
    group = next(tag["Value"] for tag in manager["Tags"] if tag["Key"] == "aws:autoscaling:groupName")
    scaling.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["HealthCheck"])
    actions.power_cut(stack.machines.folder, manager["InstanceId"])
    actions.power_on(stack.machines.folder, manager["InstanceId"])
    start = time.monotonic()
    until("Prometheus runs again", lambda: oldest(stack), 300, 2)
    print(f"MONITORING Prometheus after its host's power was cut: {time.monotonic() - start:.0f} s", flush=True)
    scaling.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["HealthCheck"])
    assert oldest(stack) == before


LOOK = """
from node_agent.docker_api import DockerApi
from node_agent.engine import DockerSwarm
from node_agent.volumes import Volumes
volumes = Volumes(DockerSwarm(DockerApi(), None, None), lambda *what, **more: print(*what, more["target"]), grace=1)
volumes.look(0)
volumes.look(100)
"""


@pytest.mark.faults
def test_the_agent_removes_a_volume_with_its_service_where_its_label_says_so(stack: Watched) -> None:
    goes = "--mount type=volume,source=goes,target=/goes,volume-label=timonel.unused=remove"
    stays = "--mount type=volume,source=stays,target=/stays"
    stack.on_manager(
        f"docker service create --name owner --constraint node.role==manager {goes} {stays} busybox sleep 9999"
    )
    # The agent's own code on the host; with its grace of ten minutes nobody would wait for this test.
    look = f"PYTHONPATH=/opt/timonel/agent.pyz python3 -c '{LOOK}'"
    assert stack.on_manager(look) == "", "a service mounts it"
    stack.on_manager("docker service rm owner")
    assert until("it goes with the last container", lambda: stack.on_manager(look), 60, 1) == "volume removed goes\n"
    assert stack.on_manager("docker volume ls -q -f name=goes -f name=stays").split() == ["stays"]


def test_destroy_needs_no_flags_and_no_docker_api(stack: Watched) -> None:
    managers = [instance["InstanceId"] for instance in stack.instances("manager")]
    stack.machines.client("ec2").terminate_instances(InstanceIds=managers)
    start = time.monotonic()
    stack.stack.destroy().ok()
    print(f"MONITORING destroyed with every manager dead: {time.monotonic() - start:.0f} s", flush=True)
    report = json.loads(stack.machines.cli("leaks", "--stack", "timonel/monitored", "--json").out)
    assert report["left_behind"] == [], report["left_behind"]
