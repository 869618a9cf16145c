"""What the agents write down: the record, the ledger, the steward's record, and the marker on a node's own disk.

Every write carries a fresh ``nonce``: two different writes never have equal bytes, so an ETag names one write.
Unknown keys are kept out, not refused: a newer agent may run beside an older one during a rolling update.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

RECORD = "managers/record.json"
STEWARD = "managers/steward.json"
STATUS = "managers/status.json"
LEDGER = "managers/ledger/"
SNAPSHOTS = "managers/snapshots/"
CLOSING = "closing"

T = TypeVar("T", bound="Document")


class Phase(StrEnum):
    """Where the cluster stands in its life."""

    INIT = "init"
    LIVE = "live"
    RECOVER = "recover"


class Member(StrEnum):
    """Where a manager instance stands. ``joining``, ``member`` and ``leaving`` may hold a place in the raft."""

    WAITING = "waiting"
    JOINING = "joining"
    MEMBER = "member"
    LEAVING = "leaving"
    LEFT = "left"


HOLDING = frozenset({Member.JOINING, Member.MEMBER, Member.LEAVING})


class Document:
    """A dataclass that goes to and from a JSON object."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls: type[T], raw: dict[str, Any]) -> T:
        """Reads a JSON object; keys that this version does not know are left out."""
        known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return cls(**{key: value for key, value in raw.items() if key in known})


@dataclass(frozen=True)
class Record(Document):
    """The one truth about the cluster, changed by ETag only. Each change of holder raises the epoch."""

    epoch: int
    holder: str
    phase: str
    swarm_id: str | None = None
    redirect: dict[str, str] | None = None
    """``{old address: new address}`` for port 2377, while a restored manager sits in the raft at a dead address."""
    from_epoch: int | None = None
    """During a recovery: the epoch of the state that the holder goes on from."""
    basis: str | None = None
    """During a recovery: the snapshot that holds the holder's state; the others leave only once it is safe."""
    recovered: dict[str, Any] | None = None
    """Of the last recovery: ``{from, data_as_of, at}``."""
    rotate: bool = False
    """The tokens must be rotated once the cluster is whole (a snapshot had them)."""
    updated: float = 0.0
    version: int = 1


@dataclass(frozen=True)
class Entry(Document):
    """The ledger's word on one manager instance."""

    instance: str
    address: str
    zone: str
    hostname: str
    state: str
    epoch: int
    node_id: str | None = None
    tried: str | None = None
    """The admission ticket that was used up."""
    leaderless: float | None = None
    """Since when this member sees no leader."""
    raft: tuple[int, int] | None = None
    """(term, index) of the last entry in its raft log, posted when leaderless."""
    fenced: bool = False
    """A human said that this instance is dead."""
    since: float = 0.0
    """When it came into this state."""
    updated: float = 0.0

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Entry:
        """Reads a JSON object (its lists become tuples)."""
        entry = super().from_json(raw)
        return dataclasses.replace(entry, raft=(entry.raft[0], entry.raft[1]) if entry.raft else None)

    @property
    def holds(self) -> bool:
        """Whether it may have a place in the raft."""
        return self.state in HOLDING


@dataclass(frozen=True)
class Steward(Document):
    """Who acts for the cluster (the swarm's leader), what it allowed and what it did last."""

    holder: str
    epoch: int
    admit: str | None = None
    """The one instance that may join now."""
    ticket: str | None = None
    """Good for one attempt."""
    admitted: float = 0.0
    snapshot_at: float = 0.0
    snapshot_members: list[str] = field(default_factory=list)
    rotated: float = 0.0
    unhealthy: str | None = None
    """The instance reported to Auto Scaling last."""
    unhealthy_at: float = 0.0
    rejoin: dict[str, str] = field(default_factory=dict)
    """Workers asked to leave and join again: ``{instance: ticket}``."""
    updated: float = 0.0


@dataclass(frozen=True)
class Marker(Document):
    """On the node's own disk: which epoch its swarm state belongs to. Written before the state is made."""

    epoch: int = 0
    swarm_id: str | None = None
    stage: str = "ready"
    """``restore`` while a snapshot is being put in place: such a state is not trusted."""
    launched: bool = False
    """The launch hook has been completed."""
    rejoined: str | None = None
    """The last rejoin ticket that this worker followed."""
