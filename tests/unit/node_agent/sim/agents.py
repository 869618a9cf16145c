"""The host and the clock of an agent, and its process."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from node_agent.config import AgentConfig, Secrets
from node_agent.manager import Manager
from node_agent.ports import (
    AwayError,
    Identity,
    Snapshot,
    Tokens,
)
from node_agent.records import Marker
from node_agent.worker import Worker
from node_agent.world import Ports
from tests.unit.node_agent.sim.bucket import SimSecrets, SimStore
from tests.unit.node_agent.sim.groups import SimCloud
from tests.unit.node_agent.sim.parts import Host, Process, Raft
from tests.unit.node_agent.sim.swarm import SimSwarm

if TYPE_CHECKING:
    from tests.unit.node_agent.sim.world import World


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
