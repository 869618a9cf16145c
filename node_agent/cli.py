"""``timonel-node``: the service (``run``), and what a human asks at three in the morning."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from typing import Any

from node_agent import snapshots
from node_agent.agent import RETRY, Agent, build
from node_agent.aws import AwsCloud
from node_agent.config import ConfigError
from node_agent.ports import AwayError, ConflictError, NoLeaderError, SnapshotError, SwarmError
from node_agent.records import LEDGER, RECORD, STATUS, STEWARD, Entry


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="timonel-node", description="Timonel on this host.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="the service; systemd starts it")
    commands.add_parser("status", help="this node and the cluster, as JSON")
    commands.add_parser("members", help="the ledger beside docker's own list of managers")
    commands.add_parser("snapshot", help="take and upload a raft snapshot now")
    recover = commands.add_parser("recover", help="say that managers are dead, so that the agents recover the swarm")
    recover.add_argument("--fence", nargs="+", metavar="INSTANCE", required=True, help="dead managers' instance ids")
    recover.add_argument("--yes", action="store_true", help="do not ask")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 0 is success."""
    chosen = parser().parse_args(arguments)
    if chosen.command == "run":
        return _run()
    try:
        agent = build()
        if chosen.command == "status":
            return _status(agent)
        if chosen.command == "members":
            return _members(agent)
        if chosen.command == "snapshot":
            return _snapshot(agent)
        return _fence(agent, chosen.fence, chosen.yes)
    except (AwayError, ConfigError, ConflictError, NoLeaderError, SnapshotError, SwarmError) as error:
        _say(f"timonel-node {chosen.command}: {error}", sys.stderr)
        return 1


def _run() -> int:
    while True:
        try:
            agent = build()
        except AwayError as error:
            _say(json.dumps({"action": "identity", "outcome": "away", "error": str(error)}))
            time.sleep(RETRY)
            continue
        agent.forever()


def _status(agent: Agent) -> int:
    told: dict[str, Any] = {"instance": agent.me.instance, "address": agent.me.address, "zone": agent.me.zone}
    told["swarm"] = dataclasses.asdict(agent.swarm.state())
    told["marker"] = agent.ports.host.marker().to_json()
    told["leaving"] = agent.ports.cloud.leaving()
    if agent.config.is_manager:
        for name, key in (("record", RECORD), ("steward", STEWARD), ("status", STATUS)):
            found = agent.ports.store.get(key)
            told[name] = {**found.body, "age_seconds": round(found.age)} if found else None
    _say(json.dumps(told, indent=1, default=str))
    return 0


def _members(agent: Agent) -> int:
    _only_managers(agent)
    rows = [("INSTANCE", "ADDRESS", "ZONE", "LEDGER", "EPOCH", "EC2", "SWARM", "NODE")]
    entries = _ledger(agent)
    states = agent.ports.cloud.instance_states(set(entries))
    try:
        nodes = {n.id: n for n in agent.swarm.nodes()}
    except (NoLeaderError, SwarmError) as error:
        _say(f"docker: {error}", sys.stderr)
        nodes = {}
    for instance, (entry, _) in sorted(entries.items()):
        node = nodes.pop(entry.node_id or "", None)
        seen = "-" if node is None else "leader" if node.leader else "reachable" if node.reachable else "unreachable"
        state = entry.state + (" fenced" if entry.fenced else "") + (" leaderless" if entry.leaderless else "")
        rows.append((instance, entry.address, entry.zone, state, str(entry.epoch), states.get(instance, "?"), seen,
                     entry.node_id or "-"))  # fmt: skip
    rows += [("(no entry)", n.address, n.zone, "-", "-", "-", "manager", n.id) for n in nodes.values() if n.is_manager]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _snapshot(agent: Agent) -> int:
    _only_managers(agent)
    found = agent.ports.store.get(RECORD)
    epoch = int(found.body["epoch"]) if found else 0
    key = snapshots.save(agent.ports.store, agent.ports.host, time.time(), epoch, agent.swarm.state().swarm_id)
    _say(f"s3://{agent.config.bucket}/{key}")
    return 0


def _fence(agent: Agent, instances: list[str], sure: bool) -> int:
    """Break-glass: the named managers are dead. They are marked, and EC2 is asked to end them."""
    _only_managers(agent)
    ledger = _ledger(agent)
    unknown = [i for i in instances if i not in ledger]
    if unknown:
        raise SwarmError(f"not in the ledger: {', '.join(unknown)}; known are {', '.join(sorted(ledger))}")
    if agent.me.instance in instances:
        raise SwarmError("this instance is among them: fence from a manager that shall live on")
    steward = agent.ports.store.get(STEWARD)
    if steward is not None and steward.age < 90:
        raise SwarmError(
            f"{steward.body['holder']} has led {steward.age:.0f} s ago: the swarm has a leader, nothing to fence"
        )
    if not sure:
        _say(f"Managers {', '.join(instances)} will be taken for dead and terminated. If they live and hold a")
        _say("majority among themselves, the swarm splits until they read the record. Type 'fence' to go on:")
        if sys.stdin.readline().strip() != "fence":
            _say("nothing done")
            return 1
    for instance in instances:
        entry, etag = ledger[instance]
        key = f"{LEDGER}{instance}.json"
        agent.ports.store.put(key, dataclasses.replace(entry, fenced=True, updated=time.time()).to_json(), etag)
        _say(f"{instance}: marked")
    cloud = agent.ports.cloud
    if isinstance(cloud, AwsCloud):
        cloud.terminate(instances)
        _say("EC2 was asked to terminate them; a surviving manager recovers the swarm within minutes")
    return 0


def _ledger(agent: Agent) -> dict[str, tuple[Entry, str]]:
    found = [agent.ports.store.get(key) for key in agent.ports.store.keys(LEDGER)]
    entries = [(Entry.from_json(f.body), f.etag) for f in found if f is not None]
    return {entry.instance: (entry, etag) for entry, etag in entries}


def _only_managers(agent: Agent) -> None:
    if not agent.config.is_manager:
        raise SwarmError("this node is a worker: run it on a manager")


def _say(text: str, to: Any = None) -> None:
    (to or sys.stdout).write(text + "\n")
    (to or sys.stdout).flush()
