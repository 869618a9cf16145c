"""The dashboards as Grafana reads them from a provisioned folder."""

import json
from dataclasses import dataclass
from typing import Any

from components.monitoring.dashboards.content import DASHBOARDS
from components.monitoring.dashboards.models import Dashboard, Kind, Panel

DATASOURCE_UID = "timonel-prometheus"
"""The data source must be provisioned under this uid."""
_SOURCE = {"type": "prometheus", "uid": DATASOURCE_UID}
_SCHEMA = 39
"""Grafana 10 and 11; newer ones migrate it."""
_HEIGHT = {Kind.NUMBER: 4, Kind.LINES: 8, Kind.TABLE: 8}


@dataclass(frozen=True)
class PanelQuery:
    """One query of a panel, to be tried against a Prometheus."""

    dashboard: str
    panel: str
    expr: str


def panel_queries() -> list[PanelQuery]:
    """Every query of every panel."""
    return [PanelQuery(d.name, p.title, q.expr) for d in DASHBOARDS for p in d.panels for q in p.queries]


def dashboards() -> dict[str, str]:
    """File name to JSON."""
    return {f"{d.name}.json": json.dumps(_dashboard(d), indent=1) + "\n" for d in DASHBOARDS}


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    x = y = height = 0
    panels = []
    for number, panel in enumerate(dashboard.panels, 1):
        if x + panel.width > 24:
            x, y, height = 0, y + height, 0
        place = {"x": x, "y": y, "w": panel.width, "h": _HEIGHT[panel.kind]}
        panels.append(_panel(number, panel, place))
        x, height = x + panel.width, max(height, place["h"])
    return {
        "uid": f"timonel-{dashboard.name}", "title": dashboard.title, "tags": ["timonel"], "schemaVersion": _SCHEMA,
        "editable": False, "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser", "templating": {"list": []}, "annotations": {"list": []}, "panels": panels,
    }  # fmt: skip


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    now = panel.kind is not Kind.LINES
    targets = [
        {"refId": chr(ord("A") + i), "datasource": _SOURCE, "expr": query.expr, "instant": now, "range": not now,
         "legendFormat": query.legend or "__auto", **({"format": "table"} if panel.kind is Kind.TABLE else {})}
        for i, query in enumerate(panel.queries)
    ]  # fmt: skip
    return {
        "id": number, "type": str(panel.kind), "title": panel.title, "description": panel.description,
        "datasource": _SOURCE, "gridPos": place, "targets": targets, "options": {},
        "fieldConfig": {"defaults": {"unit": str(panel.scale)}, "overrides": []},
    }  # fmt: skip
