"""Since when conditions hold, as one process of the agent has seen them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Memory:
    """Names of conditions that hold now, and since when."""

    since: dict[str, float] = field(default_factory=dict)

    def update(self, now: float, scope: str, true: Iterable[str]) -> None:
        """Within a scope, exactly these conditions hold now."""
        names = {f"{scope}/{name}" for name in true}
        for name in [n for n in self.since if n.startswith(f"{scope}/") and n not in names]:
            del self.since[name]
        for name in names:
            self.since.setdefault(name, now)

    def lasting(self, now: float, scope: str, name: str) -> float:
        """Seconds that a condition has held; 0 if it does not."""
        return now - self.since.get(f"{scope}/{name}", now)
