"""promtool: the one on PATH, else Debian's, unpacked into the cache and never installed; CI must have it."""

import functools
import os
import shutil
import subprocess

import pytest

from sandbox.machines import debian


@functools.cache
def find() -> str:
    """Its path; skips the test where there is none and no Debian archive to take it from."""
    if found := shutil.which("promtool"):
        return found
    try:
        return str(debian.newest("promtool").folder / "usr/bin/promtool")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        assert not os.environ.get("CI"), f"CI must have promtool: {error}"
        pytest.skip(f"promtool is not at hand: {error}")


def promtool(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs it."""
    return subprocess.run([find(), *arguments], check=False, input=stdin, capture_output=True, text=True, timeout=120)
