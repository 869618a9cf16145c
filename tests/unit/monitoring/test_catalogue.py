"""The catalogue itself: what it refuses, both backends, and that its conditions ask for what is really told."""

import importlib.util
import json
import re
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from components.monitoring.catalogue import (
    Alert,
    Catalogue,
    Missing,
    Monitor,
    Parameters,
    Severity,
    alerts_page,
    datadog_monitors,
    load,
    prometheus_rules,
    runbooks_page,
)
from components.monitoring.catalogue.load import parse
from components.monitoring.catalogue.models import PrometheusCondition
from node_agent import metrics
from node_agent.metrics import Metrics
from node_agent.ports import Service
from node_agent.world import Facts, NodeFact
from tests.golden_files import assert_golden
from tests.unit.node_agent.test_host_parts import config

ALERTS = load().alerts
NAMES = [alert.name for alert in ALERTS]
PARAMETERS = Parameters(client_certificate_expires="2027-11-23T12:00:00+00:00")
MONITORS = datadog_monitors(load(), "dev", PARAMETERS, notify=("@slack-ops",))
CHECK = Path("components/monitoring/catalogue/datadog_check/timonel.py")
TOLD = set(metrics.HELP)
"""What the agent tells; the check adds the client certificate."""

ONE = """
area: nodes
alerts:
  - name: NodeDown
    severity: warning
    for: 30s
    labels: [node]
    summary: Node {node} is down
    description: It is
    prometheus: {expr: up == 0}
    datadog: {reason: because}
    runbook: look
"""


# --- what is refused


def test_an_area_is_read() -> None:
    assert parse(ONE, "one.yaml").alerts[0].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("runbook: look", "runbok: look", "runbok"),
        ("expr: up == 0", "expr: up == 0, fro: 1m", "fro"),
        ("severity: warning", "severity: page", "severity"),
        ("for: 30s", "for: 30 seconds", "for"),
        ("Node {node}", "Node {instance}", "instance"),
        ("It is", "It is {valeu}", "valeu"),
        ("prometheus: {expr: up == 0}", "prometheus: {reason: none}", "no backend raises it"),
    ],
)
def test_a_mistake_is_refused_with_its_file_and_key(old: str, new: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as error:
        parse(ONE.replace(old, new), "one.yaml")
    assert str(error.value).startswith("one.yaml: ")


def test_a_name_twice_is_refused() -> None:
    area = parse(ONE, "one.yaml")
    with pytest.raises(ValueError, match="NodeDown is there twice"):
        Catalogue(areas=(area, area))


def test_the_models_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ALERTS[0].name = "Other"  # type: ignore[misc]


# --- both backends


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_every_alert_has_a_counterpart_or_a_reason(alert: Alert) -> None:
    monitors = [m for m in MONITORS if m.alert == alert.name]
    if isinstance(alert.datadog, Missing):
        assert not monitors and len(alert.datadog.reason) > 20, "a reason is a sentence"
    else:
        assert len(monitors) == 1
    if isinstance(alert.prometheus, Missing):
        assert len(alert.prometheus.reason) > 20, "a reason is a sentence"


def test_what_only_one_backend_has_is_about_that_backend() -> None:
    missing = {a.name for a in ALERTS if isinstance(a.prometheus, Missing) or isinstance(a.datadog, Missing)}
    areas = {area.area for area in load().areas for alert in area.alerts if alert.name in missing}
    assert areas == {"monitoring"}, "faults of the cluster are told by either backend"


def test_what_the_issue_asks_for_is_there() -> None:
    assert set(NAMES) >= {
        "QuorumAtRisk", "NoLeader", "StaleManager", "SnapshotTooOld", "NodeCertificateExpiring", "ServiceBelowReplicas",
        "TokenNotRotated", "RecoveryRan", "RecoveryBlocked", "HookHeldTooLong", "AgentSilent", "RecordHolderDead",
        "ZonesUnbalanced", "ClientCertificateExpiring", "NodeDown", "DiskWillFill", "DiskFull", "MemoryPressure",
        "Watchdog", "TargetDown", "DatadogAgentSilent",
    }  # fmt: skip


# --- Prometheus


def exprs() -> list[tuple[Alert, str]]:
    return [(a, a.prometheus.expr) for a in ALERTS if isinstance(a.prometheus, PrometheusCondition)]


@pytest.mark.parametrize(("alert", "expr"), exprs(), ids=[a.name for a, _ in exprs()])
def test_a_condition_asks_for_what_the_agent_tells(alert: Alert, expr: str) -> None:
    assert set(re.findall(r"\btimonel_\w+", expr)) <= TOLD


@pytest.mark.parametrize(("alert", "expr"), exprs(), ids=[a.name for a, _ in exprs()])
def test_an_alert_is_grouped_by_its_own_labels_so_that_it_stays_one(alert: Alert, expr: str) -> None:
    grouped = {label for text in re.findall(r"\bby \(([^)]*)\)", expr) for label in text.split(", ")} - {"subject"}
    assert grouped == set(alert.labels), "role, status and leader change while a fault lasts"


# --- Datadog


def test_every_monitor_is_one_of_this_cluster_with_the_threshold_of_its_query() -> None:
    for monitor in MONITORS:
        told = json.loads(monitor.json())
        assert set(told) == {"name", "type", "query", "message", "tags", "priority", "options"}
        assert told["type"] in {"metric alert", "query alert", "service check"}
        scope = '.over("cluster:dev")' if monitor.type == "service check" else "{cluster:dev}"
        assert scope in told["query"], "another cluster of the account raises its own"
        if monitor.type != "service check":
            said = re.search(r"[<>]=? (-?[\d.]+)$", told["query"])
            assert said and float(said[1]) == told["options"]["thresholds"]["critical"], "Datadog refuses another"


@pytest.mark.parametrize("monitor", MONITORS, ids=[m.alert for m in MONITORS])
def test_a_monitor_speaks_of_tags_that_its_query_groups_by(monitor: Monitor) -> None:
    spoken = set(re.findall(r"\{\{(\w+)\.name\}\}", monitor.name + monitor.message))
    grouped = {t for text in re.findall(r"\bby \{([^}]*)\}|by\(\"(\w+)\"\)", monitor.query) for part in text if part
               for t in part.split(",")}  # fmt: skip
    assert spoken <= grouped, "Datadog would leave the place empty"


@pytest.mark.parametrize("monitor", MONITORS, ids=[m.alert for m in MONITORS])
def test_a_value_is_told_only_where_the_query_finds_that_value(monitor: Monitor) -> None:
    if "{{value}}" in monitor.message:
        assert len(re.findall(r"(?:min|max|avg):", monitor.query)) == 1, (
            "a difference or a share of two is not the value"
        )


def test_the_monitors_are_the_golden_ones() -> None:
    rows = [json.loads(m.json()) for m in MONITORS]
    assert_golden("monitoring/monitors.json", json.dumps(rows, indent=1) + "\n")


def test_who_is_told_stands_in_each_message() -> None:
    assert all(m.message.endswith("@slack-ops") for m in MONITORS)
    assert not any("@" in m.message for m in datadog_monitors(load(), "dev"))


# --- the Datadog check


class Recorded:
    """Stands in for the Datadog Agent's base class: keeps what a check sends."""

    OK, CRITICAL = 0, 2

    def __init__(self) -> None:
        self.gauges: dict[tuple[str, tuple[str, ...]], float] = {}
        self.checks: list[tuple[str, int]] = []

    def gauge(self, name: str, value: float, tags: Any = ()) -> None:
        self.gauges[(name, tuple(tags))] = value

    def service_check(self, name: str, status: int, message: str = "") -> None:
        self.checks.append((name, status))


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Any:
    base = types.ModuleType("datadog_checks.base")
    base.AgentCheck = Recorded  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datadog_checks", types.ModuleType("datadog_checks"))
    monkeypatch.setitem(sys.modules, "datadog_checks.base", base)
    spec = importlib.util.spec_from_file_location("timonel_check", CHECK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TimonelCheck()


@pytest.fixture
def textfile(tmp_path: Path) -> Path:
    facts = Facts(leads=True, led=True, has_leader=True, passed=time.time() - 60, snapshot_at=time.time() - 600,
                  nodes=(NodeFact('w"1', False, True), NodeFact("m1", True, True, True)))  # fmt: skip
    told = Metrics(config(), lambda: [Service("web", 3, 2)], print, tmp_path / "timonel.prom")
    told.write(facts, time.time())
    return tmp_path / "timonel.prom"


def test_the_check_sends_what_the_agent_wrote(check: Any, textfile: Path) -> None:
    check.check({"file": str(textfile), "client_certificate_expires": "2999-01-01T00:00:00Z"})
    sent = check.gauges
    assert sent[("timonel.service_replicas_running", ("swarm_service:web",))] == 2
    assert sent[("timonel.node_ready", ('subject:w"1',))] == 1
    assert sent[("timonel.agent_last_pass_age_seconds", ())] == pytest.approx(60, abs=5)
    assert sent[("timonel.snapshot_age_seconds", ())] == pytest.approx(600, abs=5)
    assert sent[("timonel.client_certificate_remaining_seconds", ())] > 1e9
    assert check.checks == [("timonel.metrics_file", 0)]


def test_the_monitors_ask_for_what_the_check_sends(check: Any, textfile: Path) -> None:
    as_age = type(check).check.__globals__["as_age"]
    sent = {"timonel." + as_age(name.removeprefix("timonel_"), 0.0, 0.0)[0] for name in metrics.HELP}
    sent |= {"timonel.client_certificate_remaining_seconds", "timonel.metrics_file"}
    asked = {name for m in MONITORS for name in re.findall(r"\btimonel\.\w+", m.query)}
    assert asked <= sent


def test_the_check_says_that_the_file_is_missing(check: Any, tmp_path: Path) -> None:
    check.check({"file": str(tmp_path / "none")})
    assert check.checks == [("timonel.metrics_file", 2)] and not check.gauges


# --- pages


def test_the_pages_are_the_golden_ones() -> None:
    assert_golden("../../docs/alerts.md", alerts_page(load()))
    assert_golden("../../docs/runbooks.md", runbooks_page(load()))


def test_every_link_of_the_runbooks_leads_somewhere() -> None:
    text = runbooks_page(load())
    anchors = {line.removeprefix("## ").lower() for line in text.splitlines() if line.startswith("## ")}
    assert anchors == {alert.anchor for alert in ALERTS}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    for page, anchor in re.findall(r"\]\((\w+\.md)(?:#([^)]+))?\)", text):
        target = Path("docs") / page
        headings = [re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
                    for line in target.read_text().splitlines() if line.startswith("#")]  # fmt: skip
        assert not anchor or anchor in headings, f"{page}#{anchor}"


def test_the_runbooks_name_only_commands_that_exist() -> None:
    from node_agent.cli import parser

    known = next(a for a in parser()._actions if a.dest == "command").choices
    named = set(re.findall(r"`timonel-node (\w+)", runbooks_page(load())))
    assert named and named <= set(known or ())


def test_a_parameter_that_does_not_exist_is_an_error() -> None:
    area = parse(ONE.replace("up == 0", "'up == ${threshold}'"), "one.yaml")
    with pytest.raises(KeyError, match="threshold"):
        prometheus_rules(Catalogue(areas=(area,)))
