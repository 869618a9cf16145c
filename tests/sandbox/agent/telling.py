"""What a fault leaves behind for people: lines of the agent's log, and metrics."""

from __future__ import annotations

import json
from typing import Any

from node_agent import metrics
from tests.sandbox.agent.lab import Lab


def said(cluster: Lab, instance: str, action: str, outcome: str = "done") -> list[dict[str, Any]]:
    """Lines of the agent's log about an action with an outcome."""
    lines = [json.loads(line) for line in cluster.journal(instance).splitlines() if line.startswith("{")]
    return [line for line in lines if (line.get("action"), line.get("outcome")) == (action, outcome)]


def metric(cluster: Lab, instance: str, name: str) -> float | None:
    """A metric as node_exporter would read it; None when it is not written."""
    text = cluster.host(instance).run("cat", str(metrics.PATH), timeout=30).stdout
    values = [line.split()[1] for line in text.splitlines() if line.partition(" ")[0].partition("{")[0] == name]
    return float(values[0]) if values else None
