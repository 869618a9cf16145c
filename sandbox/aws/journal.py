"""The journal: which call was made by whom on what, and how it ended."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from sandbox.aws.calls import Call

LIMIT = 200_000
"""Calls kept; the oldest go first. About 1 kB each."""

_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"__type\": ?\"([^\"]+)\"|\"code\": ?\"([^\"]+)\"")


class Journal:
    """The calls of this process's life, in order. Guarded by the application's lock."""

    def __init__(self) -> None:
        self.calls: deque[dict[str, Any]] = deque(maxlen=LIMIT)
        self.count = 0
        self.regions: set[str] = set()

    def add(self, call: Call, begun: float, status: str, content: bytes, found: list[dict[str, Any]]) -> None:
        """Note one call."""
        code = int(status.split(maxsplit=1)[0])
        match = _CODE.search(content) if code >= 400 else None
        self.count += 1
        self.regions.add(call.region)
        self.calls.append(
            {
                "number": self.count,
                "time": begun,
                "caller": call.caller,
                "access_key": call.access_key,
                "service": call.service,
                "action": call.action,
                "region": call.region,
                "parameters": call.parameters,
                "needed": found,
                "status": code,
                "error": next(g for g in match.groups() if g).decode() if match else None,
            }
        )

    def clear(self) -> None:
        """Forget everything but the count."""
        self.calls.clear()
        self.regions.clear()

    def since(self, number: int) -> list[dict[str, Any]]:
        """The calls after that number."""
        return [c for c in self.calls if c["number"] > number]
