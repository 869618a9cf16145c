"""A worker's pass: join, follow a redirect, come back when asked, and go without a lost request."""

# ruff: noqa: PLR0911  (a decision table reads best with one return per row)

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node_agent.closing import let_go_blindly
from node_agent.config import AgentConfig
from node_agent.decide import Action, Do
from node_agent.memory import Memory
from node_agent.ports import AwayError, Identity, SwarmError, SwarmState
from node_agent.records import CLOSING, Marker
from node_agent.world import HEARTBEAT, LAUNCH, TERMINATE, Facts, Ports

UNFIT = 120.0
"""Seconds that dockerd's swarm may be pending or in error before the worker starts afresh."""
DRAIN_LIMIT = 300.0
"""Seconds that a leaving worker waits for its tasks to go (nobody drains while there is no leader)."""
SECRET_EVERY = 30.0
"""Seconds between readings of the secret once the worker is in."""


@dataclass(frozen=True)
class WorkerView:
    """All that a worker's decision may look at."""

    instance: str
    closing: bool
    leaving: str | None
    secret: Mapping[str, Any] | None
    swarm: SwarmState
    marker: Marker
    announced: bool
    deregistered: bool
    in_service: bool
    local_tasks: int
    leaving_for: float = 0.0
    unfit_for: float = 0.0


def decide_worker(v: WorkerView) -> Action:
    """The next action of a worker."""
    if v.leaving:
        return _leaving(v)
    if v.closing:
        return Action(Do.IDLE, "closing mark")
    if v.swarm.inside and v.marker.epoch == 0:
        return Action(Do.LEAVE_FORCE, "2: a swarm that this cluster did not make")
    if v.secret is None or not v.secret.get("managers"):
        return Action(Do.WAIT, "6: no worker token is published yet")
    if not v.swarm.inside:
        return Action(Do.JOIN, "6: a token is published")
    if v.unfit_for >= UNFIT:
        return Action(Do.LEAVE_FORCE, f"17: dockerd's swarm stays {v.swarm.state}: {v.swarm.error}")
    ticket = (v.secret.get("rejoin") or {}).get(v.instance)
    if ticket and ticket != v.marker.rejoined:
        return Action(Do.REJOIN, "17: the swarm does not see this worker", str(ticket))
    return Action(Do.FOLLOW)


def _leaving(v: WorkerView) -> Action:
    if v.closing:
        return Action(Do.LET_GO, "the cluster is being taken down")
    if v.leaving == "spot" and not v.announced:
        return Action(Do.MARK_LEAVING, "9: spot notice")
    if not v.deregistered:
        return Action(Do.DRAIN, "9: out of the load balancers")
    patient = v.leaving_for < DRAIN_LIMIT
    if v.swarm.inside and (v.in_service or v.local_tasks) and patient:
        return Action(Do.WAIT, "9: connections and tasks end")
    if v.swarm.inside:
        return Action(Do.LEAVE, "9: drained" if patient else "9: not drained in five minutes: going anyway")
    return Action(Do.LET_GO, "9: left")


class Worker:
    """The agent on a worker instance."""

    def __init__(self, me: Identity, config: AgentConfig, ports: Ports) -> None:
        self.me, self.config, self.p = me, config, ports
        self.memory, self.facts = Memory(), Facts()
        self._secret: dict[str, Any] | None = None
        self._read = self._heartbeat = -1e9
        self._announced = self._deregistered = False

    def step(self) -> float:
        """One pass. Returns the seconds to wait before the next."""
        action = Action(Do.WAIT)
        started = self.p.clock.now()
        try:
            v = self._observe()
            action = decide_worker(v)
            self._hooks(v, action)
            self._execute(action, v)
            self.facts.away = 0
        except AwayError as error:
            self.facts.away += 1
            self.p.log(action.do, "away", error=str(error), why=action.why)
            let_go_blindly(self.p)
        except SwarmError as error:
            self.p.log(action.do, "failed", error=str(error), why=action.why)
        else:
            if action.do not in {Do.WAIT, Do.FOLLOW, Do.IDLE}:
                seconds = round(self.p.clock.now() - started, 3)
                self.p.log(action.do, "done", why=action.why, seconds=seconds)
        self.facts.passed = self.p.clock.now()
        return 5.0 if action.do is Do.FOLLOW else 3.0

    def _observe(self) -> WorkerView:
        p, now = self.p, self.p.clock.now()
        swarm = p.swarm.state()
        leaving = p.cloud.leaving()
        marker = p.host.marker()
        true = ["leaving"] if leaving else []
        true += ["unfit"] if swarm.state in {"pending", "error", "locked"} else []
        self.memory.update(now, "self", true)
        # a leaving worker must not miss the closing mark: nobody would drain it any more
        every = SECRET_EVERY if swarm.state == "active" and not leaving else 0.0
        if now - self._read >= every:
            self._closing = bool(p.store.keys(CLOSING))
            self._secret = p.secrets.get("workers")
            self._read = now
        secret = self._secret
        if secret is not None:
            self.facts.epoch = int(secret.get("epoch", 0))
            p.host.redirect(secret.get("redirect") or {})
        return WorkerView(
            instance=self.me.instance, closing=self._closing, leaving=leaving, secret=secret, swarm=swarm,
            marker=marker, announced=self._announced, deregistered=self._deregistered,
            in_service=bool(leaving) and self._deregistered and p.cloud.in_service(self.me.instance),
            local_tasks=p.swarm.local_tasks() if leaving else 0,
            leaving_for=self.memory.lasting(now, "self", "leaving"),
            unfit_for=self.memory.lasting(now, "self", "unfit"),
        )  # fmt: skip

    _closing = False

    def _hooks(self, v: WorkerView, action: Action) -> None:
        now = self.p.clock.now()
        self.facts.hook_held = v.leaving_for
        if now - self._heartbeat < HEARTBEAT or action.do is Do.LET_GO:
            return
        if v.leaving == "hook" or not (v.leaving or v.marker.launched):
            self._heartbeat = now
            self.p.cloud.heartbeat(TERMINATE if v.leaving else LAUNCH)

    def _execute(self, action: Action, v: WorkerView) -> None:
        p = self.p
        match action.do:
            case Do.LET_GO:
                p.cloud.complete(TERMINATE)
            case Do.MARK_LEAVING:
                p.cloud.announce_leaving()
                self._announced = True
            case Do.DRAIN:
                p.cloud.deregister(self.me.instance)
                self._deregistered = True
            case Do.LEAVE:
                p.swarm.leave(force=False)
            case Do.LEAVE_FORCE:
                p.swarm.leave(force=True)
                p.host.set_marker(Marker(launched=v.marker.launched, rejoined=v.marker.rejoined))
                self._read = -1e9
            case Do.REJOIN:
                p.host.set_marker(dataclasses.replace(v.marker, rejoined=action.target))
                p.swarm.leave(force=True)
                self._read = -1e9
            case Do.JOIN:
                self._join(v)
            case Do.FOLLOW:
                self._follow(v)
            case _:
                pass

    def _join(self, v: WorkerView) -> None:
        secret = v.secret or {}
        self.p.host.set_marker(dataclasses.replace(v.marker, epoch=int(secret["epoch"])))
        try:
            self.p.swarm.join(str(secret["token"]), [str(a) for a in secret["managers"]])
        except SwarmError:
            self.p.swarm.leave(force=True)
            raise

    def _follow(self, v: WorkerView) -> None:
        if v.swarm.state != "active":
            return
        if not v.marker.launched:
            self.p.cloud.complete(LAUNCH)
        epoch = int((v.secret or {}).get("epoch", 0))
        if not v.marker.launched or v.marker.epoch != epoch:
            self.p.host.set_marker(dataclasses.replace(v.marker, launched=True, epoch=epoch))
