"""The dashboards, described once and drawn by Grafana or Datadog."""

from components.monitoring.dashboards.datadog import datadog_dashboard
from components.monitoring.dashboards.grafana import DATASOURCE_UID, PanelQuery, dashboards, panel_queries

__all__ = ["DATASOURCE_UID", "PanelQuery", "dashboards", "datadog_dashboard", "panel_queries"]
