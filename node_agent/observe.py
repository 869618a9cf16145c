"""What a manager sees in a pass, and what it remembers from pass to pass."""

from __future__ import annotations

import dataclasses

from node_agent.decide import View
from node_agent.memory import Memory
from node_agent.ports import AwayError, Group, Identity, Node, NoLeaderError, SwarmState
from node_agent.quorum import GoneTracker
from node_agent.records import CLOSING, LEDGER, RECORD, SNAPSHOTS, STEWARD, Entry, Member, Phase, Record, Steward
from node_agent.world import Facts, Ports, Seen

EC2_EVERY = 8.0
"""Seconds between readings of EC2."""


class Observer:
    """Reads the world."""

    def __init__(self, me: Identity, ports: Ports, facts: Facts) -> None:
        self.me, self.p, self.facts = me, ports, facts
        self.memory, self.tracker = Memory(), GoneTracker()
        self._ec2_read = -1e9
        self._seen_alive: dict[str, float] = {}

    def observe(self) -> Seen:
        """Everything that a decision may look at."""
        p, now = self.p, self.p.clock.now()
        try:
            swarm = p.swarm.state()
        except AwayError:
            self.facts.has_leader = self.facts.leads = False  # a hung dockerd must not look healthy
            raise
        nodes = self._nodes(swarm)
        own = next((n for n in nodes or () if n.id == swarm.node_id), None)
        self.facts.has_leader = nodes is not None
        self.facts.leads = bool(own and own.leader)
        self.facts.led = self.facts.led and self.facts.leads
        closing = bool(p.store.keys(CLOSING))
        leaving = p.cloud.leaving()
        found = p.store.get(RECORD)
        record = Record.from_json(found.body) if found else None
        ledger, etags = self._ledger()
        held = p.store.get(STEWARD)
        groups = tuple(p.cloud.groups()) if leaving or (own and own.leader) else ()
        gone = self._gone(now, record, ledger)
        view = View(
            me=self.me, now=now, closing=closing, record=record, ledger=ledger,
            has_snapshot=record is None and bool(p.store.keys(SNAPSHOTS)),
            swarm=swarm, nodes=tuple(nodes) if nodes is not None else None, marker=p.host.marker(), gone=gone,
            steward=Steward.from_json(held.body) if held else None, steward_age=held.age if held else 1e9,
            leaving=leaving, wanted=_wanted(groups), local_tasks=p.swarm.local_tasks() if leaving else 0,
        )  # fmt: skip
        seen = Seen(view, found.etag if found else None, etags, held.etag if held else None, groups)
        seen.view = dataclasses.replace(view, lasting=self._lasting(view))
        if record:
            self.facts.epoch = record.epoch
            self.facts.live = record.phase == Phase.LIVE
            self.facts.holder_dead = not self.facts.live and seen.view.holder_dead
            p.host.redirect(record.redirect or {})
        return seen

    def _nodes(self, swarm: SwarmState) -> list[Node] | None:
        if not swarm.control or swarm.state != "active":
            return None
        try:
            return self.p.swarm.nodes()
        except NoLeaderError:
            return None

    def _ledger(self) -> tuple[dict[str, Entry], dict[str, str]]:
        ledger, etags = {}, {}
        for key in self.p.store.keys(LEDGER):
            found = self.p.store.get(key)
            if found:
                entry = Entry.from_json(found.body)
                ledger[entry.instance], etags[entry.instance] = entry, found.etag
                self._seen_alive[entry.instance] = max(entry.updated, self._seen_alive.get(entry.instance, 0))
        return ledger, etags

    def _gone(self, now: float, record: Record | None, ledger: dict[str, Entry]) -> frozenset[str]:
        ids = set(ledger) | ({record.holder} if record else set())
        ids.discard(self.me.instance)
        if record:
            self._seen_alive.setdefault(record.holder, record.updated)
        if now - self._ec2_read < EC2_EVERY:
            return frozenset(self.tracker.gone)
        self._ec2_read = now
        try:
            states = self.p.cloud.instance_states(ids) if ids else {}
        except AwayError as error:
            self.p.log("ec2", "away", error=str(error))
            states = {}
        return self.tracker.observe(now, states, self._seen_alive)

    def _lasting(self, v: View) -> dict[str, float]:
        demoted = v.swarm.inside and not v.swarm.control and v.trusted
        mine = v.mine
        unlisted = v.swarm.control and (mine is None or mine.node_id != v.swarm.node_id)
        true = {
            "leaderless": v.swarm.control and v.nodes is None,
            "orphaned": not v.swarm.inside and v.abandoned,
            "worker": demoted, "error": v.swarm.state == "error", "leaving": bool(v.leaving),
            "departed": bool(v.leaving) and mine is not None and mine.state == Member.LEFT,
            "unlisted": unlisted,
        }  # fmt: skip
        self.memory.update(v.now, "self", [n for n, holds in true.items() if holds] + self._busy(v))
        return {name: self.memory.lasting(v.now, "self", name) for name in true}

    def _busy(self, v: View) -> list[str]:
        settled = v.record is not None and v.record.phase == Phase.LIVE and v.nodes is not None
        settled = settled and all(e.state == Member.MEMBER for e in v.ledger.values()) and not v.leaving
        return [] if settled else ["busy"]


def _wanted(groups: tuple[Group, ...]) -> int | None:
    managers = [g.desired for g in groups if g.role == "manager"]
    return sum(managers) if managers else None
