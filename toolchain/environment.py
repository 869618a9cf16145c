"""The checkout's Python environment `.venv`: what requirements.lock says, no more and no less, installed by uv."""

import hashlib
import sys
from pathlib import Path

from toolchain import paths, pip, steps
from toolchain.versions import pinned

STAMP = "timonel-lock"
"""File in the environment that holds the fingerprint of what was installed last, written when it was whole."""


def uv() -> Path:
    """The program uv in the shared cache, fetched from PyPI if it is not there.

    Raises:
        ToolchainError: PyPI cannot be reached, or python3 has no pip.
    """
    folder = paths.cache() / f"uv-{pinned(paths.BOOTSTRAP_LOCK.read_text(), 'uv')}"
    if not folder.exists():
        with steps.only_one(paths.cache() / "uv.lock"):
            if not folder.exists():
                with steps.made_whole(folder) as making:
                    pip.install_into(making, "uv")
    return folder / "bin" / "uv"


def fingerprint(lock: bytes) -> str:
    """What an environment is made from: the bytes of its lock."""
    return hashlib.sha256(lock).hexdigest()


def is_fresh(venv: Path, wanted: str) -> bool:
    """Whether the environment is whole and made from ``wanted``."""
    stamp = venv / STAMP
    return (venv / "bin" / "python").exists() and stamp.is_file() and stamp.read_text() == wanted


def ensure() -> bool:
    """Make the environment what the lock says; False if it was already.

    Raises:
        ToolchainError: uv cannot be had, or a package cannot be installed.
    """
    wanted = fingerprint(paths.LOCK.read_bytes())
    if is_fresh(paths.VENV, wanted):
        return False
    program = uv()
    place = hashlib.sha256(str(paths.CHECKOUT).encode()).hexdigest()[:12]
    with steps.only_one(paths.cache() / f"venv-{place}.lock"):
        if is_fresh(paths.VENV, wanted):
            return False
        (paths.VENV / STAMP).unlink(missing_ok=True)  # until the end it is in no known state
        if not (paths.VENV / "bin" / "python").exists():
            command: list[str | Path] = [
                program,
                "venv",
                "--clear",
                "--no-project",
                "--python",
                sys.executable,
                paths.VENV,
            ]
            steps.run("Python environment", command)
        python = paths.VENV / "bin" / "python"
        command = [program, "pip", "sync", "--require-hashes", "--python", python, paths.LOCK]
        steps.run("Python packages of requirements.lock", command, cwd=paths.CHECKOUT)
        (paths.VENV / STAMP).write_text(wanted)
    return True
