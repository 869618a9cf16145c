"""Who is gone for good, and whether what is left can ever be a majority. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from node_agent.records import Entry, Member

TWICE = 30.0
"""Seconds between the two readings that make an instance gone: one reading of EC2 may be wrong."""
FORGOTTEN = 3600.0
"""EC2 forgets a terminated instance after about an hour; an id that it denies earlier proves nothing."""


@dataclass
class GoneTracker:
    """Remembers since when EC2 has called each instance terminated, without a word to the contrary."""

    first: dict[str, float] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def observe(self, now: float, states: Mapping[str, str], seen: Mapping[str, float]) -> frozenset[str]:
        """One reading. ``seen``: when each instance last proved that it ran. Ids without an answer keep what they had.

        Returns:
            The instances that are gone: terminated, or unknown to EC2 though seen over an hour ago, on readings at
            least 30 s apart.
        """
        for instance, state in states.items():
            ended = state == "terminated" or (
                state == "not-found" and instance in seen and now - seen[instance] > FORGOTTEN
            )
            if not ended:
                self.first.pop(instance, None)
                self.gone.discard(instance)
            elif now - self.first.setdefault(instance, now) >= TWICE:
                self.gone.add(instance)
        return frozenset(self.gone)


def majority(members: int) -> int:
    """Votes that a raft of this size needs."""
    return members // 2 + 1


def is_dead(entry: Entry, gone: frozenset[str]) -> bool:
    """Whether this member will never speak again: its instance is gone, or a human said so."""
    return entry.instance in gone or entry.fenced


def quorum_lost(
    me: str, my_node: str, ledger: Mapping[str, Entry], remotes: tuple[tuple[str, str], ...], gone: frozenset[str]
) -> bool:
    """Whether the raft can never have a majority again, whichever of the possible member lists is the true one.

    Two witnesses must agree. The ledger: every member is in it, and perhaps joiners that never got in. And dockerd's
    own list of managers; where it knows nobody (a restart without a leader), the ledger's settled members instead.
    """
    holding = {e.instance: e for e in ledger.values() if e.holds}
    if _alive(me, holding, gone) >= majority(len(set(holding) | {me})):
        return False
    alive, everyone = {my_node}, {my_node}
    for node, address in remotes:
        entry = _entry_of(node, address, ledger)
        if entry is None or node == my_node:
            continue  # its ledger entry is deleted only after the raft let go of it
        everyone.add(node)
        another_life = entry.instance == me or entry.state in {Member.WAITING, Member.LEFT}
        another_life = another_life or (entry.node_id is not None and entry.node_id != node)
        if not another_life and not is_dead(entry, gone):
            alive.add(node)
    if len(everyone) > 1:
        return len(alive) < majority(len(everyone))
    settled = {i: e for i, e in holding.items() if e.state != Member.JOINING}
    return _alive(me, settled, gone) < majority(len(set(settled) | {me}))


def _alive(me: str, entries: Mapping[str, Entry], gone: frozenset[str]) -> int:
    return len({i for i, e in entries.items() if not is_dead(e, gone)} | {me})


def _entry_of(node: str, address: str, ledger: Mapping[str, Entry]) -> Entry | None:
    by_node = next((e for e in ledger.values() if e.node_id == node), None)
    here = [e for e in ledger.values() if e.address == address]  # more than one: EC2 gave the address out again
    return by_node or next((e for e in here if e.node_id is None), here[0] if here else None)
