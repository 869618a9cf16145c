"""Long steps: what runs, for how long, and what it said when it fails. And the lock between two setups."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from toolchain.errors import ToolchainError

QUIET_LINE_SECONDS = 15.0
"""How often a running step prints a line where there is no terminal."""

TAIL_LINES = 20
"""How many of its last lines a failed step shows."""


def say(text: str) -> None:
    """Print one line of progress. It goes to stderr, so that stdout stays what a caller asked for."""
    print(text, file=sys.stderr, flush=True)


def run(
    title: str, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a command to its end, showing ``title`` and the seconds it takes; its output only when it fails.

    Args:
        title: what is being done, for the user.
        command: the program and its arguments; no shell.
        env: variables added to this process's environment.
        cwd: folder to run in.

    Raises:
        ToolchainError: the program is missing or failed; holds its last lines.
    """
    words = [str(word) for word in command]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,  # so that an interrupt ends the compilers it started too
            )
        except OSError as error:
            raise ToolchainError(f"{title}: cannot start {words[0]}: {error}") from error
        try:
            _watch(process, title, started)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        if process.returncode != 0:
            output.seek(0)
            tail = "".join(f"    {line}\n" for line in output.read().splitlines()[-TAIL_LINES:])
            raise ToolchainError(f"{title}: `{' '.join(words)}` ended with {process.returncode}:\n{tail}")
    say(f"{title}: done in {time.monotonic() - started:.0f} s")


def _watch(process: "subprocess.Popen[str] | subprocess.Popen[bytes]", title: str, started: float) -> None:
    terminal = sys.stderr.isatty()
    interval = 1.0 if terminal else QUIET_LINE_SECONDS
    if not terminal:
        say(f"{title} ...")
    while True:
        try:
            process.wait(timeout=interval)
        except subprocess.TimeoutExpired:
            line = f"{title} ... {time.monotonic() - started:.0f} s"
            print(f"\r{line}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)
        else:
            if terminal:
                print("\r\033[K", end="", file=sys.stderr, flush=True)
            return


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, waiting for another setup that holds it. The kernel frees it when a holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            say(f"waiting for another setup (process {file.read().strip() or 'unknown'}) to end: {path.stem}")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes ``target`` when the block ends well and vanishes when it does not.

    Remains of a setup that was killed are removed first, so call it under :func:`only_one`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}.making-"
    for remains in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(remains)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    folder.chmod(0o755)
    try:
        yield folder
        if target.exists():  # something deleted a part of it
            shutil.rmtree(target)
        folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
