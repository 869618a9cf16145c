"""dockerd, as an agent calls it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from node_agent.ports import (
    AwayError,
    Node,
    NoLeaderError,
    SwarmError,
    SwarmState,
    Tokens,
)
from tests.unit.node_agent.sim.parts import DOWN_AFTER, ELECTION, BrokenPromiseError, Host, Process, Raft
from tests.unit.node_agent.sim.promises import check_force, check_leave

if TYPE_CHECKING:
    from tests.unit.node_agent.sim.world import World


class SimSwarm:
    """The local dockerd."""

    def __init__(self, world: World, host: Host, process: Process) -> None:
        self.w, self.h, self.p = world, host, process

    def _do(self, name: str, effect: Callable[[], Any]) -> Any:
        def guarded() -> Any:
            if not self.h.docker:
                raise AwayError("dockerd does not answer")
            return effect()

        return self.p.point(f"swarm.{name}", guarded)

    def state(self) -> SwarmState:
        def effect() -> SwarmState:
            h = self.h
            if h.raft is None:
                return SwarmState("inactive")
            raft = self.w.rafts[h.raft]
            told = h.copy if h.copy is not None and h.copy.id == h.raft else None
            if raft.leader and self.w._session(raft, h.node_id):
                control = h.node_id in raft.members
            else:
                control = told is not None and h.node_id in told.members
            remotes = tuple((n, a) for n, a in sorted(h.remotes.items()))
            return SwarmState("active", h.node_id, raft.swarm_id if control else None, control, remotes)

        result: SwarmState = self._do("state", effect)
        return result

    def nodes(self) -> list[Node]:
        def effect() -> list[Node]:
            raft = self.w.leads(self.h)
            seen = set(self.w._seen_by(raft, raft.leader or ""))
            rows = []
            for node, row in sorted(raft.nodes.items()):
                host = self.w.hosts[row["instance"]]
                inside = node in raft.members
                there = self.w._dial(self.h, raft.members[node][1]) if inside else None
                answers = there is not None and there.raft == raft.id  # the leader asks an address, not a node
                rows.append(Node(
                    node, host.instance, row["role"], self.w.now - row["ok"] < DOWN_AFTER,
                    row["availability"], raft.members[node][1] if inside else host.address, inside,
                    node in seen or answers,
                    node == raft.leader, host.instance, host.zone,
                ))  # fmt: skip
            return rows

        result: list[Node] = self._do("nodes", effect)
        return result

    def _begin(self, raft: Raft, node: str, address: str) -> None:
        self.w.rafts[raft.id] = raft
        raft.leader, raft.lost_at = node, self.w.now
        self.h.raft, self.h.node_id = raft.id, node
        self.h.remotes = {node: address}
        self.h.copy = copy.deepcopy(raft)

    def init(self, force: bool = False) -> None:
        def effect() -> None:
            w, h = self.w, self.h
            if not force and h.raft is not None:
                raise SwarmError("already part of a swarm")
            lineage = len(w.rafts) + 1
            if not force:
                node = f"n{lineage}-{h.instance}"
                raft = Raft(lineage, f"swarm{lineage}", Tokens(f"M{lineage}", f"W{lineage}"))
                raft.nodes[node] = {"instance": h.instance, "availability": "active", "ok": w.now, "role": "manager"}
                raft.members[node] = (h.instance, h.address)
                self._begin(raft, node, h.address)
                return
            if h.copy is None or h.raft is None:
                raise SwarmError("nothing to force")
            check_force(w, h)
            raft = copy.deepcopy(h.copy)
            raft.parent, raft.id = h.copy.id, lineage
            address = raft.members[h.node_id][1]
            raft.members = {h.node_id: (h.instance, address)}
            raft.nodes[h.node_id]["instance"] = h.instance
            raft.index += 1
            for row in raft.nodes.values():
                other = w.hosts[row["instance"]]
                if other.role == "worker" and other.raft == h.copy.id:
                    other.raft = lineage  # same CA and node ids: for a worker it is the same swarm
            self._begin(raft, h.node_id, address)

        self._do("force" if force else "init", effect)

    def join(self, token: str, managers: list[str]) -> None:
        def effect() -> None:
            w, h = self.w, self.h
            if h.raft is not None:
                raise SwarmError("already part of a swarm")
            said = ["no manager given"]
            for address in managers:
                there = w._dial(h, address)
                if there is None or there.raft is None:
                    said.append(f"{address}: connection refused")
                    continue
                try:
                    raft = w.leads(there)
                except NoLeaderError as error:
                    said.append(f"{address}: {error}")
                    continue
                if there.node_id not in raft.members or token not in {raft.tokens.manager, raft.tokens.worker}:
                    said.append(f"{address}: not a manager, or the token is wrong")
                    continue
                self._joined(raft, token)
                return
            raise SwarmError("; ".join(said))

        self._do("join", effect)

    def _joined(self, raft: Raft, token: str) -> None:
        w, h = self.w, self.h
        w.seq += 1
        node = f"n{raft.id}-{h.instance}-{w.seq}"
        if any(i == h.instance for i, _ in raft.members.values()) and token == raft.tokens.manager:
            w.kept.append(f"{h.instance} joins while an older self is still a member")
        raft.nodes[node] = {
            "instance": h.instance,
            "availability": "active",
            "ok": w.now,
            "role": "manager" if token == raft.tokens.manager else "worker",
        }
        h.raft, h.node_id = raft.id, node
        if token == raft.tokens.manager:
            raft.members[node] = (h.instance, h.address)
            h.copy = copy.deepcopy(raft)
        h.remotes = {n: a for n, (_, a) in raft.members.items()}
        w.commit(raft)

    def leave(self, force: bool) -> None:
        def effect() -> None:
            h = self.h
            if h.raft is None:
                return
            raft = self.w.rafts[h.raft]
            if h.node_id in raft.members:
                if not force:
                    raise SwarmError("You are attempting to leave the swarm on a node that is a manager")
                check_leave(self.w, h, raft)
            if h.node_id in raft.nodes:
                raft.nodes[h.node_id]["ok"] = -1e9
            h.raft, h.node_id, h.copy, h.remotes = None, "", None, {}

        self._do("leave", effect)

    def unlock(self, key: str) -> None:
        raise AssertionError("no autolock here")

    def tokens(self) -> Tokens:
        result: Tokens = self._do("tokens", lambda: self.w.leads(self.h).tokens)
        return result

    def rotate(self) -> None:
        def effect() -> None:
            raft = self.w.leads(self.h)
            self.w.seq += 1
            raft.tokens = Tokens(f"M{self.w.seq}", f"W{self.w.seq}")
            self.w.commit(raft)

        self._do("rotate", effect)

    def demote(self, node: str) -> None:
        def effect() -> None:
            raft = self.w.leads(self.h)
            if node not in raft.members:
                if raft.nodes.get(node, {}).get("role") == "manager":
                    raise SwarmError("can't find manager in raft memberlist")
                return
            alive = set(self.w._seen_by(raft, raft.leader or "")) - {node}
            if not alive or len(alive) < (len(raft.members) - 1) // 2 + 1:
                raise BrokenPromiseError(f"{self.h.instance} demotes {node} and gives the quorum away")
            self.w.commit(raft)
            for other in self.w._seen_by(raft, raft.leader or ""):
                self.w._learn(raft, other)
            del raft.members[node]
            raft.nodes[node]["role"] = "worker"
            if raft.leader == node:
                raft.leader, raft.lost_at = None, self.w.now - ELECTION + 1
                self.w._elect()
            self.w.commit(raft)

        self._do("demote", effect)

    def remove(self, node: str) -> None:
        def effect() -> None:
            raft = self.w.leads(self.h)
            if node in raft.members:
                raise SwarmError(f"{node} is a cluster manager and is a member of the cluster")
            raft.nodes.pop(node, None)
            self.w.commit(raft)

        self._do("remove", effect)

    def drain(self, node: str) -> None:
        def effect() -> None:
            raft = self.w.leads(self.h)
            raft.nodes[node]["availability"] = "drain"
            raft.nodes[node]["drained"] = self.w.now
            self.w.commit(raft)

        self._do("drain", effect)

    def label(self, node: str, labels: dict[str, str]) -> None:
        raise AssertionError("no labels here")

    def running(self, node: str) -> int:
        row = self.w.leads(self.h).nodes.get(node, {})
        return int(self.w.now - row.get("drained", self.w.now) < 10)

    def local_tasks(self) -> int:
        if self.h.raft is None:
            return 0
        row = self.w.rafts[self.h.raft].nodes.get(self.h.node_id, {})
        return 0 if self.w.now - row.get("drained", self.w.now) >= 10 else 1
