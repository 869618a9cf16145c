"""Running other programs: never through a shell, never with a secret among the arguments."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from node_agent.ports import AwayError


def run(args: Sequence[str], timeout: float = 60.0, stdin: bytes | None = None, fds: Sequence[bytes] = ()) -> bytes:
    """Runs a program; ``{0}``, ``{1}``, ... in its arguments become paths of pipes that hold ``fds``.

    Raises:
        AwayError: it failed, with the end of what it said, or did not end in time.
    """
    pipes = [_filled(data) for data in fds]
    command = [part.format(*[f"/dev/fd/{fd}" for fd in pipes]) if fds else part for part in args]
    try:
        done = subprocess.run(
            command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True,
            timeout=timeout, check=False, pass_fds=pipes,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AwayError(f"{args[0]}: {error}") from error
    finally:
        for fd in pipes:
            os.close(fd)
    if done.returncode != 0:
        raise AwayError(f"{' '.join(args[:3])}: exit {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}")
    return done.stdout


def _filled(data: bytes) -> int:
    """The reading end of a pipe that holds the data: a key in it touches no disk (a pipe takes 64 KiB at once)."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return read
