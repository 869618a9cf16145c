"""One JSON object a line on stdout, which systemd hands to journald."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from node_agent.world import Facts

REPEAT = 60.0
"""Seconds before an unchanged line about a failure or a blocked state is said again."""


def logger(instance: str, facts: Callable[[], Facts]) -> Callable[..., None]:
    """A function ``log(action, outcome, **fields)`` that names instance and epoch in each line."""
    said: dict[tuple[str, str, str], float] = {}

    def log(action: str, outcome: str, **fields: Any) -> None:
        key = (str(action), outcome, str(fields.get("error", fields.get("why", ""))))
        now = time.time()
        if outcome != "done" and now - said.get(key, 0.0) < REPEAT:
            return
        said[key] = now
        line = {"instance": instance, "epoch": facts().epoch, "action": str(action), "outcome": outcome}
        level = {"done": "info", "blocked": "alert", "failed": "error"}.get(outcome, "warning")
        line |= {"level": level, **{k: v for k, v in fields.items() if v not in {None, ""}}}
        sys.stdout.write(json.dumps(line, default=str) + "\n")
        sys.stdout.flush()

    return log
