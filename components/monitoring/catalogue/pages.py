"""The catalogue as pages for people: docs/alerts.md and docs/runbooks.md. `make golden` writes them."""

import re

from components.monitoring.catalogue.models import Alert, Catalogue, DatadogCondition, Missing
from components.monitoring.catalogue.parameters import Parameters, filled

_MADE = "<!-- Made from components/monitoring/catalogue/alerts by `make golden`: change it there. -->"
_WINDOW = re.compile(r"^\w+\((\w+)\)")


def alerts_page(catalogue: Catalogue) -> str:
    """A table of every alert, with its counterparts."""
    lines = [
        "# Alerts", "", _MADE, "",
        "The same faults raise the same alerts, in the same words, with Prometheus and with Datadog. "
        "*for* is how long the condition must hold in Prometheus; Datadog's queries have windows of their own. "
        "What to do about each: [runbooks.md](runbooks.md). The conditions are in "
        "`components/monitoring/catalogue/alerts/`, the thresholds that a stack may change in "
        "`components/monitoring/catalogue/parameters.py`.",
    ]  # fmt: skip
    for area in catalogue.areas:
        lines += ["", f"## {area.area.capitalize()}", ""]
        lines += [
            "| alert | severity | for | labels | what it says | Prometheus | Datadog |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_row(alert) for alert in area.alerts]
    pairs = [
        (a.name, b, c) for a in catalogue.alerts for b, c in (("Prometheus", a.prometheus), ("Datadog", a.datadog))
    ]
    missing = [(name, backend, c.reason) for name, backend, c in pairs if isinstance(c, Missing)]
    lines += ["", "## Without a counterpart, and why", "", "| alert | not in | reason |", "|---|---|---|"]
    lines += [f"| {name} | {backend} | {reason} |" for name, backend, reason in missing]
    return "\n".join(lines) + "\n"


def runbooks_page(catalogue: Catalogue) -> str:
    """A section for each alert: what it means and what to do."""
    values = Parameters().values()
    lines = [
        "# Runbooks", "", _MADE, "",
        "One section for each alert. `timonel-node` runs on a node as root (SSM Session Manager); all its commands "
        "are in [operations.md](operations.md). `docker` means the Docker API: from your machine with the stack's "
        "exported credentials, or on a manager.",
    ]  # fmt: skip
    for alert in catalogue.alerts:
        text = filled(alert.description, values) or ""
        lines += ["", f"## {alert.name}", "", f"*{_spoken(alert.summary)}* ({alert.severity}). {_spoken(text)}", ""]
        lines.append(alert.runbook.rstrip())
    return "\n".join(lines) + "\n"


def _row(alert: Alert) -> str:
    here = ["no" if isinstance(alert.prometheus, Missing) else "yes", _datadog(alert.datadog)]
    labels = ", ".join(alert.labels) or "(one for the cluster)"
    name = f"[{alert.name}](runbooks.md#{alert.anchor})"
    cells = [name, str(alert.severity), alert.hold, labels, _spoken(alert.summary), *here]
    return "| " + " | ".join(cells) + " |"


def _datadog(condition: DatadogCondition | Missing) -> str:
    if isinstance(condition, Missing):
        return "no"
    window = _WINDOW.match(condition.query)
    return window[1].replace("last_", "over ").replace("next_", "forecast over ") if window else condition.type


def _spoken(text: str) -> str:
    return re.sub(r"\{value\}", "VALUE", re.sub(r"\{(?!value)(\w+)\}", lambda m: m[1].upper(), text))
