"""What the world consists of: an instance, a raft lineage, and a process that the world lets run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from node_agent.ports import (
    Tokens,
)
from node_agent.records import Marker

if TYPE_CHECKING:
    from tests.unit.node_agent.sim.world import World


ELECTION = 11.0
DOWN_AFTER = 12.0
BOOT = 15.0


class Crash(BaseException):
    """The process ends here."""


class BrokenPromiseError(AssertionError):
    """An invariant does not hold."""


@dataclass
class Raft:
    """The committed state of one raft lineage. A forced cluster is a new lineage."""

    id: int
    swarm_id: str
    tokens: Tokens
    parent: int | None = None
    members: dict[str, tuple[str, str]] = field(default_factory=dict)
    """node id -> (instance, raft address)"""
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    index: int = 1
    term: int = 1
    leader: str | None = None
    lost_at: float = 0.0


@dataclass
class Host:
    """An instance: what is on its disk, and how it is connected."""

    instance: str
    address: str
    zone: str
    role: str
    up: bool = True
    docker: bool = True
    raft: int | None = None
    node_id: str = ""
    copy: Raft | None = None
    remotes: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    marker: Marker = field(default_factory=Marker)
    frozen: bool = False
    lifecycle: str = "InService"
    beat: float = 0.0
    since: float = 0.0
    spot: bool = False
    protected: bool = True


class Process:
    """A thread that runs only when the world lets it."""

    def __init__(self, world: World, name: str, body: Callable[[Process], None], delay: float = 0.0) -> None:
        self.world, self.name = world, name
        self.go, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.dead = self.kill = False
        self.calls = 0
        self.crash_at: tuple[Callable[[str, int], bool], str] | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(body,), daemon=True)
        world.schedule(delay, self)
        self.thread.start()

    def _run(self, body: Callable[[Process], None]) -> None:
        self.go.acquire()
        try:
            if not self.kill:
                body(self)
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001  (handed to the world, which raises it)
            self.error = error
        self.dead = True
        self.back.release()

    def sleep(self, seconds: float) -> None:
        """Gives the world back and continues later."""
        self.world.schedule(seconds, self)
        self.back.release()
        self.go.acquire()
        if self.kill:
            raise Crash

    def point(self, name: str, effect: Callable[[], Any]) -> Any:
        """One call to the world: takes time, may be where the process dies (before or after its effect)."""
        self.sleep(self.world.rng.uniform(0.005, 0.15))
        self.calls += 1
        hit = self.crash_at is not None and self.crash_at[0](name, self.calls)
        if hit and self.crash_at and self.crash_at[1] == "before":
            self._die()
        result = effect()
        if hit:
            self._die()
        return result

    def _die(self) -> None:
        self.crash_at = None
        self.world.crashed.append((self.world.now, self.name))
        raise Crash
