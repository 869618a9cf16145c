"""The alert catalogue: one list of faults, rendered for either backend.

::

    rules = prometheus_rules(load(), Parameters(disk_left=0.2))
    monitors = datadog_monitors(load(), cluster="dev")
"""

from components.monitoring.catalogue.datadog import Monitor, datadog_monitors
from components.monitoring.catalogue.load import load
from components.monitoring.catalogue.models import (
    Alert,
    Area,
    Catalogue,
    DatadogCondition,
    Missing,
    PrometheusCondition,
    Severity,
    Unit,
)
from components.monitoring.catalogue.pages import alerts_page, runbooks_page
from components.monitoring.catalogue.parameters import Parameters
from components.monitoring.catalogue.prometheus import prometheus_rules

__all__ = [
    "Alert",
    "Area",
    "Catalogue",
    "DatadogCondition",
    "Missing",
    "Monitor",
    "Parameters",
    "PrometheusCondition",
    "Severity",
    "Unit",
    "alerts_page",
    "datadog_monitors",
    "load",
    "prometheus_rules",
    "runbooks_page",
]
