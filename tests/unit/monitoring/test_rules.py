"""Every alert, played by promtool: a case in which it fires in the right words, and one in which it does not."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.monitoring.catalogue import Alert, Area, Catalogue, Missing, Parameters, load, prometheus_rules
from components.monitoring.catalogue.models import PLACEHOLDER
from components.monitoring.catalogue.parameters import filled
from tests.golden_files import assert_golden
from tests.unit.monitoring.promtool import promtool

CASES = Path(__file__).with_name("cases.yaml")
ENDS = "2027-11-23T12:00:00+00:00"
PARAMETERS = Parameters(client_certificate_expires=ENDS)
ALWAYS = {"Watchdog"}
IN_PROMETHEUS = [alert for alert in load().alerts if not isinstance(alert.prometheus, Missing)]


@cache
def cases() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = yaml.load(CASES.read_text(), yaml.BaseLoader)  # 0x20: 21 zeros, no 32
    return found


def expected(alert: Alert, area: str, labels: dict[str, str], value: Any) -> dict[str, Any]:
    """The alert as promtool shall see it, its words put together without Prometheus' templates."""
    words = {**labels, "value": str(value)}

    def told(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: words.get(found[1], ""), filled(text, PARAMETERS.values()) or "")

    return {
        "exp_labels": {**labels, "severity": str(alert.severity), "area": area},
        "exp_annotations": {
            "summary": told(alert.summary),
            "description": told(alert.description),
            "runbook_url": f"docs/runbooks.md#{alert.anchor}",
        },
    }


def plays(area: Area, parameters: Parameters, rules: str) -> dict[str, Any]:
    """A promtool test file of the area's cases that belong to these parameters."""
    tests = []
    for alert in area.alerts:
        for case in cases().get(alert.name, []):
            if case.get("client_certificate_expires", ENDS) != parameters.client_certificate_expires:
                continue
            fires = [expected(alert, area.area, labels, case.get("value", "")) for labels in case["alerts"]]
            played = {
                "name": f"{alert.name}: {case['it']}",
                "interval": "15s",
                "input_series": [{"series": s, "values": v} for s, v in case["series"].items()],
                "alert_rule_test": [{"eval_time": case["at"], "alertname": alert.name, "exp_alerts": fires}],
            }
            tests.append(played)
    return {"rule_files": [rules], "evaluation_interval": "15s", "tests": tests}


def test_every_case_fires_or_stays_silent_as_it_says(tmp_path: Path) -> None:
    ends = {case.get("client_certificate_expires", ENDS) for rows in cases().values() for case in rows}
    files = []
    for number, end in enumerate(sorted(ends)):
        for area in load().areas:  # promtool evaluates every rule of the file for every case
            parameters = Parameters(client_certificate_expires=end)
            rules = tmp_path / f"rules-{area.area}-{number}.yaml"
            rules.write_text(prometheus_rules(Catalogue(areas=(area,)), parameters))
            played = plays(area, parameters, rules.name)
            if played["tests"]:
                files.append(tmp_path / f"test-{area.area}-{number}.yaml")
                files[-1].write_text(yaml.safe_dump(played, sort_keys=False))
    answer = promtool("test", "rules", *map(str, files))
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(prometheus_rules(load(), PARAMETERS))
    answer = promtool("check", "rules", "--lint-fatal", str(file))
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("alert", IN_PROMETHEUS, ids=lambda alert: alert.name)
def test_every_alert_has_a_case_that_fires_and_one_that_does_not(alert: Alert) -> None:
    rows = cases().get(alert.name, [])
    assert any(row["alerts"] for row in rows), "nobody has seen it fire"
    assert alert.name in ALWAYS or any(not row["alerts"] for row in rows), "nobody has seen it stay silent"


def test_every_case_belongs_to_an_alert() -> None:
    assert set(cases()) == {alert.name for alert in IN_PROMETHEUS}


def test_the_rules_are_the_golden_ones() -> None:
    assert_golden("monitoring/rules.yaml", prometheus_rules(load(), PARAMETERS))


def test_an_alert_whose_parameter_is_not_known_is_left_out() -> None:
    assert "ClientCertificateExpiring" not in prometheus_rules(load())
    assert "ClientCertificateExpiring" in prometheus_rules(load(), PARAMETERS)


def test_a_threshold_of_the_stack_is_in_condition_and_words() -> None:
    rules = prometheus_rules(load(), Parameters(memory_used=0.75))
    assert "MemTotal_bytes) > 0.75" in rules
    assert "over 0.75 the kernel" in rules
