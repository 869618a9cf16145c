"""Datadog custom check: the node agent's metrics, read from its textfile. Runs inside the Datadog Agent, on each node.

Datadog's queries know no current time, so moments are sent as ages (``*_age_seconds``) and ends of certificates as what
is left (``*_remaining_seconds``). The service check ``timonel.metrics_file`` says whether the file can be read.
"""

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from datadog_checks.base import AgentCheck  # type: ignore[import-not-found]  # there, inside the Datadog Agent

_SERIES = re.compile(r"^timonel_(\w+?)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
_TAGS = {"service": "swarm_service"}
"""``service`` means another thing to Datadog."""


class TimonelCheck(AgentCheck):  # type: ignore[misc]
    """Instance keys: ``file``; ``client_certificate_expires`` (RFC 3339), told by the stack."""

    def check(self, instance: dict[str, Any]) -> None:
        """One reading."""
        now = time.time()
        try:
            rows = Path(instance["file"]).read_text().splitlines()
        except OSError as error:
            self.service_check("timonel.metrics_file", AgentCheck.CRITICAL, message=str(error))
            return
        for row in rows:
            found = _SERIES.match(row)
            if found:
                tags = [f"{_TAGS.get(k, k)}:{_plain(v)}" for k, v in _LABEL.findall(found[2] or "")]
                name, value = as_age(found[1], float(found[3]), now)
                self.gauge(f"timonel.{name}", value, tags=tags)
        ends = instance.get("client_certificate_expires")
        if ends:
            left = datetime.fromisoformat(ends).timestamp() - now
            self.gauge("timonel.client_certificate_remaining_seconds", left)
        self.service_check("timonel.metrics_file", AgentCheck.OK)


def as_age(name: str, value: float, now: float) -> tuple[str, float]:
    """Name and value of a metric as Datadog gets it."""
    if name.endswith("_expiry_timestamp_seconds"):
        return name.removesuffix("_expiry_timestamp_seconds") + "_remaining_seconds", value - now
    if name.endswith("_timestamp_seconds"):
        return name.removesuffix("_timestamp_seconds") + "_age_seconds", now - value
    return name, value


def _plain(text: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPED.get(found[0], found[0]), text)
