"""Beginning and recovering a swarm: every step can be done again after a crash."""

from __future__ import annotations

import dataclasses
from typing import Any

from node_agent import snapshots
from node_agent.ports import Identity, NoLeaderError, SwarmError
from node_agent.records import STEWARD, Marker, Member, Phase, Steward
from node_agent.steward import StewardView, published_values
from node_agent.world import Ports, Seen, epoch_of
from node_agent.writes import Writes


class Recovery:
    """The holder's part."""

    def __init__(self, me: Identity, ports: Ports, writes: Writes) -> None:
        self.me, self.p, self.writes = me, ports, writes

    def finish(self, seen: Seen, redirect: dict[str, str] | None, recovered: dict[str, Any] | None) -> None:
        """5, 14: everything that others need, and the phase last."""
        p, v = self.p, seen.view
        nodes, now_record = v.nodes, v.record
        if nodes is None or now_record is None:
            raise NoLeaderError("the new swarm has no leader yet")
        state = p.swarm.state()
        seen.view = v = dataclasses.replace(v, swarm=state)
        self.writes.enter(seen, Member.MEMBER)
        self.writes.still(seen)
        now = p.clock.now()
        ids = sorted(n.id for n in nodes if n.is_manager)
        fresh = Steward(holder=self.me.instance, epoch=epoch_of(v), snapshot_at=now, snapshot_members=ids, rotated=now)
        old = v.steward
        if recovered and old:
            fresh = dataclasses.replace(fresh, rotated=old.rotated)
        seen.steward_etag = p.store.put(STEWARD, dataclasses.replace(fresh, updated=now).to_json(), seen.steward_etag)
        record = dataclasses.replace(
            now_record, phase=Phase.LIVE, swarm_id=state.swarm_id, redirect=redirect, basis=None, from_epoch=None,
            recovered=recovered, rotate=recovered is not None,
        )  # fmt: skip
        view = StewardView(
            view=dataclasses.replace(v, record=record, steward=fresh), nodes=nodes, groups=(),
            tokens=p.swarm.tokens(), published={}, epoch=record.epoch,
        )  # fmt: skip
        for name, value in published_values(view).items():
            p.secrets.put(name, value)
        snapshots.save(p.store, p.host, p.clock.now(), record.epoch, state.swarm_id)
        self.writes.record(seen, record)
        p.host.set_marker(dataclasses.replace(v.marker, swarm_id=state.swarm_id))

    def save_basis(self, seen: Seen) -> None:
        """12: the survivor's state is safe before the others give up theirs."""
        v = seen.view
        if v.record is None:
            return
        key = snapshots.save(self.p.store, self.p.host, self.p.clock.now(), v.marker.epoch, v.record.swarm_id)
        self.writes.record(seen, dataclasses.replace(v.record, basis=key))

    def restore(self, seen: Seen) -> None:
        """14: the newest good snapshot becomes this node's state, and a new cluster."""
        p, v = self.p, seen.view
        if v.record is None:
            return
        key, meta, archive = snapshots.newest_good(p.store, p.host.engine())
        if v.record.basis != key:
            self.writes.record(seen, dataclasses.replace(v.record, basis=key))
        if v.swarm.inside:
            p.swarm.leave(force=True)
        p.host.set_marker(Marker(epoch=v.record.epoch, stage="restore", launched=v.marker.launched))
        self.writes.still(seen)
        p.host.redirect({str(meta["address"]): self.me.address} if meta["address"] != self.me.address else {})
        p.host.restore(archive)
        self._unlock()
        self.writes.still(seen)
        p.swarm.init(force=True)
        p.host.set_marker(Marker(epoch=v.record.epoch, launched=v.marker.launched))
        p.log("restore", "restored", snapshot=key, data_as_of=meta["taken"])

    def _unlock(self) -> None:
        """Autolock: dockerd opens the state, but finds no leader and says that it gave up waiting for one."""
        if self.p.swarm.state().state != "locked":
            return
        key = str((self.p.secrets.get("managers") or {}).get("autolock_key", ""))
        try:
            self.p.swarm.unlock(key)
        except SwarmError as error:
            if self.p.swarm.state().state == "locked":
                raise
            self.p.log("unlock", "done", error=str(error))

    def finish_recover(self, seen: Seen) -> None:
        """14: publish the recovered swarm."""
        v = seen.view
        own = next((n for n in v.nodes or () if n.id == v.swarm.node_id), None)
        if own is None or v.record is None:
            raise NoLeaderError("this manager is not in its own list yet")
        moved = own.address not in {"", self.me.address}
        taken = snapshots.taken_at(v.record.basis) if v.record.basis and v.record.from_epoch is None else v.now
        recovered = {"from": v.record.basis, "data_as_of": taken, "at": v.now, "by": self.me.instance}
        self.finish(seen, {own.address: self.me.address} if moved else None, recovered)
        self.p.log("recovered", "done", data_as_of=taken, epoch=epoch_of(v), redirect=moved)
