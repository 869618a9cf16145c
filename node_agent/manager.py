"""A manager's pass: look at the world, decide one thing, do it. Any effect may fail, or be the last before a crash."""

from __future__ import annotations

import dataclasses

from node_agent.closing import let_go_blindly
from node_agent.config import AgentConfig
from node_agent.decide import Action, Do, View, decide
from node_agent.lead import Lead
from node_agent.observe import Observer
from node_agent.ports import AwayError, ConflictError, Identity, NoLeaderError, SnapshotError, SwarmError
from node_agent.records import LEDGER, Marker, Member, Phase, Record
from node_agent.recovery import Recovery
from node_agent.world import HEARTBEAT, LAUNCH, TERMINATE, Facts, Ports, Seen, epoch_of
from node_agent.writes import Writes

AGAIN, BUSY, QUIET = 0.5, 3.0, 10.0
"""Seconds between passes when something was done, while something is awaited, and when nothing is."""


class Manager:
    """The agent on a manager instance."""

    def __init__(self, me: Identity, config: AgentConfig, ports: Ports) -> None:
        self.me, self.p, self.facts = me, ports, Facts()
        self.observer = Observer(me, ports, self.facts)
        self.memory = self.observer.memory
        self.writes = Writes(me, ports)
        self.recovery = Recovery(me, ports, self.writes)
        self.leading = Lead(config, ports, self.writes, self.memory, self.facts)
        self._heartbeat = -1e9

    def step(self) -> float:
        """One pass. Returns the seconds to wait before the next."""
        started = self.p.clock.now()
        action, acted = Action(Do.WAIT), False
        try:
            seen = self.observer.observe()
            action = decide(seen.view)
            self._hooks(seen.view, action)
            if action.do is Do.LEAD:
                action = self.leading.lead(seen)
                self._launched(seen.view)
            else:
                self._execute(action, seen)
            self.facts.away = 0
        except ConflictError as error:
            self.p.log(action.do, "conflict", error=str(error), why=action.why)
        except AwayError as error:
            self.facts.away += 1
            self.p.log(action.do, "away", error=str(error), why=action.why)
            let_go_blindly(self.p)
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

    def _execute(self, action: Action, seen: Seen) -> None:  # noqa: PLR0912, PLR0915  (one row per action)
        p, v = self.p, seen.view
        match action.do:
            case Do.LET_GO:
                p.cloud.complete(TERMINATE)
            case Do.UNLOCK:
                secret = p.secrets.get("managers") or {}
                p.swarm.unlock(str(secret.get("autolock_key", "")))
            case Do.LEAVE_FORCE:
                self.writes.leave(seen, force=True)
            case Do.ENROL:
                self.writes.enter(seen, Member.WAITING)
            case Do.START:
                self.writes.record(seen, Record(epoch=1, holder=self.me.instance, phase=Phase.INIT))
            case Do.CLAIM_INIT:
                self.writes.claim(seen, Phase.INIT)
            case Do.INIT:
                p.host.set_marker(Marker(epoch=epoch_of(v)))
                self.writes.still(seen)
                p.swarm.init()
            case Do.FINISH_INIT:
                self.recovery.finish(seen, redirect=None, recovered=None)
            case Do.JOIN:
                self._join(action.target, seen)
            case Do.RECORD:
                self.writes.enter(seen, Member.LEAVING if v.mine and v.mine.state == Member.LEAVING else Member.MEMBER)
            case Do.MARK_LEAVING:
                self.writes.enter(seen, Member.LEAVING)
            case Do.LEAVE:
                p.swarm.leave(force=False)
                self.writes.enter(seen, Member.LEFT)
            case Do.REJOIN:
                self.writes.leave(seen, force=False)
            case Do.DEPART:
                if v.mine:
                    p.store.delete(LEDGER + self.me.instance + ".json", seen.ledger_etags[self.me.instance])
                p.cloud.complete(TERMINATE)
            case Do.POST:
                since = v.now - v.lasting.get("leaderless", 0)
                self.writes.enter(seen, v.mine.state if v.mine else Member.MEMBER, leaderless=since, raft=p.host.raft())
            case Do.CLAIM | Do.CLAIM_RESTORE:
                self.writes.claim(seen, Phase.RECOVER)
            case Do.SAVE_BASIS:
                self.recovery.save_basis(seen)
            case Do.FORCE:
                self.writes.still(seen)
                p.swarm.init(force=True)
                p.host.set_marker(dataclasses.replace(v.marker, epoch=epoch_of(v)))
            case Do.RESTORE:
                self.recovery.restore(seen)
            case Do.FINISH_RECOVER:
                self.recovery.finish_recover(seen)
            case _:
                pass
        if action.do in {Do.FOLLOW, Do.RECORD}:
            self._launched(v)

    def _join(self, ticket: str, seen: Seen) -> None:
        p, v = self.p, seen.view
        secret = p.secrets.get("managers") or {}
        if secret.get("epoch") != epoch_of(v):
            raise AwayError("the managers' token of this epoch is not published yet")
        leader = v.steward.holder if v.steward else ""
        managers = sorted(
            (e for e in v.others() if e.state != Member.JOINING and e.instance not in v.gone),
            key=lambda e: (e.instance != leader, e.instance),
        )
        self.writes.enter(seen, Member.JOINING, tried=ticket)
        p.host.set_marker(Marker(epoch=epoch_of(v), launched=v.marker.launched))
        try:
            p.swarm.join(str(secret["token"]), [e.address for e in managers])
        except SwarmError:
            p.swarm.leave(force=True)
            self.writes.enter(seen, Member.WAITING, tried=ticket)
            raise

    def _launched(self, v: View) -> None:
        if not v.marker.launched:
            self.p.cloud.complete(LAUNCH)
            self.p.host.set_marker(dataclasses.replace(v.marker, launched=True))
