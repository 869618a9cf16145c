"""What a manager's modules share: the world's ports, what a pass read, and the facts that metrics and health tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from node_agent.decide import View
from node_agent.ports import Clock, Cloud, Group, Host, Secrets, Store, Swarm

HEARTBEAT = 60.0
"""Seconds between heartbeats of a lifecycle hook (the hooks' time-out is 300 s)."""
LAUNCH, TERMINATE = "timonel-launch", "timonel-terminate"


@dataclass
class Ports:
    """The world."""

    store: Store
    secrets: Secrets
    cloud: Cloud
    swarm: Swarm
    host: Host
    clock: Clock
    log: Callable[..., None]
    """``log(action, outcome, **fields)``."""


@dataclass
class Seen:
    """What one pass read, with the ETags that its writes need."""

    view: View
    record_etag: str | None = None
    ledger_etags: dict[str, str] = field(default_factory=dict)
    steward_etag: str | None = None
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True)
class NodeFact:
    """What the leader last saw of a node."""

    hostname: str
    manager: bool
    ready: bool
    reachable: bool = False
    drained: bool = False
    leaving: bool = False
    """Its group takes it out."""
    unhealthy: bool = False
    """Its group takes it for dead; what drains it then is the aftermath, no will."""


@dataclass
class Facts:
    """What metrics, health and the command line tell about the last pass."""

    has_leader: bool = False
    leads: bool = False
    quorum: bool = False
    blocked: str = ""
    epoch: int = 0
    passed: float = 0.0
    snapshot_at: float = 0.0
    rotated: float = 0.0
    recovered_at: float = 0.0
    hook_held: float = 0.0
    unbalanced: int = 0
    managers: int = 0
    wanted: int = 0
    away: int = 0
    dockerd_kills: int = 0
    reachable: int = 0
    margin: int = 0
    """Managers that may still fail before the quorum is lost; negative: it is lost."""
    live: bool = False
    holder_dead: bool = False
    led: bool = False
    """Whether this process has finished a pass as the leader: what only the leader knows is known."""
    nodes: tuple[NodeFact, ...] = ()
    """The leader's list."""


def epoch_of(v: View) -> int:
    """The record's epoch; 0 before there is a record."""
    return v.record.epoch if v.record else 0
