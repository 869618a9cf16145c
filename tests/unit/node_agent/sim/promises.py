"""What holds at every moment, whatever the agents do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node_agent.records import Phase
from tests.unit.node_agent.sim.parts import BrokenPromiseError, Host, Raft

if TYPE_CHECKING:
    from tests.unit.node_agent.sim.world import World


def check_force(world: World, host: Host) -> None:
    """One recoverer an epoch, and nobody fences a majority that could still speak."""
    record = world.record()
    if record is None:
        raise BrokenPromiseError("forced without a record")
    if record.holder == host.instance and record.phase == Phase.RECOVER:
        who = world.forced.setdefault(record.epoch, set())
        who.add(host.instance)
        if len(who) > 1:
            raise BrokenPromiseError(f"two recoverers in epoch {record.epoch}: {who}")
    parent = host.copy
    if parent is None:
        return
    raft = world.rafts[parent.id]
    fenced = {e.instance for e in world.ledger().values() if e.fenced}
    could = [
        n for n, (i, _) in raft.members.items()
        if world.hosts[i].up and i not in fenced and i != host.instance and world.states[i][-1][1] != "terminated"
        and world.hosts[i].raft == raft.id and world.hosts[i].node_id == n
    ]  # fmt: skip
    if len(could) >= len(raft.members) // 2 + 1:
        raise BrokenPromiseError(f"{host.instance} forces a new cluster while {could} could be a majority")
    if could:
        raise BrokenPromiseError(f"{host.instance} forces a new cluster while {could} still hold the old state")


def check_leave(world: World, host: Host, raft: Raft) -> None:
    """A manager that leaves by force must not take the quorum of a living swarm with it."""
    if raft.leader is None:
        return
    left = set(world._seen_by(raft, raft.leader)) - {host.node_id}
    record = world.record()
    stale = record is not None and host.marker.epoch != record.epoch
    if len(left) < len(raft.members) // 2 + 1 and len(raft.members) > 1 and not stale:
        raise BrokenPromiseError(f"{host.instance} leaves by force and gives the quorum away")


def check_record(world: World) -> None:
    """Epochs only rise; one writer at a time is what the ETag is for."""
    record = world.record()
    if record is None:
        return
    last = getattr(world, "last_epoch", 0)
    if record.epoch < last:
        raise BrokenPromiseError(f"epoch fell from {last} to {record.epoch}")
    world.last_epoch = record.epoch  # type: ignore[attr-defined]
