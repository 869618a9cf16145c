"""Faults of the API on demand: throttling, server errors, no capacity in a zone, stale or empty answers.

Deterministic: each decision draws from one generator with the seed of the settings, in the order of the calls.
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sandbox.aws.calls import Call
from sandbox.aws.errors import Fault, throttling


@dataclass(frozen=True)
class Settings:
    """Which faults are on.

    Attributes:
        throttle: share of calls (0 to 1) answered by the service's throttling error.
        error: share of calls answered by a 500/503 server error.
        no_capacity: zones in which no instance can be launched.
        empty: share of Describe calls on instances and groups that answer an empty list (eventual consistency).
        stale: Describe calls on instances and groups answer as of this many seconds ago.
        services: only these services (as signed: "ec2"); empty for all.
        callers: only callers whose ARN matches one of these regular expressions; empty for all.
        actions: only these actions; empty for all.
        delay: seconds that each call waits after it took effect, before its answer (a slow API).
        outage: services that answer every call with 503 ("S3 away").
        seed: of the generator.
    """

    throttle: float = 0.0
    error: float = 0.0
    no_capacity: list[str] = field(default_factory=list)
    empty: float = 0.0
    stale: float = 0.0
    services: list[str] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    delay: float = 0.0
    outage: list[str] = field(default_factory=list)
    seed: int = 0


STALE_ACTIONS = frozenset(
    {"DescribeInstances", "DescribeInstanceStatus", "DescribeAutoScalingGroups", "DescribeAutoScalingInstances"}
)
EMPTY_LISTS = {
    "DescribeInstances": "reservationSet",
    "DescribeInstanceStatus": "instanceStatusSet",
    "DescribeAutoScalingGroups": "AutoScalingGroups",
    "DescribeAutoScalingInstances": "AutoScalingInstances",
}


class Faults:
    """The switchboard. Guarded by the application's lock."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._random = random.Random(0)  # noqa: S311 - determinism, not secrecy
        self._memory: dict[tuple[str, str], list[tuple[float, bytes]]] = {}

    def set(self, content: dict[str, Any]) -> None:
        """Replace the settings.

        Raises:
            ValueError: an unknown key, or a rate outside 0 to 1.
        """
        unknown = set(content) - set(asdict(Settings()))
        if unknown:
            raise ValueError(f"faults: unknown {sorted(unknown)}; known: {sorted(asdict(Settings()))}")
        settings = replace(Settings(), **content)
        for name in ("throttle", "error", "empty"):
            if not 0 <= getattr(settings, name) <= 1:
                raise ValueError(f"faults: {name} is {getattr(settings, name)}: it is a share, so 0 to 1")
        self.settings = settings
        self._random = random.Random(settings.seed)  # noqa: S311
        self._memory.clear()

    def show(self) -> dict[str, Any]:
        """The settings as JSON."""
        return asdict(self.settings)

    def decide(self, call: Call) -> Fault | None:
        """The error to answer this call with; None to let it through."""
        settings = self.settings
        if call.service in settings.outage and self._concerns(replace_services(settings), call):
            return Fault("ServiceUnavailable", "The service is away (a fault of the sandbox)", 503)
        if not self._concerns(settings, call):
            return None
        if settings.throttle and self._random.random() < settings.throttle:
            return throttling(call.service)
        if settings.error and self._random.random() < settings.error:
            code = "InternalError" if call.service in {"ec2", "s3"} else "InternalFailure"
            return Fault(code, "An internal error has occurred (a fault of the sandbox)", 500)
        return None

    def delay(self, call: Call) -> float:
        """Seconds to hold this call's answer back."""
        return self.settings.delay if self._concerns(self.settings, call) else 0.0

    def no_capacity(self, zone: str) -> bool:
        """Whether EC2 has no capacity in this zone."""
        return zone in self.settings.no_capacity

    def stale(self, call: Call, status: str, content: bytes) -> bytes:
        """The answer as an eventually consistent API would give it."""
        settings = self.settings
        if call.action not in STALE_ACTIONS or not status.startswith("200") or not self._concerns(settings, call):
            return content
        if settings.empty and self._random.random() < settings.empty:
            return _emptied(content, EMPTY_LISTS[call.action])
        if settings.stale:
            now = time.monotonic()
            history = self._memory.setdefault((call.action, repr(sorted(call.parameters.items()))), [])
            history.append((now, content))
            while len(history) > 1 and history[1][0] <= now - settings.stale:
                history.pop(0)
            return history[0][1]
        return content

    @staticmethod
    def _concerns(settings: Settings, call: Call) -> bool:
        return (
            (not settings.services or call.service in settings.services)
            and (not settings.actions or call.action in settings.actions)
            and (not settings.callers or any(re.search(pattern, call.caller) for pattern in settings.callers))
        )


def replace_services(settings: Settings) -> Settings:
    """The settings without their choice of services: an outage names its own."""
    return replace(settings, services=[])


def _emptied(content: bytes, element: str) -> bytes:
    """The XML with one list emptied; every other byte stays."""
    pattern = rf"<{element}>.*</{element}>".encode()
    return re.sub(pattern, f"<{element}/>".encode(), content, count=1, flags=re.DOTALL)
