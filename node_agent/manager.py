"""A manager's pass: look at the world, decide one thing, do it. Any effect may fail, or be the last before a crash."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from node_agent import snapshots
from node_agent.config import AgentConfig
from node_agent.decide import Action, Do, View, decide
from node_agent.memory import Memory
from node_agent.ports import (
    AwayError,
    Clock,
    Cloud,
    ConflictError,
    Group,
    Host,
    Identity,
    Node,
    NoLeaderError,
    Secrets,
    SnapshotError,
    Store,
    Swarm,
    SwarmError,
    SwarmState,
)
from node_agent.quorum import GoneTracker
from node_agent.records import (
    CLOSING,
    LEDGER,
    RECORD,
    SNAPSHOTS,
    STATUS,
    STEWARD,
    Entry,
    Marker,
    Member,
    Phase,
    Record,
    Steward,
)
from node_agent.steward import (
    LEAVING_STATES,
    StewardView,
    missing_workers,
    published_values,
    steward,
    wanted_labels,
)

AGAIN, BUSY, QUIET = 0.5, 3.0, 10.0
"""Seconds between passes when something was done, while something is awaited, and when nothing is."""
EC2_EVERY = 8.0
"""Seconds between readings of EC2."""
SECRETS_EVERY = 60.0
"""Seconds between readings of the published secrets by the leader, which is the one that writes them."""
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


class Manager:
    """The agent on a manager instance."""

    def __init__(self, me: Identity, config: AgentConfig, ports: Ports) -> None:
        self.me, self.config, self.p = me, config, ports
        self.memory, self.tracker, self.facts = Memory(), GoneTracker(), Facts()
        self._ec2_read = -1e9
        self._heartbeat = -1e9
        self._seen_alive: dict[str, float] = {}
        self._published: dict[str, dict[str, Any]] = {}
        self._published_read = -1e9

    def step(self) -> float:
        """One pass. Returns the seconds to wait before the next."""
        started = self.p.clock.now()
        action, acted = Action(Do.WAIT), False
        try:
            seen = self._observe()
            action = decide(seen.view)
            self._hooks(seen.view, action)
            if action.do is Do.LEAD:
                action = self._lead(seen)
            else:
                self._execute(action, seen)
            self.facts.away = 0
        except ConflictError as error:
            self.p.log(action.do, "conflict", error=str(error), why=action.why)
        except AwayError as error:
            self.facts.away += 1
            self.p.log(action.do, "away", error=str(error), why=action.why)
        except (SwarmError, NoLeaderError, SnapshotError) as error:
            self.p.log(action.do, "failed", error=str(error), why=action.why)
        else:
            if action.do not in {Do.WAIT, Do.FOLLOW, Do.SETTLED, Do.IDLE}:
                acted = action.do is not Do.BLOCKED
                outcome = "done" if acted else "blocked"
                seconds = round(self.p.clock.now() - started, 3)
                self.p.log(action.do, outcome, why=action.why, target=action.target, seconds=seconds)
        self.facts.passed = self.p.clock.now()
        self.facts.blocked = action.why if action.do is Do.BLOCKED else ""
        if acted:
            return AGAIN
        quiet = action.do in {Do.FOLLOW, Do.SETTLED, Do.IDLE} and self.p.clock.now() - self._started_busy() > 60
        return QUIET if quiet else BUSY

    def _started_busy(self) -> float:
        return self.memory.since.get("self/busy", -1e9)

    # --- looking

    def _observe(self) -> Seen:
        p, now = self.p, self.p.clock.now()
        swarm = p.swarm.state()
        nodes = self._nodes(swarm)
        own = next((n for n in nodes or () if n.id == swarm.node_id), None)
        self.facts.has_leader = nodes is not None
        self.facts.leads = bool(own and own.leader)
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

    def _hooks(self, v: View, action: Action) -> None:
        """A lifecycle action is held as long as this node needs the time."""
        self.facts.hook_held = self.memory.lasting(v.now, "self", "leaving")
        if v.now - self._heartbeat < HEARTBEAT or action.do is Do.LET_GO:
            return
        if v.leaving == "hook":
            self._heartbeat = v.now
            self.p.cloud.heartbeat(TERMINATE)
        elif not v.leaving and not v.marker.launched:
            self._heartbeat = v.now
            self.p.cloud.heartbeat(LAUNCH)

    # --- doing: the node's own part

    def _execute(self, action: Action, seen: Seen) -> None:  # noqa: PLR0912, PLR0915  (one row per action)
        p, v = self.p, seen.view
        match action.do:
            case Do.LET_GO:
                p.cloud.complete(TERMINATE)
            case Do.UNLOCK:
                secret = p.secrets.get("managers") or {}
                p.swarm.unlock(str(secret.get("autolock_key", "")))
            case Do.LEAVE_FORCE:
                self._leave(v, seen, force=True)
            case Do.ENROL:
                self._enter(seen, Member.WAITING)
            case Do.START:
                self._put_record(seen, Record(epoch=1, holder=self.me.instance, phase=Phase.INIT))
            case Do.CLAIM_INIT:
                self._claim(seen, Phase.INIT)
            case Do.INIT:
                p.host.set_marker(Marker(epoch=_epoch(v)))
                self._still(seen)
                p.swarm.init()
            case Do.FINISH_INIT:
                self._finish(seen, redirect=None, recovered=None)
            case Do.JOIN:
                self._join(action.target, seen)
            case Do.RECORD:
                self._enter(seen, Member.LEAVING if v.mine and v.mine.state == Member.LEAVING else Member.MEMBER)
            case Do.MARK_LEAVING:
                self._enter(seen, Member.LEAVING)
            case Do.LEAVE:
                p.swarm.leave(force=False)
                self._enter(seen, Member.LEFT)
            case Do.REJOIN:
                self._leave(v, seen, force=False)
            case Do.DEPART:
                if v.mine:
                    p.store.delete(LEDGER + self.me.instance + ".json", seen.ledger_etags[self.me.instance])
                p.cloud.complete(TERMINATE)
            case Do.POST:
                since = v.now - v.lasting.get("leaderless", 0)
                self._enter(seen, v.mine.state if v.mine else Member.MEMBER, leaderless=since, raft=p.host.raft())
            case Do.CLAIM | Do.CLAIM_RESTORE:
                self._claim(seen, Phase.RECOVER)
            case Do.SAVE_BASIS:
                self._save_basis(seen)
            case Do.FORCE:
                self._still(seen)
                p.swarm.init(force=True)
                p.host.set_marker(dataclasses.replace(v.marker, epoch=_epoch(v)))
            case Do.RESTORE:
                self._restore(seen)
            case Do.FINISH_RECOVER:
                self._finish_recover(seen)
            case _:
                pass
        if action.do in {Do.FOLLOW, Do.RECORD}:
            self._launched(v)

    def _put_record(self, seen: Seen, record: Record) -> None:
        record = dataclasses.replace(record, updated=self.p.clock.now())
        seen.record_etag = self.p.store.put(RECORD, record.to_json(), seen.record_etag)
        seen.view = dataclasses.replace(seen.view, record=record)

    def _still(self, seen: Seen) -> None:
        """Recount before what cannot be taken back: a paused process must not act on an old record."""
        found = self.p.store.get(RECORD)
        if (found.etag if found else None) != seen.record_etag:
            raise ConflictError("the record has changed since this pass began")

    def _claim(self, seen: Seen, phase: Phase) -> None:
        v = seen.view
        inside = v.swarm.inside and v.marker.epoch > 0 and v.marker.stage == "ready"
        old = v.record or Record(0, "", phase)
        record = Record(
            epoch=old.epoch + 1, holder=self.me.instance, phase=phase, swarm_id=old.swarm_id,
            redirect=old.redirect, from_epoch=v.marker.epoch if inside else None,
            basis=old.basis if not inside else None,
        )  # fmt: skip
        self._put_record(seen, record)

    def _enter(self, seen: Seen, state: str, **changes: Any) -> None:
        """Writes this instance's ledger entry."""
        v, now = seen.view, self.p.clock.now()
        mine = v.mine
        holds = state in {Member.MEMBER, Member.LEAVING}
        entry = Entry(
            instance=self.me.instance, address=self.me.address, zone=self.me.zone, hostname=self.me.hostname,
            state=state, epoch=_epoch(v), node_id=v.swarm.node_id if holds else None,
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

    def _leave(self, v: View, seen: Seen, force: bool) -> None:
        self.p.swarm.leave(force)
        self.p.host.set_marker(Marker(launched=v.marker.launched))
        if v.record is not None:
            self._enter(seen, Member.WAITING)

    def _join(self, ticket: str, seen: Seen) -> None:
        p, v = self.p, seen.view
        secret = p.secrets.get("managers") or {}
        if secret.get("epoch") != _epoch(v):
            raise AwayError("the managers' token of this epoch is not published yet")
        leader = v.steward.holder if v.steward else ""
        managers = sorted(
            (e for e in v.others() if e.state != Member.JOINING and e.instance not in v.gone),
            key=lambda e: (e.instance != leader, e.instance),
        )
        self._enter(seen, Member.JOINING, tried=ticket)
        p.host.set_marker(Marker(epoch=_epoch(v), launched=v.marker.launched))
        try:
            p.swarm.join(str(secret["token"]), [e.address for e in managers])
        except SwarmError:
            p.swarm.leave(force=True)
            self._enter(seen, Member.WAITING, tried=ticket)
            raise

    def _launched(self, v: View) -> None:
        if not v.marker.launched:
            self.p.cloud.complete(LAUNCH)
            self.p.host.set_marker(dataclasses.replace(v.marker, launched=True))

    # --- doing: beginning and recovering

    def _finish(self, seen: Seen, redirect: dict[str, str] | None, recovered: dict[str, Any] | None) -> None:
        """5, 14: everything that others need, and the phase last."""
        p, v = self.p, seen.view
        nodes, now_record = v.nodes, v.record
        if nodes is None or now_record is None:
            raise NoLeaderError("the new swarm has no leader yet")
        state = p.swarm.state()
        seen.view = v = dataclasses.replace(v, swarm=state)
        self._enter(seen, Member.MEMBER)
        self._still(seen)
        now = p.clock.now()
        ids = sorted(n.id for n in nodes if n.is_manager)
        fresh = Steward(holder=self.me.instance, epoch=_epoch(v), snapshot_at=now, snapshot_members=ids, rotated=now)
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
        self._put_record(seen, record)
        p.host.set_marker(dataclasses.replace(v.marker, swarm_id=state.swarm_id))

    def _save_basis(self, seen: Seen) -> None:
        v = seen.view
        if v.record is None:
            return
        key = snapshots.save(self.p.store, self.p.host, self.p.clock.now(), v.marker.epoch, v.record.swarm_id)
        self._put_record(seen, dataclasses.replace(v.record, basis=key))

    def _restore(self, seen: Seen) -> None:
        p, v = self.p, seen.view
        if v.record is None:
            return
        key, meta, archive = snapshots.newest_good(p.store, p.host.engine())
        if v.record.basis != key:
            self._put_record(seen, dataclasses.replace(v.record, basis=key))
        if v.swarm.inside:
            p.swarm.leave(force=True)
        p.host.set_marker(Marker(epoch=v.record.epoch, stage="restore", launched=v.marker.launched))
        self._still(seen)
        p.host.redirect({str(meta["address"]): self.me.address} if meta["address"] != self.me.address else {})
        p.host.restore(archive)
        if p.swarm.state().state == "locked":
            p.swarm.unlock(str((p.secrets.get("managers") or {}).get("autolock_key", "")))
        self._still(seen)
        p.swarm.init(force=True)
        p.host.set_marker(Marker(epoch=v.record.epoch, launched=v.marker.launched))
        p.log("restore", "restored", snapshot=key, data_as_of=meta["taken"])

    def _finish_recover(self, seen: Seen) -> None:
        v = seen.view
        own = next((n for n in v.nodes or () if n.id == v.swarm.node_id), None)
        if own is None or v.record is None:
            raise NoLeaderError("this manager is not in its own list yet")
        moved = own.address not in {"", self.me.address}
        taken = snapshots.taken_at(v.record.basis) if v.record.basis and v.record.from_epoch is None else v.now
        recovered = {"from": v.record.basis, "data_as_of": taken, "at": v.now, "by": self.me.instance}
        self._finish(seen, {own.address: self.me.address} if moved else None, recovered)
        self.p.log("recovered", "done", data_as_of=taken, epoch=_epoch(v), redirect=moved)

    # --- doing: the leader's part

    def _lead(self, seen: Seen) -> Action:
        v = seen.view
        view = self._steward_view(seen)
        action = steward(view)
        self._side_effects(action, seen, view)
        self._launched(v)
        self._tell(view, action)
        return action

    def _steward_view(self, seen: Seen) -> StewardView:
        p, v = self.p, seen.view
        nodes = v.nodes or ()
        if v.now - self._published_read >= SECRETS_EVERY:
            self._published = {name: p.secrets.get(name) or {} for name in ("managers", "workers")}
            self._published_read = v.now
        draining = [n for n in nodes if n.availability == "drain"]
        view = StewardView(
            view=v, nodes=nodes, groups=seen.groups, tokens=p.swarm.tokens(), published=self._published,
            running={n.id: p.swarm.running(n.id) for n in draining},
            in_service=frozenset(
                n.instance for n in nodes
                if not n.is_manager and n.availability != "drain" and _lifecycle(seen.groups, n) in LEAVING_STATES
                and p.cloud.in_service(n.instance)
            ),
            snapshot_minutes=self.config.snapshot_minutes, rotate_token_days=self.config.rotate_token_days,
            epoch=_epoch(v),
        )  # fmt: skip
        true = [f"unreachable {n.id}" for n in view.managers if not view.votes(n)]
        true += [f"ghost {n.id}" for n in view.managers if not view.votes(n) and view.entry_of(n) is None]
        true += [f"down {n.id}" for n in nodes if not n.ready]
        true += [f"drained {n.id}" for n in draining]
        true += [f"draining {n.instance}" for n in nodes if _lifecycle(seen.groups, n) in LEAVING_STATES]
        true += [f"missing {i}" for i in missing_workers(seen.groups, nodes)]
        self.memory.update(v.now, "steward", true)
        return dataclasses.replace(view, lasting=lambda name: self.memory.lasting(v.now, "steward", name))

    def _keep(self, seen: Seen, **changes: Any) -> None:
        """Holds or changes the stewardship by ETag: whoever loses it stops before any side effect."""
        v = seen.view
        old = v.steward or Steward(self.me.instance, _epoch(v))
        new = dataclasses.replace(old, holder=self.me.instance, epoch=_epoch(v), updated=self.p.clock.now(), **changes)
        seen.steward_etag = self.p.store.put(STEWARD, new.to_json(), seen.steward_etag)
        seen.view = dataclasses.replace(v, steward=new)

    def _side_effects(self, action: Action, seen: Seen, s: StewardView) -> None:  # noqa: PLR0912, PLR0915
        p, v, now = self.p, seen.view, self.p.clock.now()
        target = action.target
        match action.do:
            case Do.TAKE:
                self._keep(seen, admit=None, ticket=None)
            case Do.PUBLISH:
                self._keep(seen)
                self._still(seen)
                self._published_read = -1e9
                for name, value in published_values(s).items():
                    if s.published.get(name) != value:
                        p.secrets.put(name, value)
            case Do.REMOVE:
                node = next(n for n in s.nodes if n.id == target)
                if node.is_manager:  # one that a forced cluster left out of its raft cannot be demoted, only removed
                    p.swarm.demote(target)
                p.swarm.remove(target)
            case Do.DROP:
                p.store.delete(LEDGER + target + ".json", seen.ledger_etags[target])
            case Do.DRAIN:
                self._keep(seen)
                p.swarm.drain(target)
            case Do.DEMOTE | Do.CURE:
                self._keep(seen)
                p.swarm.demote(target)
            case Do.CLEAR:
                if v.record:
                    self._put_record(seen, dataclasses.replace(v.record, redirect=None))
            case Do.ADMIT:
                self._keep(seen, admit=target, ticket=p.host.new_id(), admitted=now)
            case Do.UNHEALTHY:
                self._keep(seen, unhealthy=target, unhealthy_at=now)
                p.cloud.set_unhealthy(target)
            case Do.UNPROTECT:
                self._keep(seen)
                p.cloud.unprotect(target)
            case Do.ASK_REJOIN:
                old = s.view.steward.rejoin if s.view.steward else {}
                kept = {i: t for i, t in old.items() if now - float(t) < 3600}
                self._keep(seen, rejoin={**kept, target: str(int(now))})
            case Do.LABEL:
                p.swarm.label(target, wanted_labels(next(n for n in s.nodes if n.id == target)))
            case Do.ROTATE:
                self._keep(seen, rotated=now)
                p.swarm.rotate()
            case Do.RECOVERED:
                self._keep(seen, rotated=now)
                p.swarm.rotate()
                if v.record:
                    self._put_record(seen, dataclasses.replace(v.record, rotate=False))
            case Do.SNAPSHOT:
                snapshots.save(p.store, p.host, now, s.epoch, v.swarm.swarm_id)
                snapshots.prune(p.store, self.config.snapshot_keep)
                self._keep(seen, snapshot_at=now, snapshot_members=sorted(n.id for n in s.managers))
            case _:
                if v.steward and now - v.steward.updated > 30:
                    self._keep(seen)

    def _tell(self, s: StewardView, action: Action) -> None:
        """status.json: what the readiness gate and a human read; the figures for the metrics."""
        v, facts = s.view, self.facts
        record = v.record
        held = v.steward
        facts.snapshot_at, facts.rotated = (held.snapshot_at, held.rotated) if held else (0.0, 0.0)
        facts.managers, facts.wanted = len(s.managers), s.wanted or 0
        facts.quorum = True
        zones = [n.zone for n in s.managers]
        counts = [zones.count(z) for z in set(zones)]
        facts.unbalanced = max(counts) - min(counts) if counts else 0
        facts.recovered_at = float((record.recovered or {}).get("at", 0)) if record else 0.0
        states = {n.id: _state(n) for n in s.nodes}
        expected = published_values(s)
        self.p.store.write(STATUS, {
            "version": 1, "epoch": s.epoch, "leader": v.me.instance, "updated": v.now,
            "tokens_published": all(s.published.get(n) == x for n, x in expected.items()),
            "recovery": record.recovered if record else None,
            "redirect": record.redirect if record else None,
            "doing": {"action": action.do, "why": action.why, "target": action.target},
            "wanted_managers": s.wanted,
            "nodes": [
                {"id": n.id, "hostname": n.hostname, "instance_id": n.instance, "zone": n.zone,
                 "role": "manager" if n.is_manager else "worker", "state": states[n.id],
                 "availability": n.availability,
                 "reachability": ("reachable" if n.reachable else "unreachable") if n.is_manager else None}
                for n in s.nodes
            ],
        })  # fmt: skip


def _state(node: Node) -> str:
    return "ready" if node.ready else "down"


def _epoch(v: View) -> int:
    return v.record.epoch if v.record else 0


def _wanted(groups: tuple[Group, ...]) -> int | None:
    managers = [g.desired for g in groups if g.role == "manager"]
    return sum(managers) if managers else None


def _lifecycle(groups: tuple[Group, ...], node: Node) -> str | None:
    return next((g.instances[node.instance] for g in groups if node.instance in g.instances), None)
