"""Processes by identity: a pid alone may be reused, so a process is its pid and its start time; never its name."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    """One process for good.

    Attributes:
        pid: its number.
        start_time: clock ticks since boot on Linux (field 22 of /proc/PID/stat), `ps -o lstart` elsewhere.
    """

    pid: int
    start_time: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The identity of a living process; None when there is none of that pid (a zombie counts as none)."""
        start = start_time(pid)
        return None if start is None else cls(pid, start)

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return start_time(self.pid) == self.start_time


def start_time(pid: int) -> str | None:
    """When this pid's process started, as text equal only for the same process; None if it is gone or a zombie."""
    if PROC.joinpath("self").exists():
        try:
            fields = PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            return None
        return None if fields[0] in "ZX" else fields[19]
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def with_marker(variable: str, values: Iterable[str]) -> dict[str, list[ProcessId]]:
    """Living processes of this user by the value of an environment variable that they were started with.

    Linux reads /proc; elsewhere `ps eww`. A process whose environment may not be read is not ours and is skipped.
    """
    wanted = {f"{variable}={value}": value for value in values}
    found: dict[str, list[ProcessId]] = {}
    for pid, environment in _environments():
        for entry in environment:
            value = wanted.get(entry)
            if value is not None and pid != os.getpid() and (identity := ProcessId.of(pid)) is not None:
                found.setdefault(value, []).append(identity)
    return found


def _environments() -> Iterable[tuple[int, list[str]]]:
    if PROC.joinpath("self").exists():
        for folder in PROC.iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    content = folder.joinpath("environ").read_bytes().decode(errors="replace")
                    yield int(folder.name), content.split("\0")
        return
    answer = subprocess.run(["ps", "eww", "-x", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    for line in answer.stdout.splitlines():
        pid, _, rest = line.strip().partition(" ")
        yield int(pid), rest.split()


def end(processes: Iterable[ProcessId], grace: float = 5.0) -> list[ProcessId]:
    """End processes: SIGTERM, then SIGKILL after `grace` seconds. Returns those that were alive at first.

    Raises:
        RuntimeError: one outlives SIGKILL by 5 s.
    """
    living = [p for p in processes if p.alive()]
    waiting = living
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for process in waiting:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        deadline = time.monotonic() + patience
        while (waiting := [p for p in waiting if p.alive()]) and time.monotonic() < deadline:
            _reap(waiting)
            time.sleep(0.02)
    if waiting:
        raise RuntimeError(f"processes {[p.pid for p in waiting]} outlived SIGKILL by 5 s")
    return living


def _reap(processes: Iterable[ProcessId]) -> None:
    """Collect those that are our children, or they would stay zombies until we end."""
    for process in processes:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
