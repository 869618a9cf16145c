"""A deterministic world for the agents: one clock, a bucket with ETags, raft as far as membership goes, EC2 and Auto
Scaling. The agents are the real ones; every call to the world takes time, so that they interleave, and may be the
last before a crash.

What it models of Swarm is what was seen on real daemons: a forced cluster keeps its swarm id, tokens and the raft
address it had; a joiner that cannot dial that address leaves the cluster without a leader; without a majority nothing
is written; a manager that leaves by force stays in the member list.
"""

from __future__ import annotations

import copy
import dataclasses
import heapq
import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from node_agent.config import AgentConfig, Secrets
from node_agent.manager import Manager
from node_agent.ports import (
    AwayError,
    ConflictError,
    Group,
    Identity,
    Node,
    NoLeaderError,
    Snapshot,
    SwarmError,
    SwarmState,
    Tokens,
    Versioned,
)
from node_agent.records import LEDGER, RECORD, STATUS, Entry, Marker, Member, Phase, Record
from node_agent.worker import Worker
from node_agent.world import Ports

ELECTION = 11.0
DOWN_AFTER = 12.0
BOOT = 15.0


class Crash(BaseException):
    """The process ends here."""


class BrokenPromiseError(AssertionError):
    """An invariant does not hold."""


@dataclass
class Raft:
    """The committed state of one raft lineage. A forced cluster is a new lineage."""

    id: int
    swarm_id: str
    tokens: Tokens
    parent: int | None = None
    members: dict[str, tuple[str, str]] = field(default_factory=dict)
    """node id -> (instance, raft address)"""
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    index: int = 1
    term: int = 1
    leader: str | None = None
    lost_at: float = 0.0


@dataclass
class Host:
    """An instance: what is on its disk, and how it is connected."""

    instance: str
    address: str
    zone: str
    role: str
    up: bool = True
    docker: bool = True
    raft: int | None = None
    node_id: str = ""
    copy: Raft | None = None
    remotes: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    marker: Marker = field(default_factory=Marker)
    frozen: bool = False
    lifecycle: str = "InService"
    beat: float = 0.0
    since: float = 0.0
    spot: bool = False
    protected: bool = True


class Process:
    """A thread that runs only when the world lets it."""

    def __init__(self, world: World, name: str, body: Callable[[Process], None], delay: float = 0.0) -> None:
        self.world, self.name = world, name
        self.go, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.dead = self.kill = False
        self.calls = 0
        self.crash_at: tuple[Callable[[str, int], bool], str] | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(body,), daemon=True)
        world.schedule(delay, self)
        self.thread.start()

    def _run(self, body: Callable[[Process], None]) -> None:
        self.go.acquire()
        try:
            if not self.kill:
                body(self)
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001  (handed to the world, which raises it)
            self.error = error
        self.dead = True
        self.back.release()

    def sleep(self, seconds: float) -> None:
        """Gives the world back and continues later."""
        self.world.schedule(seconds, self)
        self.back.release()
        self.go.acquire()
        if self.kill:
            raise Crash

    def point(self, name: str, effect: Callable[[], Any]) -> Any:
        """One call to the world: takes time, may be where the process dies (before or after its effect)."""
        self.sleep(self.world.rng.uniform(0.005, 0.15))
        self.calls += 1
        hit = self.crash_at is not None and self.crash_at[0](name, self.calls)
        if hit and self.crash_at and self.crash_at[1] == "before":
            self._die()
        result = effect()
        if hit:
            self._die()
        return result

    def _die(self) -> None:
        self.crash_at = None
        self.world.crashed.append((self.world.now, self.name))
        raise Crash


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


class SimStore:
    """The bucket, with ETags."""

    def __init__(self, world: World, host: Host, process: Process) -> None:
        self.w, self.h, self.p = world, host, process

    def _do(self, name: str, effect: Callable[[], Any]) -> Any:
        def guarded() -> Any:
            if self.w.away(self.h.instance, "s3"):
                raise AwayError("S3")
            return effect()

        return self.p.point(f"store.{name}", guarded)

    def get(self, key: str) -> Versioned | None:
        def effect() -> Versioned | None:
            found = self.w.objects.get(key)
            return Versioned(json.loads(found[0]), str(found[1]), self.w.now - found[2]) if found else None

        result: Versioned | None = self._do(f"get {key}", effect)
        return result

    def _set(self, key: str, data: bytes) -> str:
        self.w.seq += 1
        self.w.objects[key] = (data, self.w.seq, self.w.now)
        if key == RECORD:
            check_record(self.w)
        return str(self.w.seq)

    def put(self, key: str, body: dict[str, Any], etag: str | None) -> str:
        def effect() -> str:
            found = self.w.objects.get(key)
            if (str(found[1]) if found else None) != etag:
                raise ConflictError(key)
            return self._set(key, json.dumps(body).encode())

        return str(self._do(f"put {key}", effect))

    def write(self, key: str, body: dict[str, Any]) -> None:
        if key == STATUS:
            json.dumps(body)
            return
        self._do(f"write {key}", lambda: self._set(key, json.dumps(body).encode()))

    def delete(self, key: str, etag: str) -> None:
        def effect() -> None:
            found = self.w.objects.get(key)
            if found and str(found[1]) != etag:
                raise ConflictError(key)
            self.w.objects.pop(key, None)

        self._do(f"delete {key}", effect)

    def keys(self, prefix: str) -> list[str]:
        result: list[str] = self._do(
            f"keys {prefix}", lambda: sorted(k for k in self.w.objects if k.startswith(prefix))
        )
        return result

    def put_bytes(self, key: str, data: bytes) -> None:
        self._do(f"blob {key}", lambda: self._set(key, data))

    def get_bytes(self, key: str) -> bytes:
        result: bytes = self._do(f"read {key}", lambda: self.w.objects[key][0])
        return result

    def remove(self, key: str) -> None:
        self._do(f"remove {key}", lambda: self.w.objects.pop(key, None))


class SimSecrets:
    """Secrets Manager: no compare and swap, as in the real one."""

    def __init__(self, world: World, host: Host, process: Process) -> None:
        self.w, self.h, self.p = world, host, process

    def get(self, name: str) -> dict[str, Any] | None:
        def effect() -> dict[str, Any] | None:
            if self.w.away(self.h.instance, "secrets"):
                raise AwayError("Secrets Manager")
            return copy.deepcopy(self.w.secrets.get(name))

        result: dict[str, Any] | None = self.p.point(f"secret.get {name}", effect)
        return result

    def put(self, name: str, value: dict[str, Any]) -> None:
        def effect() -> None:
            if self.w.away(self.h.instance, "secrets"):
                raise AwayError("Secrets Manager")
            self.w.secrets[name] = copy.deepcopy(value)

        self.p.point(f"secret.put {name}", effect)


class SimCloud:
    """EC2 and Auto Scaling, as this instance sees them."""

    def __init__(self, world: World, host: Host, process: Process) -> None:
        self.w, self.h, self.p = world, host, process

    def _ask(self, name: str, effect: Callable[[], Any]) -> Any:
        def guarded() -> Any:
            if self.w.away(self.h.instance, "ec2"):
                raise AwayError("RequestLimitExceeded")
            return effect()

        return self.p.point(f"cloud.{name}", guarded)

    def instance_states(self, ids: set[str]) -> dict[str, str]:
        def effect() -> dict[str, str]:
            return {i: "not-found" if self.w.empty_ec2 else self.w.ec2(i) for i in sorted(ids)}

        result: dict[str, str] = self._ask("instances", effect)
        return result

    def groups(self) -> list[Group]:
        w = self.w

        def effect() -> list[Group]:
            if w.empty_ec2:
                return []
            rows = []
            for zone in w.zones:
                here = [h for h in w.managers_up() if h.zone == zone]
                rows.append(Group(f"m-{zone}", "manager", w.desired[zone], {h.instance: h.lifecycle for h in here},
                                  frozenset(h.instance for h in here if h.protected)))  # fmt: skip
            workers = {h.instance: h.lifecycle for h in w.hosts.values() if h.role == "worker" and h.up}
            return [*rows, Group("w", "worker", w.workers, workers)]

        result: list[Group] = self._ask("groups", effect)
        return result

    def set_unhealthy(self, instance: str) -> None:
        def effect() -> None:
            self.w.unhealthy.append(instance)
            self.w.group_terminate(instance)

        self._ask("unhealthy", effect)

    def unprotect(self, instance: str) -> None:
        def effect() -> None:
            self.w.hosts[instance].protected = False

        self._ask("unprotect", effect)

    def release(self, instance: str) -> None:
        def effect() -> None:
            if self.w.hosts[instance].lifecycle == "Terminating:Wait":
                self.w.terminate(instance)

        self._ask("release", effect)

    def complete(self, hook: str) -> None:
        def effect() -> None:
            if hook == "timonel-terminate" and self.h.lifecycle == "Terminating:Wait":
                self.w.terminate(self.h.instance)

        self._ask(f"complete {hook}", effect)

    def heartbeat(self, hook: str) -> None:
        self.h.beat = self.w.now

    def leaving(self) -> str | None:
        if self.h.lifecycle == "Terminating:Wait":
            return "hook"
        return "spot" if self.h.spot else None

    def announce_leaving(self) -> None:
        self._ask("announce", lambda: self.w.group_terminate(self.h.instance))

    def deregister(self, instance: str) -> None:
        self._ask("deregister", lambda: self.w.deregistered.add(instance))

    def in_service(self, instance: str) -> bool:
        return instance not in self.w.deregistered


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


class SimHost:
    """Disk and rules of an instance."""

    def __init__(self, world: World, host: Host, process: Process) -> None:
        self.w, self.h, self.p = world, host, process

    def marker(self) -> Marker:
        return self.h.marker

    def set_marker(self, marker: Marker) -> None:
        def effect() -> None:
            self.h.marker = marker

        self.p.point("host.marker", effect)

    def redirect(self, rules: dict[str, str]) -> None:
        self.h.redirects = dict(rules)

    def snapshot(self) -> Snapshot:
        def effect() -> Snapshot:
            held = self.h.copy
            if held is None:
                raise AwayError("no raft state here")
            address = held.members[self.h.node_id][1]
            data = json.dumps({**dataclasses.asdict(held), "node": self.h.node_id}).encode()
            return Snapshot(data, (held.term, held.index), "28.5.2", address)

        result: Snapshot = self.p.point("host.snapshot", effect)
        return result

    def restore(self, archive: bytes) -> None:
        def effect() -> None:
            raw = json.loads(archive)
            node = raw.pop("node")
            raft = Raft(**{**raw, "tokens": Tokens(**raw["tokens"])})
            raft.members = {n: (i, a) for n, (i, a) in raft.members.items()}
            self.h.raft, self.h.node_id, self.h.copy = raft.id, node, raft
            self.h.remotes = {n: a for n, (_, a) in raft.members.items()}

        self.p.point("host.restore", effect)

    def engine(self) -> str:
        return "28.5.2"

    def raft(self) -> tuple[int, int]:
        held = self.h.copy
        return (held.term, held.index) if held else (0, 0)

    def new_id(self) -> str:
        self.w.seq += 1
        return f"t{self.w.seq}"


class SimClock:
    """The world's clock."""

    def __init__(self, world: World, process: Process) -> None:
        self.w, self.p = world, process

    def now(self) -> float:
        return self.w.now

    def sleep(self, seconds: float) -> None:
        self.p.sleep(seconds)


def run_agent(world: World, host: Host, process: Process) -> None:
    """The agent's process on a host, until it dies."""

    def log(action: str, outcome: str, **fields: Any) -> None:
        detail = " ".join(str(fields.get(k, "")) for k in ("why", "target", "error")).strip()
        world.logs.append((world.now, host.instance, str(action), outcome, detail))

    ports = Ports(
        store=SimStore(world, host, process), secrets=SimSecrets(world, host, process),
        cloud=SimCloud(world, host, process), swarm=SimSwarm(world, host, process),
        host=SimHost(world, host, process), clock=SimClock(world, process), log=log,
    )  # fmt: skip
    manager = host.role == "manager"
    config = AgentConfig(
        version=1, cluster="b", platform="swarm", role=host.role, pool="p", region="r", bucket="b",
        secrets=Secrets("w"), rotate_token_days=0,
    )  # fmt: skip
    me = Identity(host.instance, host.address, host.zone, host.instance)
    agent: Manager | Worker = Manager(me, config, ports) if manager else Worker(me, config, ports)
    process.agent = agent  # type: ignore[attr-defined]
    while True:
        process.sleep(agent.step())


# --- promises that hold at every moment


def check_force(world: World, host: Host) -> None:
    """One recoverer an epoch, and nobody fences a majority that could still speak."""
    record = world.record()
    if record is None:
        raise BrokenPromiseError("forced without a record")
    if record.holder == host.instance and record.phase == Phase.RECOVER:
        who = world.forced.setdefault(record.epoch, set())
        who.add(host.instance)
        if len(who) > 1:
            raise BrokenPromiseError(f"two recoverers in epoch {record.epoch}: {who}")
    parent = host.copy
    if parent is None:
        return
    raft = world.rafts[parent.id]
    fenced = {e.instance for e in world.ledger().values() if e.fenced}
    could = [
        n for n, (i, _) in raft.members.items()
        if world.hosts[i].up and i not in fenced and i != host.instance and world.states[i][-1][1] != "terminated"
        and world.hosts[i].raft == raft.id and world.hosts[i].node_id == n
    ]  # fmt: skip
    if len(could) >= len(raft.members) // 2 + 1:
        raise BrokenPromiseError(f"{host.instance} forces a new cluster while {could} could be a majority")
    if could:
        raise BrokenPromiseError(f"{host.instance} forces a new cluster while {could} still hold the old state")


def check_leave(world: World, host: Host, raft: Raft) -> None:
    """A manager that leaves by force must not take the quorum of a living swarm with it."""
    if raft.leader is None:
        return
    left = set(world._seen_by(raft, raft.leader)) - {host.node_id}
    record = world.record()
    stale = record is not None and host.marker.epoch != record.epoch
    if len(left) < len(raft.members) // 2 + 1 and len(raft.members) > 1 and not stale:
        raise BrokenPromiseError(f"{host.instance} leaves by force and gives the quorum away")


def check_record(world: World) -> None:
    """Epochs only rise; one writer at a time is what the ETag is for."""
    record = world.record()
    if record is None:
        return
    last = getattr(world, "last_epoch", 0)
    if record.epoch < last:
        raise BrokenPromiseError(f"epoch fell from {last} to {record.epoch}")
    world.last_epoch = record.epoch  # type: ignore[attr-defined]
