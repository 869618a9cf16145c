"""Pulumi's official installer, where it can be reached. It brings the genuine language host."""

import os
import shutil
from pathlib import Path

from toolchain import paths, steps
from toolchain.errors import ToolchainError
from toolchain.versions import ENGINE_INSTALL

URL = "https://get.pulumi.com"
"""The installer of https://www.pulumi.com/docs/install (a shell script that downloads the release)."""

REACH_SECONDS = 5.0
"""How long to wait for the installer's host before going on without it."""

INSTALL_SECONDS = 300
"""How long the whole download may take."""


def version() -> str:
    """The version that is installed."""
    return ENGINE_INSTALL


def folder() -> Path:
    """Where the installer's programs lie in the cache."""
    return paths.cache() / "engine" / f"official-{ENGINE_INSTALL}"


def install(target: Path, url: str = URL) -> None:
    """Fill ``target`` with the programs that the installer brings.

    Raises:
        ToolchainError: the installer cannot be reached within REACH_SECONDS, or it failed.
    """
    import urllib.error  # noqa: PLC0415 - every make target runs this module, and hardly one gets here
    import urllib.request  # noqa: PLC0415

    script = target / "install.sh"
    try:
        with urllib.request.urlopen(url, timeout=REACH_SECONDS) as answer:  # noqa: S310 - a constant https address
            script.write_bytes(answer.read())
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ToolchainError(f"{url} cannot be reached ({reason})") from error
    root = target / "root"
    steps.run(
        f"Pulumi engine {ENGINE_INSTALL}: official installer",
        [
            *("timeout", str(INSTALL_SECONDS), "sh", script),
            *("--version", ENGINE_INSTALL, "--install-root", root, "--no-edit-path"),
        ],
    )
    for program in (root / "bin").iterdir():
        os.replace(program, target / program.name)  # noqa: PTH105 - the same file system
    shutil.rmtree(root)
    script.unlink()
