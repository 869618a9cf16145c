"""This machine: its marker, its redirect, its raft state."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

from node_agent import daemon, freeze
from node_agent.engine import DockerSwarm
from node_agent.files import write_atomically
from node_agent.ports import Snapshot
from node_agent.raft import last_entry
from node_agent.records import Marker
from node_agent.redirect import Redirect

MARKER = Path("/var/lib/timonel/node.json")
RAFT = freeze.STATE / "raft" / "wal-v3-encrypted"


class LinuxHost:
    """Disk and rules of this instance."""

    def __init__(self, swarm: DockerSwarm) -> None:
        self._swarm, self._redirect = swarm, Redirect()

    def marker(self) -> Marker:
        """The marker; an empty one when there is none."""
        return Marker.from_json(json.loads(MARKER.read_text())) if MARKER.exists() else Marker()

    def set_marker(self, marker: Marker) -> None:
        """Writes the marker, durably."""
        write_atomically(MARKER, json.dumps(marker.to_json()).encode(), 0o600)

    def redirect(self, rules: dict[str, str]) -> None:
        """Exactly these old addresses lead to these new ones on port 2377."""
        self._redirect.apply(rules)

    def snapshot(self) -> Snapshot:
        """Freezes dockerd, copies the raft state, thaws it."""
        self._swarm.seal()
        engine, address = self._swarm.engine(), self._swarm.raft_address()
        archive, last, _ = freeze.copy_state()
        return Snapshot(archive, last, engine, address)

    def restore(self, archive: bytes) -> None:
        """Puts a raft state in place of the present one and starts dockerd on it."""
        daemon.stop()
        freeze.put_state(archive)
        daemon.start()

    def engine(self) -> str:
        """Version of dockerd."""
        return self._swarm.engine()

    def raft(self) -> tuple[int, int]:
        """(term, index) of the last entry in the raft log on this disk."""
        return last_entry(RAFT)

    def new_id(self) -> str:
        """A fresh unique word."""
        return uuid.uuid4().hex


class WallClock:
    """Time of this machine."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)
