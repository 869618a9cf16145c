"""EC2 and Auto Scaling, as an agent calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from node_agent.ports import (
    AwayError,
    Group,
)
from tests.unit.node_agent.sim.parts import Host, Process

if TYPE_CHECKING:
    from tests.unit.node_agent.sim.world import World


class SimCloud:
    """EC2 and Auto Scaling, as this instance sees them."""

    def __init__(self, world: World, host: Host, process: Process) -> None:
        self.w, self.h, self.p = world, host, process

    def _ask(self, name: str, effect: Callable[[], Any]) -> Any:
        def guarded() -> Any:
            if self.w.away(self.h.instance, "ec2"):
                raise AwayError("RequestLimitExceeded")
            return effect()

        return self.p.point(f"cloud.{name}", guarded)

    def instance_states(self, ids: set[str]) -> dict[str, str]:
        def effect() -> dict[str, str]:
            return {i: "not-found" if self.w.empty_ec2 else self.w.ec2(i) for i in sorted(ids)}

        result: dict[str, str] = self._ask("instances", effect)
        return result

    def groups(self) -> list[Group]:
        w = self.w

        def effect() -> list[Group]:
            if w.empty_ec2:
                return []
            rows = []
            for zone in w.zones:
                here = [h for h in w.managers_up() if h.zone == zone]
                rows.append(Group(f"m-{zone}", "manager", w.desired[zone], {h.instance: h.lifecycle for h in here},
                                  frozenset(h.instance for h in here if h.protected)))  # fmt: skip
            workers = {h.instance: h.lifecycle for h in w.hosts.values() if h.role == "worker" and h.up}
            return [*rows, Group("w", "worker", w.workers, workers)]

        result: list[Group] = self._ask("groups", effect)
        return result

    def set_unhealthy(self, instance: str) -> None:
        def effect() -> None:
            self.w.unhealthy.append(instance)
            self.w.group_terminate(instance)

        self._ask("unhealthy", effect)

    def unprotect(self, instance: str) -> None:
        def effect() -> None:
            self.w.hosts[instance].protected = False

        self._ask("unprotect", effect)

    def release(self, instance: str) -> None:
        def effect() -> None:
            if self.w.hosts[instance].lifecycle == "Terminating:Wait":
                self.w.terminate(instance)

        self._ask("release", effect)

    def complete(self, hook: str) -> None:
        def effect() -> None:
            if hook == "timonel-terminate" and self.h.lifecycle == "Terminating:Wait":
                self.w.terminate(self.h.instance)

        self._ask(f"complete {hook}", effect)

    def heartbeat(self, hook: str) -> None:
        self.h.beat = self.w.now

    def leaving(self) -> str | None:
        if self.h.lifecycle == "Terminating:Wait":
            return "hook"
        return "spot" if self.h.spot else None

    def announce_leaving(self) -> None:
        self._ask("announce", lambda: self.w.group_terminate(self.h.instance))

    def deregister(self, instance: str) -> None:
        self._ask("deregister", lambda: self.w.deregistered.add(instance))

    def in_service(self, instance: str) -> bool:
        return instance not in self.w.deregistered
