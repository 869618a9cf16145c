"""Control groups of hosts: one per host in every cgroup v1 hierarchy, below one per sandbox.

nspawn makes its own groups below the one it is started in, so two hosts must never share one.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from sandbox.processes import ProcessId

ROOT = Path("/sys/fs/cgroup")
PIDS_AT_MOST = 8192


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Every mounted hierarchy (the hybrid layout's `unified` included)."""
    return sorted(path for path in root.iterdir() if (path / "cgroup.procs").exists()) if root.exists() else []


def unsupported(root: Path = ROOT) -> str | None:
    """Why hosts cannot be given groups on this machine, None when they can."""
    if (root / "cgroup.controllers").exists():
        return "this machine has cgroup v2 only: hosts have been booted on v1 (hybrid) alone so far"
    if not (root / "memory/cgroup.procs").exists() or not (root / "systemd/cgroup.procs").exists():
        return f"no cgroup v1 hierarchies memory and name=systemd below {root}"
    return None


def create(sandbox: str, host: str, memory: int | None) -> list[Path]:
    """Make a host's groups and return them. `memory` is the host's size in bytes (None: no limit)."""
    made = []
    for hierarchy in hierarchies():
        group = hierarchy / sandbox / host
        for folder in (group.parent, group):
            if not folder.exists():
                folder.mkdir()
                # An empty cpuset accepts no process.
                for name in ("cpuset.cpus", "cpuset.mems"):
                    if (folder / name).exists():
                        (folder / name).write_text((folder.parent / name).read_text())
        if memory and (group / "memory.limit_in_bytes").exists():
            (group / "memory.limit_in_bytes").write_text(str(memory))
        if (group / "pids.max").exists():
            (group / "pids.max").write_text(str(PIDS_AT_MOST))
        made.append(group)
    return made


def processes(sandbox: str, host: str = "") -> list[ProcessId]:
    """Everything that runs in a sandbox's groups, or in one host's."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for file in (hierarchy / sandbox / host).rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found.update(int(line) for line in file.read_text().split())
    return [identity for pid in sorted(found) if (identity := ProcessId.of(pid))]


def kill(sandbox: str, host: str = "", patience: float = 10.0) -> None:
    """Kill everything in the groups, again until nothing is left (a fork bomb of a host's init would need more).

    Raises:
        RuntimeError: something outlives SIGKILL.
    """
    deadline = time.monotonic() + patience
    while living := processes(sandbox, host):
        for process in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes {[p.pid for p in living]} of {sandbox}/{host} outlive SIGKILL")
        time.sleep(0.05)


def remove(sandbox: str, host: str = "", patience: float = 5.0) -> None:
    """Remove a host's groups (or the whole sandbox's), leaves first. The kernel may need a moment after the last exit.

    Raises:
        RuntimeError: one cannot be removed.
    """
    deadline = time.monotonic() + patience
    while True:
        left: list[str] = []
        for hierarchy in hierarchies():
            top = hierarchy / sandbox / host
            folders = [*sorted((p for p in top.rglob("*") if p.is_dir()), reverse=True), top] if top.exists() else []
            for folder in folders:
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    continue
                except OSError as error:
                    left.append(f"{folder}: {error.strerror}")
        if not left:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"control groups are left: {left[:3]}")
        time.sleep(0.05)


def freeze(sandbox: str, host: str) -> None:
    """Stop every process of a host where it stands."""
    _set_freezer(sandbox, host, "FROZEN")


def thaw(sandbox: str, host: str) -> None:
    """Let a frozen host go on; one that is off needs nothing."""
    if (ROOT / "freezer" / sandbox / host).exists():
        _set_freezer(sandbox, host, "THAWED")


def _set_freezer(sandbox: str, host: str, wanted: str, patience: float = 10.0) -> None:
    file = ROOT / "freezer" / sandbox / host / "freezer.state"
    deadline = time.monotonic() + patience
    file.write_text(wanted)
    while (now := file.read_text().strip()) != wanted:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{host} does not become {wanted} in {patience} s (it is {now})")
        time.sleep(0.02)
        file.write_text(wanted)
