"""The dashboards: queries that promtool understands, panels that do not lie over each other, metrics that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.monitoring.dashboards import DATASOURCE_UID, dashboards, datadog_dashboard, panel_queries
from node_agent import metrics
from tests.golden_files import assert_golden
from tests.unit.monitoring.promtool import promtool

DRAWN: dict[str, Any] = {name: json.loads(text) for name, text in dashboards().items()}


def test_promtool_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"{q.dashboard}:panel:q{n}", "expr": q.expr} for n, q in enumerate(panel_queries())]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    answer = promtool("check", "rules", str(file))
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_query_asks_for_what_the_agent_tells() -> None:
    asked = {name for q in panel_queries() for name in re.findall(r"\btimonel_\w+", q.expr)}
    assert asked and asked <= set(metrics.HELP)


def test_every_query_runs_as_it_stands() -> None:
    assert not [q for q in panel_queries() if "$" in q.expr], "a variable of Grafana means nothing to Prometheus"


@pytest.mark.parametrize("name", DRAWN)
def test_a_dashboard_is_the_golden_one(name: str) -> None:
    assert_golden(f"monitoring/dashboards/{name}", dashboards()[name])


@pytest.mark.parametrize("name", DRAWN)
def test_panels_lie_beside_each_other(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DRAWN[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells


@pytest.mark.parametrize("name", DRAWN)
def test_every_target_names_the_provisioned_data_source(name: str) -> None:
    sources = {t["datasource"]["uid"] for p in DRAWN[name]["panels"] for t in p["targets"]}
    assert sources == {DATASOURCE_UID}


@pytest.mark.parametrize("name", DRAWN)
def test_a_legend_names_labels_that_the_query_keeps(name: str) -> None:
    for panel in DRAWN[name]["panels"]:
        for target in panel["targets"]:
            kept = {label for text in re.findall(r"\bby \(([^)]*)\)", target["expr"]) for label in text.split(", ")}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, panel["title"]


def test_titles_are_unique_within_a_dashboard() -> None:
    for drawn in DRAWN.values():
        titles = [panel["title"] for panel in drawn["panels"]]
        assert len(titles) == len(set(titles))


def test_the_datadog_dashboard_is_of_one_cluster() -> None:
    drawn = json.loads(datadog_dashboard("dev"))
    queries = [r["q"] for w in drawn["widgets"] for r in w["definition"]["requests"]]
    assert queries and all("{cluster:dev}" in query for query in queries)
    assert_golden("monitoring/datadog_dashboard.json", json.dumps(drawn, indent=1) + "\n")
