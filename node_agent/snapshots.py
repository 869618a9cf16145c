"""Raft snapshots in the bucket: the archive, and beside it checksum, engine version and the address in the raft.

A snapshot holds the swarm's CA key, every secret and the tokens: it lies under the managers' key and is never logged.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from node_agent.ports import Host, SnapshotError, Store
from node_agent.records import SNAPSHOTS


def name_of(now: float, epoch: int, index: int) -> str:
    """``<time>-<epoch>-<raft index>``: sorts by time."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{epoch:06d}-{index:012d}"


def taken_at(key: str) -> float:
    """When the snapshot of this key was taken, seconds since the epoch."""
    stamp = key.rsplit("/", 1)[-1].split("-", 1)[0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def save(store: Store, host: Host, now: float, epoch: int, swarm_id: str | None) -> str:
    """Takes a snapshot and uploads it; the description goes last, so that a half-made one does not count.

    Returns:
        The key of the archive.
    """
    snapshot = host.snapshot()
    key = SNAPSHOTS + name_of(now, epoch, snapshot.raft[1]) + ".tar.gz"
    store.put_bytes(key, snapshot.archive)
    store.write(_meta(key), {
        "version": 1, "sha256": hashlib.sha256(snapshot.archive).hexdigest(), "bytes": len(snapshot.archive),
        "engine": snapshot.engine, "epoch": epoch, "raft": list(snapshot.raft), "taken": now,
        "address": snapshot.address, "swarm_id": swarm_id,
    })  # fmt: skip
    return key


def prune(store: Store, keep: int) -> None:
    """Deletes all but the newest ``keep`` snapshots, description first."""
    archives = [k for k in store.keys(SNAPSHOTS) if k.endswith(".tar.gz")]
    for key in archives[:-keep]:
        store.remove(_meta(key))
        store.remove(key)


def newest_good(store: Store, engine: str) -> tuple[str, dict[str, Any], bytes]:
    """The newest snapshot that is whole and not from a newer engine.

    Raises:
        SnapshotError: none is; says why each was passed over.
    """
    passed: list[str] = []
    for meta_key in sorted((k for k in store.keys(SNAPSHOTS) if k.endswith(".json")), reverse=True):
        key = meta_key.removesuffix(".json") + ".tar.gz"
        found = store.get(meta_key)
        if found is None:
            continue
        meta = found.body
        if _version(str(meta.get("engine", ""))) > _version(engine):
            passed.append(f"{key}: made by engine {meta.get('engine')}, this one is {engine}")
            continue
        archive = store.get_bytes(key)
        if hashlib.sha256(archive).hexdigest() != meta.get("sha256"):
            passed.append(f"{key}: checksum differs")
            continue
        return key, meta, archive
    raise SnapshotError("no good snapshot: " + ("; ".join(passed) or "there is none"))


def _meta(key: str) -> str:
    return key.removesuffix(".tar.gz") + ".json"


def _version(text: str) -> tuple[int, ...]:
    """(major, minor): a raft store of the same minor version can be read."""
    return tuple(int(x) for x in re.findall(r"\d+", text)[:2])
