"""The world: one clock, elections, Auto Scaling, and what a test does to them."""

from __future__ import annotations

import copy
import heapq
import json
import random
from collections.abc import Callable
from typing import Any

from node_agent.ports import (
    NoLeaderError,
)
from node_agent.records import LEDGER, RECORD, Entry, Member, Phase, Record
from tests.unit.node_agent.sim.agents import run_agent
from tests.unit.node_agent.sim.parts import BOOT, DOWN_AFTER, ELECTION, BrokenPromiseError, Host, Process, Raft


class World:
    """Everything outside the agents."""

    def __init__(self, seed: int = 0, managers: int = 3, workers: int = 1, zones: int = 3) -> None:
        self.rng = random.Random(seed)
        self.now = 1_800_000_000.0
        self.queue: list[tuple[float, int, Process]] = []
        self.seq = 0
        self.elected = 0.0
        self.by_address: dict[str, Host] = {}
        self.objects: dict[str, tuple[bytes, int, float]] = {}
        self.secrets: dict[str, dict[str, Any]] = {}
        self.hosts: dict[str, Host] = {}
        self.states: dict[str, list[tuple[float, str]]] = {}
        self.rafts: dict[int, Raft] = {}
        self.cuts: set[frozenset[str]] = set()
        self.agents: dict[str, Process] = {}
        self.crashed: list[tuple[float, str]] = []
        self.logs: list[tuple[float, str, str, str, str]] = []
        self.forced: dict[int, set[str]] = {}
        self.away: Callable[[str, str], bool] = lambda instance, service: False
        self.stale = 0.0
        self.empty_ec2 = False
        self.zones = [f"z{i}" for i in range(zones)]
        self.desired = {z: managers // zones + (i < managers % zones) for i, z in enumerate(self.zones)}
        self.workers = workers
        self.counter = 0
        self.kept: list[Any] = []
        self.restart = True
        self.deregistered: set[str] = set()
        self.unhealthy: list[str] = []
        self.acked: list[str] = []
        Process(self, "asg", self._asg)

    # --- time

    def schedule(self, delay: float, process: Process) -> None:
        self.seq += 1
        heapq.heappush(self.queue, (self.now + delay, self.seq, process))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Runs the world; True as soon as ``until`` holds."""
        end, checked = self.now + seconds, self.now
        while self.queue and self.queue[0][0] <= end:
            at, _, process = heapq.heappop(self.queue)
            self.now = max(self.now, at)
            if process.dead:
                continue
            host = self.hosts.get(process.name)
            if host is not None and host.frozen and host.up:
                self.schedule(5.0, process)
                continue
            if host is not None and (not host.up or self.agents.get(process.name) is not process):
                process.kill = True
            if self.now - self.elected >= 0.5:
                self._elect()
            process.go.release()
            process.back.acquire()
            if process.error is not None:
                raise process.error
            if process.dead and host is not None and host.up and self.agents.get(process.name) is process:
                del self.agents[process.name]
                if self.restart:
                    self._start_agent(host, delay=5.0)
            if until is not None and self.now - checked >= 2.0:
                checked = self.now
                if until():
                    return True
        self.now = max(self.now, end)
        return until is not None and until()

    def close(self) -> None:
        """Ends every thread."""
        for _, _, process in self.queue:
            if not process.dead:
                process.kill = True
                process.go.release()
                process.thread.join(5)

    def _elect(self) -> None:
        self.elected = self.now
        for raft in self.rafts.values():
            if raft.leader and self._led_by(raft, raft.leader):
                for node in self._seen_by(raft, raft.leader):
                    self._learn(raft, node)
                continue
            if raft.leader:
                raft.leader, raft.lost_at = None, self.now
            if self.now - raft.lost_at >= (ELECTION if len(raft.members) > 1 else 0.5):
                able = [n for n in raft.members if self._led_by(raft, n)]
                if able:
                    raft.leader = min(able, key=lambda n: (-self._index(n, raft), n))
                    raft.term += 1
        for raft in self.rafts.values():
            for node, row in raft.nodes.items():
                if raft.leader and self._session(raft, node):
                    row["ok"] = self.now
                    host = self.hosts[row["instance"]]
                    host.remotes = {n: a for n, (_, a) in raft.members.items()}

    def _index(self, node: str, raft: Raft) -> int:
        held = self.hosts[raft.members[node][0]].copy
        return held.index if held else 0

    def _learn(self, raft: Raft, node: str) -> None:
        host = self.hosts[raft.members[node][0]]
        if host.copy is None or host.copy.index != raft.index or host.copy.id != raft.id:
            host.copy = copy.deepcopy(raft)

    def linked(self, a: Host, b: Host) -> bool:
        return a is b or (a.up and b.up and frozenset({a.instance, b.instance}) not in self.cuts)

    def _dial(self, host: Host, address: str) -> Host | None:
        """Whoever answers on 2377 when this host dials the address."""
        target = host.redirects.get(address, address)
        found = self.by_address.get(target)
        if found is None or not found.up or not found.docker or found.frozen or not self.linked(host, found):
            return None
        return found

    def _reaches(self, raft: Raft, node: str, other: str) -> bool:
        (a, _), (b, address) = raft.members[node], raft.members[other]
        there = self._dial(self.hosts[a], address)
        return there is not None and there.instance == b and there.raft == raft.id and there.node_id == other

    def _alive(self, raft: Raft, node: str) -> bool:
        host = self.hosts[raft.members[node][0]]
        return host.up and host.docker and not host.frozen and host.raft == raft.id and host.node_id == node

    def _seen_by(self, raft: Raft, node: str) -> list[str]:
        if not self._alive(raft, node):
            return []
        others = [o for o in raft.members if o != node]
        return [node, *(o for o in others if self._reaches(raft, node, o) and self._reaches(raft, o, node))]

    def _led_by(self, raft: Raft, node: str) -> bool:
        return node in raft.members and len(self._seen_by(raft, node)) >= len(raft.members) // 2 + 1

    def _session(self, raft: Raft, node: str) -> bool:
        host = self.hosts[raft.nodes[node]["instance"]]
        if not (host.up and host.docker and not host.frozen and host.raft == raft.id and host.node_id == node):
            return False
        if raft.leader is None:
            return False
        if raft.leader == node:
            return True
        led = set(self._seen_by(raft, raft.leader))
        if node in raft.members:
            return node in led
        for address in [*host.remotes.values()]:
            there = self._dial(host, address)
            if there is not None and there.raft == raft.id and there.node_id in led:
                return True
        return False

    def leads(self, host: Host) -> Raft:
        """The raft that this manager can write to."""
        raft = self.rafts.get(host.raft) if host.raft is not None else None
        if raft is None or raft.leader is None or host.node_id not in self._seen_by(raft, raft.leader):
            raise NoLeaderError("The swarm does not have a leader.")
        return raft

    def commit(self, raft: Raft) -> None:
        raft.index += 1
        if raft.leader and raft.leader in raft.members:
            for node in self._seen_by(raft, raft.leader):
                self._learn(raft, node)

    # --- EC2 and Auto Scaling

    def launch(self, zone: str, role: str = "manager") -> Host:
        self.counter += 1
        instance = f"i-{self.counter:03d}"
        freed = [h.address for h in self.hosts.values() if not h.up and self.by_address[h.address] is h]
        address = freed[0] if freed and self.rng.random() < 0.5 else f"10.0.0.{self.counter}"
        host = Host(instance, address, zone, role, since=self.now, beat=self.now)
        self.hosts[instance] = self.by_address[host.address] = host
        self.states[instance] = [(self.now, "running")]
        self._start_agent(host, delay=self.rng.uniform(0, 3))
        return host

    def _start_agent(self, host: Host, delay: float) -> None:
        self.agents[host.instance] = Process(self, host.instance, lambda p: run_agent(self, host, p), delay)

    def terminate(self, *instances: str) -> None:
        """The instance ends at once, as by TerminateInstances or a power cut that EC2 knows of."""
        for instance in instances:
            self.hosts[instance].up = False
            self.states[instance].append((self.now, "terminated"))

    def cut(self, one: list[str], other: list[str]) -> None:
        self.cuts |= {frozenset({a, b}) for a in one for b in other if a != b}

    def group_terminate(self, *instances: str) -> None:
        """Auto Scaling ends the instance: its termination hook holds it."""
        for instance in instances:
            self.hosts[instance].lifecycle = "Terminating:Wait"
            self.hosts[instance].beat = self.now

    def ec2(self, instance: str) -> str:
        seen = [s for at, s in self.states[instance] if at <= self.now - self.stale]
        return seen[-1] if seen else "not-found"

    def managers_up(self) -> list[Host]:
        return [h for h in self.hosts.values() if h.role == "manager" and h.up]

    def _asg(self, process: Process) -> None:
        starting: list[tuple[float, str, str]] = []
        while True:
            for host in list(self.hosts.values()):
                if host.up and host.lifecycle == "Terminating:Wait" and self.now - host.beat > 300:
                    self.terminate(host.instance)
            for zone in self.zones:
                self._grow(starting, zone, "manager", self.desired[zone])
                here = [h for h in self.managers_up() if h.zone == zone and h.lifecycle == "InService"]
                loose = [h for h in here if not h.protected]
                if len(here) > self.desired[zone] and loose:
                    self.group_terminate(loose[0].instance)
            self._grow(starting, "z0", "worker", self.workers)
            for row in [r for r in starting if r[0] <= self.now]:
                starting.remove(row)
                self.launch(row[1], row[2])
            process.sleep(3.0)

    def _grow(self, starting: list[tuple[float, str, str]], zone: str, role: str, desired: int) -> None:
        have = [h for h in self.hosts.values() if h.role == role and h.up and h.lifecycle == "InService"]
        have = [h for h in have if h.zone == zone or role == "worker"]
        pending = [r for r in starting if r[1] == zone and r[2] == role]
        for _ in range(desired - len(have) - len(pending)):
            first = not self.hosts
            starting.append((self.now + (0 if first or len(self.hosts) < 3 else BOOT), zone, role))

    # --- what the tests ask

    @property
    def wanted(self) -> int:
        return sum(self.desired.values())

    def record(self) -> Record | None:
        found = self.objects.get(RECORD)
        return Record.from_json(json.loads(found[0])) if found else None

    def ledger(self) -> dict[str, Entry]:
        rows = [Entry.from_json(json.loads(v[0])) for k, v in self.objects.items() if k.startswith(LEDGER)]
        return {e.instance: e for e in rows}

    def led(self) -> list[Raft]:
        return [r for r in self.rafts.values() if r.leader]

    def the_raft(self) -> Raft:
        led = self.led()
        if len(led) != 1:
            raise BrokenPromiseError(f"{len(led)} swarms have a leader")
        return led[0]

    def write(self, word: str) -> bool:
        """A user's write; kept in mind when it was acknowledged."""
        for host in self.managers_up():
            try:
                raft = self.leads(host)
            except NoLeaderError:
                continue
            raft.data.append(word)
            self.commit(raft)
            self.acked.append(word)
            return True
        return False

    def why_not_converged(self) -> str:
        """Empty when the cluster is whole: what still differs, else."""
        led, record, ledger = self.led(), self.record(), self.ledger()
        if len(led) != 1:
            return f"{len(led)} swarms have a leader"
        raft = led[0]
        if record is None or record.phase != Phase.LIVE:
            return f"record {record}"
        if record.redirect and self.wanted > 1:
            return f"redirect {record.redirect}"
        if record.rotate:
            return "tokens not rotated after the recovery"
        up = {h.instance for h in self.managers_up() if h.lifecycle == "InService"}
        if len(up) != self.wanted:
            return f"{len(up)} managers up, {self.wanted} wanted"
        members = {i for i, _ in raft.members.values()}
        if members != up:
            return f"raft {members}, up {up}"
        entries = {e.instance: e.node_id for e in ledger.values()}
        if entries != {i: n for n, (i, _) in raft.members.items()}:
            return f"ledger {entries} is not the raft {raft.members}"
        if any(e.state != Member.MEMBER or e.epoch != record.epoch for e in ledger.values()):
            return f"ledger {[(e.instance, e.state, e.epoch) for e in ledger.values()]}"
        if any(self.hosts[i].raft != raft.id for i in up):
            return "a manager is in another swarm"
        if len(self._seen_by(raft, raft.leader or "")) != self.wanted:
            return "a member is not reachable"
        workers = {h.instance for h in self.hosts.values() if h.role == "worker" and h.up}
        ready = {r["instance"] for r in raft.nodes.values() if self.now - r["ok"] < DOWN_AFTER}
        if not workers <= ready or len(workers) < self.workers:
            return f"workers {workers - ready} not ready"
        if any(i not in up | workers for i in (r["instance"] for r in raft.nodes.values())):
            return f"stale nodes {[r['instance'] for r in raft.nodes.values()]}"
        want = (raft.tokens.manager, raft.tokens.worker)
        if (self.secrets["managers"]["token"], self.secrets["workers"]["token"]) != want:
            return "published tokens are not the swarm's"
        if self.secrets["managers"]["epoch"] != record.epoch or self.secrets["workers"]["epoch"] != record.epoch:
            return "published epoch is old"
        return ""

    def converge(self, seconds: float = 3600.0) -> float:
        """Runs until the cluster is whole. Returns the seconds it took."""
        began = self.now
        if not self.run(seconds, until=lambda: not self.why_not_converged()):
            tail = "\n".join(f"{at - began:8.1f} {i} {a} {o} {w}" for at, i, a, o, w in self.logs[-60:])
            raise BrokenPromiseError(f"not whole after {seconds:.0f} s: {self.why_not_converged()}\n{tail}")
        return self.now - began
