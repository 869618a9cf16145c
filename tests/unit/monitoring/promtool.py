"""promtool, where it is installed; CI must have it."""

import os
import shutil
import subprocess

import pytest


def promtool(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs it; skips the test where it is not installed."""
    program = shutil.which("promtool")
    if program is None:
        assert not os.environ.get("CI"), "CI must have promtool: apt-get install prometheus"
        pytest.skip("promtool is not installed")
    return subprocess.run([program, *arguments], check=False, input=stdin, capture_output=True, text=True, timeout=120)
