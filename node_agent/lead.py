"""The leader's part: what the steward decided, done; and what it tells."""

from __future__ import annotations

import dataclasses
from typing import Any

from node_agent import snapshots
from node_agent.config import AgentConfig
from node_agent.decide import Action, Do
from node_agent.memory import Memory
from node_agent.ports import Group, Node
from node_agent.quorum import majority
from node_agent.records import LEDGER, STATUS, STEWARD, Member, Steward
from node_agent.steward import LEAVING_STATES, StewardView, missing_workers, published_values, steward, wanted_labels
from node_agent.world import Facts, NodeFact, Ports, Seen, epoch_of
from node_agent.writes import Writes

SECRETS_EVERY = 60.0
"""Seconds between readings of the published secrets by the leader, which is the one that writes them."""


class Lead:
    """The steward's effects."""

    def __init__(self, config: AgentConfig, ports: Ports, writes: Writes, memory: Memory, facts: Facts) -> None:
        self.config, self.p, self.writes, self.memory, self.facts = config, ports, writes, memory, facts
        self._published: dict[str, dict[str, Any]] = {}
        self._published_read = -1e9

    def lead(self, seen: Seen) -> Action:
        """One pass of the leader. Returns what it did."""
        view = self._steward_view(seen)
        action = steward(view)
        self._side_effects(action, seen, view)
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
            epoch=epoch_of(v),
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
        old = v.steward or Steward(self.writes.me.instance, epoch_of(v))
        new = dataclasses.replace(
            old, holder=self.writes.me.instance, epoch=epoch_of(v), updated=self.p.clock.now(), **changes
        )
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
                self.writes.still(seen)
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
                    self.writes.record(seen, dataclasses.replace(v.record, redirect=None))
            case Do.ADMIT:
                self._keep(seen, admit=target, ticket=p.host.new_id(), admitted=now)
            case Do.UNHEALTHY:
                self._keep(seen, unhealthy=target, unhealthy_at=now)
                p.cloud.set_unhealthy(target)
            case Do.UNPROTECT:
                self._keep(seen)
                p.cloud.unprotect(target)
            case Do.RELEASE:
                self._keep(seen)
                p.cloud.release(target)
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
                    self.writes.record(seen, dataclasses.replace(v.record, rotate=False))
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
        facts.reachable = sum(s.votes(n) for n in s.managers)
        facts.margin = facts.reachable - majority(len(s.managers))
        facts.nodes = tuple(_fact(s, n) for n in s.nodes)
        facts.led = True
        zones = [n.zone for n in s.managers]
        counts = [zones.count(z) for z in {n.zone for n in s.nodes if n.zone}]
        facts.unbalanced = max(counts) - min(counts) if counts else 0
        facts.recovered_at = float((record.recovered or {}).get("at", 0)) if record else 0.0
        states = {n.id: "ready" if n.ready else "down" for n in s.nodes}
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


def _fact(s: StewardView, node: Node) -> NodeFact:
    entry = s.entry_of(node)
    return NodeFact(
        hostname=node.hostname or node.id, manager=node.is_manager, ready=node.ready, reachable=s.votes(node),
        drained=node.availability == "drain",
        leaving=s.lifecycle(node.instance) in LEAVING_STATES or (entry is not None and entry.state == Member.LEAVING),
        unhealthy=any(node.instance in g.unhealthy for g in s.groups),
    )  # fmt: skip


def _lifecycle(groups: tuple[Group, ...], node: Node) -> str | None:
    return next((g.instances[node.instance] for g in groups if node.instance in g.instances), None)
