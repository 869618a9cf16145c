"""What the agent needs of the world. The real ones talk to AWS and dockerd; the simulator has its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from node_agent.records import Marker


class AwayError(Exception):
    """AWS or dockerd did not answer, or throttled: nothing is known, try again later."""


class ConflictError(Exception):
    """Somebody else wrote first (412): read again."""


class NoLeaderError(Exception):
    """The swarm has no leader, or this manager cannot reach it."""


class SwarmError(Exception):
    """Dockerd refused, with its own words."""


class SnapshotError(Exception):
    """A snapshot that must not be restored: says which and why."""


@dataclass(frozen=True)
class Identity:
    """Who this node is, from IMDSv2."""

    instance: str
    address: str
    zone: str
    hostname: str


@dataclass(frozen=True)
class Versioned:
    """An object of the state bucket."""

    body: dict[str, Any]
    etag: str
    age: float
    """Seconds since it was written, by the bucket's own clock."""


@dataclass(frozen=True)
class SwarmState:
    """The local dockerd's word on its swarm."""

    state: str
    """inactive, pending, active, error or locked."""
    node_id: str = ""
    swarm_id: str | None = None
    control: bool = False
    """This node is a manager."""
    remotes: tuple[tuple[str, str], ...] = ()
    """(node id, address) of the managers it knows; answers without quorum too."""
    error: str = ""

    @property
    def inside(self) -> bool:
        """Whether there is any swarm state on this node."""
        return self.state != "inactive"


@dataclass(frozen=True)
class Node:
    """A row of ``docker node ls``."""

    id: str
    hostname: str
    role: str
    ready: bool
    availability: str
    address: str
    """Where the raft or the dispatcher sees it, without port."""
    raft: bool = False
    """Has a place in the raft."""
    reachable: bool = False
    """Managers: the leader reaches it."""
    leader: bool = False
    instance: str = ""
    """From the engine label ``timonel.instance``."""
    zone: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    engine_labels: dict[str, str] = field(default_factory=dict)

    @property
    def is_manager(self) -> bool:
        """Whether it has a place in the raft: what it shall be (``role``) lags behind and survives a recovery."""
        return self.raft


@dataclass(frozen=True)
class Service:
    """A row of ``docker service ls``."""

    name: str
    wanted: int
    """Tasks that it shall have."""
    running: int


@dataclass(frozen=True)
class Tokens:
    """Join tokens and the unlock key."""

    manager: str
    worker: str
    unlock: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """A raft snapshot: secret material."""

    archive: bytes
    raft: tuple[int, int]
    engine: str
    address: str
    """The address that this member has in the raft."""


@dataclass(frozen=True)
class Group:
    """An Auto Scaling group of this cluster."""

    name: str
    role: str
    desired: int
    instances: dict[str, str]
    """Instance id to lifecycle state."""
    protected: frozenset[str] = frozenset()
    """Instances that a smaller size does not take."""
    unhealthy: frozenset[str] = frozenset()
    """Instances that the group takes for dead, and replaces."""


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class Store(Protocol):
    """The state bucket. Every method raises AwayError when the bucket does not answer."""

    def get(self, key: str) -> Versioned | None:
        """One JSON object."""

    def put(self, key: str, body: dict[str, Any], etag: str | None) -> str:
        """Writes if unchanged since ``etag``; None: only if absent. Raises ConflictError. Returns the new ETag."""

    def write(self, key: str, body: dict[str, Any]) -> None:
        """Writes, whatever was there."""

    def delete(self, key: str, etag: str) -> None:
        """Deletes if unchanged. Raises ConflictError; absent is fine."""

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix, sorted."""

    def put_bytes(self, key: str, data: bytes) -> None:
        """Writes a blob."""

    def get_bytes(self, key: str) -> bytes:
        """Reads a blob."""

    def remove(self, key: str) -> None:
        """Deletes, whatever is there."""


class Secrets(Protocol):
    """Secrets Manager: ``ca``, ``managers``, ``workers``."""

    def get(self, name: str) -> dict[str, Any] | None:
        """The current value; None before the first."""

    def put(self, name: str, value: dict[str, Any]) -> None:
        """A new current value."""


class Cloud(Protocol):
    """EC2, Auto Scaling, load balancers and the instance's own metadata."""

    def instance_states(self, ids: set[str]) -> dict[str, str]:
        """EC2's word on each id; ``not-found`` where EC2 denies knowing it. Ids without an answer are absent."""

    def groups(self) -> list[Group]:
        """The cluster's groups. Empty proves nothing."""

    def set_unhealthy(self, instance: str) -> None:
        """Asks Auto Scaling to replace the instance."""

    def unprotect(self, instance: str) -> None:
        """Lifts the scale-in protection of one manager."""

    def release(self, instance: str) -> None:
        """Lets the termination of another manager go on. None pending is fine."""

    def complete(self, hook: str) -> None:
        """Lets this instance's lifecycle go on. None pending is fine."""

    def heartbeat(self, hook: str) -> None:
        """Holds this instance's lifecycle action. None pending is fine."""

    def leaving(self) -> str | None:
        """Why this instance is about to go: ``hook``, ``spot``; None: it is not."""

    def announce_leaving(self) -> None:
        """A spot notice came: has the group take this worker out through its termination hook."""

    def deregister(self, instance: str) -> None:
        """Takes the instance out of the services' target groups."""

    def in_service(self, instance: str) -> bool:
        """Whether a target group still counts or drains it."""


class Swarm(Protocol):
    """The local dockerd's swarm. Raises AwayError when dockerd does not answer."""

    def state(self) -> SwarmState:
        """``docker info``."""

    def nodes(self) -> list[Node]:
        """``docker node ls``. Raises NoLeaderError."""

    def init(self, force: bool = False) -> None:
        """``docker swarm init``; ``force`` makes a new cluster of the local state."""

    def join(self, token: str, managers: list[str]) -> None:
        """``docker swarm join``, one manager after the other, leaving by force in between. Raises SwarmError."""

    def leave(self, force: bool) -> None:
        """``docker swarm leave``; not being in one is fine."""

    def unlock(self, key: str) -> None:
        """``docker swarm unlock``."""

    def tokens(self) -> Tokens:
        """The swarm's own tokens. Raises NoLeaderError."""

    def rotate(self) -> None:
        """New join tokens (and unlock key)."""

    def demote(self, node: str) -> None:
        """``docker node demote``."""

    def remove(self, node: str) -> None:
        """``docker node rm --force`` by id."""

    def drain(self, node: str) -> None:
        """``docker node update --availability drain``."""

    def label(self, node: str, labels: dict[str, str]) -> None:
        """Sets the node's labels."""

    def running(self, node: str) -> int:
        """How many tasks run on a node. Raises NoLeaderError."""

    def local_tasks(self) -> int:
        """How many containers of the swarm run here; asks no manager."""


class Host(Protocol):
    """This machine's own disk and rules."""

    def marker(self) -> Marker:
        """The marker; an empty one when there is none."""

    def set_marker(self, marker: Marker) -> None:
        """Writes the marker, durably."""

    def redirect(self, rules: dict[str, str]) -> None:
        """Exactly these old addresses lead to these new ones on port 2377."""

    def snapshot(self) -> Snapshot:
        """Freezes dockerd, copies the raft state, thaws it."""

    def restore(self, archive: bytes) -> None:
        """Puts a raft state in place of the present one and starts dockerd on it."""

    def engine(self) -> str:
        """Version of dockerd."""

    def raft(self) -> tuple[int, int]:
        """(term, index) of the last entry in the raft log on this disk."""

    def new_id(self) -> str:
        """A fresh unique word."""
