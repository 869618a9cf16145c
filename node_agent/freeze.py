"""Copying the raft state of a running dockerd: freeze, copy, thaw, under a watchdog that thaws in any case."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_agent.ports import AwayError
from node_agent.raft import last_entry
from node_agent.run import run

STATE = Path("/var/lib/docker/swarm")
PIDFILE = Path("/var/run/docker.pid")
WATCHDOG = 3.0
"""Seconds after which dockerd runs again whatever became of the copy; raft elects anew after about 10."""
SCRATCH = Path("/var/lib/timonel")


@contextmanager
def frozen(pidfile: Path = PIDFILE) -> Iterator[None]:
    """Dockerd stands still inside.

    Raises:
        AwayError: it is not running.
    """
    try:
        pid = int(pidfile.read_text())
        os.kill(pid, 0)
    except (OSError, ValueError) as error:
        raise AwayError(f"dockerd is not running: {error}") from error
    # in a session of its own: it outlives this process, should that be killed while dockerd stands still
    watchdog = subprocess.Popen(
        ["/bin/sh", "-c", 'sleep "$1"; kill -CONT "$2"', "thaw", str(WATCHDOG), str(pid)], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        os.killpg(watchdog.pid, signal.SIGKILL)
        watchdog.wait()


def copy_state(pidfile: Path = PIDFILE, state: Path = STATE) -> tuple[bytes, tuple[int, int], float]:
    """The archive of the raft state, its last entry, and how long dockerd stood still.

    Raises:
        AwayError: dockerd is not running, or the copy took longer than the watchdog waits.
    """
    SCRATCH.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        copy = Path(scratch) / "swarm"
        began = time.monotonic()
        with frozen(pidfile):
            run(["cp", "-a", "--sparse=always", str(state), str(copy)], timeout=WATCHDOG)
            stood = time.monotonic() - began
        if stood >= WATCHDOG:
            raise AwayError(f"the copy took {stood:.1f} s: dockerd was thawed meanwhile, it may be torn")
        wal = copy / "raft" / "wal-v3-encrypted"
        (wal / "0.tmp").unlink(missing_ok=True)  # the next segment, preallocated
        archive = run(["tar", "--sparse", "-C", scratch, "-czf", "-", "swarm"])
        return archive, last_entry(wal), stood


def put_state(archive: bytes, state: Path = STATE) -> None:
    """Puts an archive in place of the raft state; dockerd must be stopped."""
    shutil.rmtree(state, ignore_errors=True)
    state.parent.mkdir(parents=True, exist_ok=True)
    run(["tar", "-C", str(state.parent), "-xzf", "-"], stdin=archive)
