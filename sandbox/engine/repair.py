"""After an interrupted run of the engine: its lock, its orphans, its pending operations."""

from __future__ import annotations

import json

from sandbox.processes import ProcessId, with_marker
from sandbox.state import State, read_json


def stacks(state: State) -> dict[str, int]:
    """Stacks of the sandbox's file backend, as project/stack, with the number of resources in their state."""
    result: dict[str, int] = {}
    for path in sorted((state.engine / ".pulumi" / "stacks").glob("*/*.json")):
        try:
            deployment = json.loads(path.read_text())["checkpoint"].get("latest") or {}
        except (OSError, ValueError, KeyError):
            continue
        result[f"{path.parent.name}/{path.stem}"] = len(deployment.get("resources") or [])
    return result


def runs(state: State) -> dict[str, ProcessId]:
    """The recorded runs of the engine."""
    found: dict[str, ProcessId] = {}
    for path in state.runs.glob("*.json"):
        record = read_json(path)
        if "pid" in record:
            found[record["run"]] = ProcessId(int(record["pid"]), str(record["start_time"]))
    return found


def orphans(state: State, *, also_living: bool = False) -> dict[str, list[ProcessId]]:
    """Processes of runs whose engine is dead (or of every run), by run; found by TIMONEL_RUN in their environment."""
    wanted = {run: process for run, process in runs(state).items() if also_living or not process.alive()}
    return with_marker("TIMONEL_RUN", wanted)
