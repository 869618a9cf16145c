"""What a manager writes: the record by ETag, its own ledger entry, and its way out of a swarm."""

from __future__ import annotations

import dataclasses
from typing import Any

from node_agent.ports import ConflictError, Identity
from node_agent.records import LEDGER, RECORD, Entry, Marker, Member, Phase, Record
from node_agent.world import Ports, Seen, epoch_of


class Writes:
    """Writes of this instance; each needs the ETag that the pass read."""

    def __init__(self, me: Identity, ports: Ports) -> None:
        self.me, self.p = me, ports

    def record(self, seen: Seen, record: Record) -> None:
        """Changes the record."""
        record = dataclasses.replace(record, updated=self.p.clock.now())
        seen.record_etag = self.p.store.put(RECORD, record.to_json(), seen.record_etag)
        seen.view = dataclasses.replace(seen.view, record=record)

    def still(self, seen: Seen) -> None:
        """Recount before what cannot be taken back: a paused process must not act on an old record."""
        found = self.p.store.get(RECORD)
        if (found.etag if found else None) != seen.record_etag:
            raise ConflictError("the record has changed since this pass began")

    def claim(self, seen: Seen, phase: Phase) -> None:
        """Takes the record over: the next epoch, this holder."""
        v = seen.view
        inside = v.swarm.inside and v.marker.epoch > 0 and v.marker.stage == "ready"
        old = v.record or Record(0, "", phase)
        record = Record(
            epoch=old.epoch + 1, holder=self.me.instance, phase=phase, swarm_id=old.swarm_id,
            redirect=old.redirect, from_epoch=v.marker.epoch if inside else None,
            basis=old.basis if not inside else None,
        )  # fmt: skip
        self.record(seen, record)

    def enter(self, seen: Seen, state: str, **changes: Any) -> None:
        """Writes this instance's ledger entry."""
        v, now = seen.view, self.p.clock.now()
        mine = v.mine
        holds = state in {Member.MEMBER, Member.LEAVING}
        entry = Entry(
            instance=self.me.instance, address=self.me.address, zone=self.me.zone, hostname=self.me.hostname,
            state=state, epoch=epoch_of(v), node_id=v.swarm.node_id if holds else None,
            tried=mine.tried if mine else None,
            since=mine.since if mine and mine.state == state else now, updated=now,
        )  # fmt: skip
        if state == Member.LEFT and mine:
            entry = dataclasses.replace(entry, node_id=mine.node_id)
        entry = dataclasses.replace(entry, **changes)
        key = LEDGER + self.me.instance + ".json"
        seen.ledger_etags[self.me.instance] = self.p.store.put(
            key, entry.to_json(), seen.ledger_etags.get(self.me.instance)
        )
        seen.view = dataclasses.replace(v, ledger={**v.ledger, self.me.instance: entry})

    def leave(self, seen: Seen, force: bool) -> None:
        """Out of the swarm, and back among those that wait."""
        v = seen.view
        self.p.swarm.leave(force)
        self.p.host.set_marker(Marker(launched=v.marker.launched))
        if v.record is not None:
            self.enter(seen, Member.WAITING)
