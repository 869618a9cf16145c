"""The catalogue as Prometheus' alerting rules."""

from typing import Any

import yaml

from components.monitoring.catalogue.models import PLACEHOLDER, Alert, Catalogue, Missing, Unit
from components.monitoring.catalogue.parameters import Parameters, filled

_VALUE = {
    Unit.NUMBER: "{{ $value | humanize }}",
    Unit.PERCENTAGE: "{{ $value | humanizePercentage }}",
    Unit.DURATION: "{{ $value | humanizeDuration }}",
}


def prometheus_rules(catalogue: Catalogue, parameters: Parameters | None = None) -> str:
    """A rules file: one group for each area. The external label ``cluster`` tells clusters apart."""
    chosen = parameters or Parameters()
    groups = []
    for area in catalogue.areas:
        rules = [rule for alert in area.alerts if (rule := _rule(alert, area.area, chosen)) is not None]
        groups.append({"name": f"timonel-{area.area}", "rules": rules})
    return yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=1000)


def _rule(alert: Alert, area: str, parameters: Parameters) -> dict[str, Any] | None:
    if isinstance(alert.prometheus, Missing):
        return None
    values = parameters.values()
    expr = filled(alert.prometheus.expr, values)
    if expr is None:
        return None

    def told(text: str) -> str:
        text = filled(text, values) or ""
        return PLACEHOLDER.sub(
            lambda found: _VALUE[alert.unit] if found[1] == "value" else f"{{{{ $labels.{found[1]} }}}}", text
        )

    return {
        "alert": alert.name,
        "expr": expr,
        "for": alert.hold,
        "labels": {"severity": str(alert.severity), "area": area},
        "annotations": {
            "summary": told(alert.summary),
            "description": told(alert.description),
            "runbook_url": f"{parameters.runbooks}#{alert.anchor}",
        },
    }


class _Dumper(yaml.SafeDumper):
    """Conditions of several lines stay readable."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
