"""The catalogue as Datadog monitors: the same alerts in the same words."""

import json
import re
from dataclasses import dataclass
from typing import Any

from components.monitoring.catalogue.models import PLACEHOLDER, Alert, Catalogue, Missing, Severity, Unit
from components.monitoring.catalogue.parameters import Parameters, filled

TAGS = {"node": "host", "mountpoint": "device"}
"""Label of the catalogue to the tag that Datadog's own checks use."""
_THRESHOLD = re.compile(r"[<>]=?\s*(-?[\d.]+)$")
_UNIT = {Unit.NUMBER: "", Unit.PERCENTAGE: " %", Unit.DURATION: " s"}
_PRIORITY = {Severity.CRITICAL: 2, Severity.WARNING: 3, Severity.NONE: 5}


@dataclass(frozen=True)
class Monitor:
    """One Datadog monitor. Fields are named as in Datadog's API."""

    alert: str
    """Name of the alert in the catalogue."""
    name: str
    type: str
    query: str
    message: str
    critical: str
    """The threshold."""
    priority: int
    """2 for what wakes somebody, 3 for the rest."""
    tags: tuple[str, ...]
    no_data_minutes: int | None = None
    """None: silence is no alert."""

    def json(self) -> str:
        """The monitor as Datadog's API takes it (POST /api/v1/monitor): argument of ``pulumi_datadog.MonitorJson``."""
        thresholds = {"critical": _number(self.critical)}
        if self.type == "service check":
            thresholds["ok"] = 1
        silence: dict[str, Any] = {"notify_no_data": False}
        if self.no_data_minutes is not None:
            silence = {"notify_no_data": True, "no_data_timeframe": self.no_data_minutes}
        told = {
            "name": self.name, "type": self.type, "query": self.query, "message": self.message,
            "tags": list(self.tags), "priority": self.priority,
            "options": {"thresholds": thresholds, "include_tags": True, "require_full_window": False, **silence},
        }  # fmt: skip
        return json.dumps(told, sort_keys=True)


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def datadog_monitors(
    catalogue: Catalogue, cluster: str, parameters: Parameters | None = None, notify: tuple[str, ...] = ()
) -> list[Monitor]:
    """A monitor for each alert that has one.

    Args:
        catalogue: the alerts.
        cluster: value of the tag ``cluster`` that the cluster's Datadog Agents send.
        parameters: thresholds.
        notify: Datadog's handles of who is told, such as ``@slack-ops`` or ``@pagerduty-ops``.
    """
    chosen = parameters or Parameters()
    rows = [(area.area, alert) for area in catalogue.areas for alert in area.alerts]
    return [found for area, alert in rows if (found := _monitor(alert, area, cluster, chosen, notify)) is not None]


def _monitor(alert: Alert, area: str, cluster: str, parameters: Parameters, notify: tuple[str, ...]) -> Monitor | None:
    condition = alert.datadog
    if isinstance(condition, Missing):
        return None
    values = {**parameters.values(), "scope": f"cluster:{cluster}"}
    query = filled(condition.query, values)
    if query is None:
        return None
    threshold = condition.threshold
    found = _THRESHOLD.search(query)
    if threshold is None and found is None:
        raise ValueError(f"{alert.name}: the Datadog query ends in no threshold: {query}")

    def told(text: str) -> str:
        def spoken(placeholder: re.Match[str]) -> str:
            name = placeholder[1]
            if name == "value":
                return "{{value}}" + _UNIT[alert.unit]
            return f"{{{{{condition.groups.get(name, TAGS.get(name, name))}.name}}}}"

        return PLACEHOLDER.sub(spoken, filled(text, values) or "")

    message = [told(alert.description), f"Runbook: {parameters.runbooks}#{alert.anchor}", " ".join(notify)]
    return Monitor(
        alert=alert.name, name=f"[{cluster}] {alert.name}: {told(alert.summary)}", type=condition.type, query=query,
        message="\n".join(line for line in message if line),
        critical=f"{threshold:g}" if threshold is not None else found[1] if found else "",
        priority=_PRIORITY[alert.severity],
        tags=(f"alert:{alert.name}", f"area:{area}", f"cluster:{cluster}", f"severity:{alert.severity}"),
        no_data_minutes=condition.no_data_minutes,
    )  # fmt: skip
