"""What a fault leaves behind for people: lines of the agent's log, and metrics."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from node_agent import metrics
from tests.sandbox.agent.lab import Lab
from tests.sandbox.agent.served import Background


def said(cluster: Lab, instance: str, action: str, outcome: str = "done") -> list[dict[str, Any]]:
    """Lines of the agent's log about an action with an outcome."""
    return [line for line in _lines(cluster.journal(instance)) if _what(line) == (action, outcome)]


def metric(cluster: Lab, instance: str, name: str) -> float | None:
    """A metric as node_exporter would read it; None when it is not written."""
    values = _values(cluster.host(instance).run("cat", str(metrics.PATH), timeout=30).stdout).get(name)
    return values[0] if values else None


class Listener(Background):
    """Hears what every node of a cluster tells while a fault is played: a host that goes takes its log along."""

    every = 3.0

    def __init__(self, cluster: Lab) -> None:
        super().__init__()
        self._cluster = cluster
        self._since = f"@{time.time():.0f}"
        self._heard: set[tuple[str, str]] = set()
        self._seen: dict[str, set[float]] = {}

    def heard(self, action: str, outcome: str = "done") -> bool:
        """Whether some agent has logged an action with an outcome."""
        return (action, outcome) in self._heard

    def outcomes(self) -> set[str]:
        """Every outcome that some agent has logged."""
        return {outcome for _, outcome in self._heard}

    def values(self, name: str) -> set[float]:
        """Every value that a metric had, on any node and for any subject."""
        return self._seen.get(name, set())

    def once(self) -> None:
        """One round; a host that comes or goes says nothing."""
        log = f"journalctl -u timonel-agent -o cat --no-pager --since {self._since}"
        for instance in self._cluster.instances():
            try:
                told = self._cluster.host(instance).run("sh", "-c", f"cat {metrics.PATH}; {log}", timeout=20).stdout
            except (RuntimeError, OSError, subprocess.TimeoutExpired):
                continue
            self._heard |= {_what(line) for line in _lines(told)}
            for name, values in _values(told).items():
                self._seen.setdefault(name, set()).update(values)


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def _what(line: dict[str, Any]) -> tuple[str, str]:
    return str(line.get("action")), str(line.get("outcome"))


def _values(text: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for line in text.splitlines():
        if line.startswith("timonel_"):
            name, value = line.split()
            found.setdefault(name.partition("{")[0], []).append(float(value))
    return found
