"""After an interrupted run of the engine: its lock, its orphans, its pending operations.

Seen with the 3.259 engine after kill -9: the file backend keeps its lock, plugins and language hosts may live on, and
the checkpoint keeps the operations in flight. A create in flight may have happened in AWS without standing in the
state.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.processes import ProcessId, end, with_marker
from sandbox.state import State, read_json, write_json

if TYPE_CHECKING:
    from sandbox.leaks.model import Finding

Say = Callable[[str], None]
REFRESH_SECONDS = 1800


class HeldError(RuntimeError):
    """The stack's lock belongs to a process that lives, or may live."""


@dataclass(frozen=True)
class Lock:
    """A lock file of the file backend: who made it."""

    path: Path
    pid: int
    user: str
    host: str
    since: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, pid {self.pid}, since {self.since}"


def stacks(state: State) -> dict[str, int]:
    """Stacks of the sandbox's file backend, as project/stack, with the number of resources in their state."""
    found = {}
    for path in sorted((state.engine / ".pulumi" / "stacks").glob("*/*.json")):
        found[f"{path.parent.name}/{path.stem}"] = len(_deployment(path).get("resources") or [])
    return found


def _deployment(path: Path) -> dict[str, Any]:
    latest = read_json(path).get("checkpoint", {}).get("latest") or {}
    return latest if isinstance(latest, dict) else {}


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


def locks(state: State, project: str, stack: str) -> list[Lock]:
    """The locks on a stack."""
    found = []
    for path in sorted((state.engine / ".pulumi" / "locks").glob(f"**/{project}/{stack}/*.json")):
        content = read_json(path)
        if "pid" in content:
            host, user = str(content.get("hostname", "")), str(content.get("username", ""))
            found.append(Lock(path, int(content["pid"]), user, host, str(content.get("timestamp", ""))))
    return found


def holder_lives(state: State, lock: Lock) -> bool:
    """Whether the process that made a lock still runs. Another host's cannot be told, so it counts as living.

    A pid may have been reused: the recorded start time of the run tells, else that a process older than its lock made
    it.
    """
    if lock.host != socket.gethostname():
        return True
    recorded = [p for p in runs(state).values() if p.pid == lock.pid]
    if recorded:
        return any(p.alive() for p in recorded)
    process = ProcessId.of(lock.pid)
    return process is not None and not _younger(process, lock)


def _younger(process: ProcessId, lock: Lock) -> bool:
    """Whether a process started after the lock was made (Linux; elsewhere unknown, so no)."""
    try:
        boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        started = boot + int(process.start_time) / os.sysconf("SC_CLK_TCK")
        return started > datetime.fromisoformat(lock.since).timestamp() + 1
    except (AttributeError, ValueError):
        return False


def repair(state: State, project: Path, name: str, stack: str, say: Say) -> bool:
    """Make a stack usable after an interrupted run; whether there was anything to do.

    Args:
        state: the sandbox, which is up.
        project: folder of the project.
        name: the project's name.
        stack: the stack.
        say: takes each line for people.

    Raises:
        HeldError: somebody uses the stack, or may use it.
        RuntimeError: the engine could not refresh the stack.
    """
    held = locks(state, name, stack)
    for lock in held:
        if holder_lives(state, lock):
            raise HeldError(
                f"stack {stack} is locked by a process that lives, or may live elsewhere: {lock}. Wait for it, or end "
                "it and run `repair` again"
            )
    found = orphans(state)
    for run, processes in found.items():
        ended = end(processes)
        say(f"run {run}: its engine is dead; ended its orphans: {', '.join(f'pid {p.pid}' for p in ended) or 'gone'}")
    for lock in held:
        say(f"stack {stack}: removed the lock of a dead process ({lock})")
        lock.path.unlink(missing_ok=True)
    file = state.engine / ".pulumi" / "stacks" / name / f"{stack}.json"
    deployment = _deployment(file)
    pending = deployment.get("pending_operations") or []
    if pending:
        _settle(state, project, name, stack, deployment, say)
    prune(state)
    return bool(held or found or pending)


def _settle(  # noqa: PLR0917
    state: State, project: Path, name: str, stack: str, deployment: dict[str, Any], say: Say
) -> None:
    twins = read_json(state.folder / "twins.json").get("twins", [])
    adopted: dict[str, str] = {}
    for operation in deployment["pending_operations"]:
        resource, kind = operation["resource"], operation["type"]
        say(f"stack {stack}: {kind} {resource['urn'].split('::')[-1]} ({resource['type']}) was interrupted")
        if kind != "creating":
            continue
        found = _made(state, f"{name}/{stack}", resource, deployment, say)
        if len(found) == 1:
            adopted[resource["urn"]] = found[0].id
        else:
            run = _last_run(state)
            twins += [{"id": f.id, "kind": f.kind, "urn": resource["urn"], "run": run} for f in found]
    write_json(state.folder / "twins.json", {"twins": twins})
    if adopted:
        _adopt(state, project, stack, adopted)
    say(f"stack {stack}: refreshing it")
    _engine(state, project, "refresh", "-s", stack, "--yes", "--skip-preview", "--clear-pending-creates")


def _adopt(state: State, project: Path, stack: str, adopted: dict[str, str]) -> None:
    """Move creates in flight, by URN with the id that AWS gave them, from the pending operations to the resources.

    `pulumi refresh --import-pending-creates` should do it, but 3.259 only marks the operation and then drops it.
    """
    content = json.loads(_engine(state, project, "stack", "export", "-s", stack))
    deployment = content["deployment"]
    left = []
    for operation in deployment["pending_operations"]:
        resource = operation["resource"]
        identifier = adopted.get(resource["urn"])
        if identifier is None or operation["type"] != "creating":
            left.append(operation)
            continue
        inputs = resource.get("inputs") or {}
        deployment["resources"].append({**resource, "id": identifier, "outputs": {**inputs, "id": identifier}})
    deployment["pending_operations"] = left
    file = state.folder / f"adopted-{stack}.json"
    write_json(file, content)
    _engine(state, project, "stack", "import", "-s", stack, "--file", str(file))
    file.unlink()


def _engine(state: State, project: Path, *arguments: str) -> str:
    """Run the engine in the sandbox; its standard output.

    Raises:
        RuntimeError: it failed, with what it said.
    """
    path = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})"
    code = f"{path}; from sandbox.engine.execute import main; main(sys.argv[1:])"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", code, "pulumi", "--non-interactive", "--color=never", *arguments],
        cwd=project,
        env={**os.environ, "TIMONEL_SANDBOX": str(state.folder)},
        capture_output=True,
        text=True,
        timeout=REFRESH_SECONDS,
        check=False,
    )
    if answer.returncode != 0:
        raise RuntimeError(f"pulumi {' '.join(arguments)} failed:\n{answer.stdout[-2000:]}{answer.stderr[-2000:]}")
    return answer.stdout


def _made(state: State, stack: str, resource: dict[str, Any], deployment: dict[str, Any], say: Say) -> list[Finding]:
    """What AWS made of a create in flight and the state does not know; says what was found, takes back what is bare."""
    from sandbox.engine.twins import candidates, undo  # noqa: PLC0415 - boto3, only when needed

    if (taken := undo(state, resource, deployment)) is not None:
        say(f"  AWS had made {taken}: taken back, `up` makes it anew")
        return []
    found = candidates(state, stack, resource, deployment)
    if found is None:
        say("  not to be found by tag or name; if AWS made it, `up` puts the same in its place")
    elif not found:
        say("  AWS has none of it that is not in the state: nothing was made")
    elif len(found) == 1:
        say(f"  AWS has made {found[0].kind} {found[0].id} ({found[0].name}): taken into the state")
    else:
        names = ", ".join(f.id for f in found)
        say(f"  AWS has {len(found)} that are not in the state ({names}): one was made twice, `leaks` names them")
    return found or []


def _last_run(state: State) -> str:
    records = [read_json(path) for path in state.runs.glob("*.json")]
    dead = [r for r in records if "run" in r and "up" in r.get("arguments", [])]
    return str(max(dead, key=lambda r: r["begun"])["run"]) if dead else "unknown"


def prune(state: State) -> None:
    """Forget runs that are over and have no process left."""
    alive = set(orphans(state, also_living=True))
    for run, process in runs(state).items():
        if run not in alive and not process.alive():
            (state.runs / f"{run}.json").unlink(missing_ok=True)


def project_name(project: Path) -> str:
    """The name in a project's Pulumi.yaml.

    Raises:
        RuntimeError: there is none.
    """
    import yaml  # noqa: PLC0415

    try:
        return str(yaml.safe_load(project.joinpath("Pulumi.yaml").read_text())["name"])
    except (OSError, KeyError, TypeError) as error:
        raise RuntimeError(f"{project}: no Pulumi.yaml with a name: {error}") from error


def shown(state: State) -> str:
    """The recorded runs as JSON, for bug reports."""
    return json.dumps({run: process.alive() for run, process in runs(state).items()})
