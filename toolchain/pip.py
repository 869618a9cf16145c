"""Packages from PyPI before there is an environment: by the pip that this python3 has or can make."""

import importlib.util
import re
import sys
import tempfile
from pathlib import Path

from toolchain import paths, steps, system
from toolchain.errors import ToolchainError


def install_into(folder: Path, package: str) -> None:
    """Install ``package``, as pinned with hashes in bootstrap.lock, into ``folder`` (nothing else, nowhere else).

    Raises:
        ToolchainError: there is no pip, or it failed.
    """
    with tempfile.TemporaryDirectory(prefix="timonel-pip-") as scratch:
        requirement = Path(scratch) / "requirements.txt"
        requirement.write_text(locked_block(paths.BOOTSTRAP_LOCK.read_text(), package))
        steps.run(
            f"{package} from PyPI",
            [
                *(_python_with_pip(Path(scratch)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-input", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
                *("--target", folder, "--requirement", requirement),
            ],
        )


def locked_block(lock: str, package: str) -> str:
    """The lines of ``package`` in a lock with hashes.

    Raises:
        ToolchainError: the lock does not hold it.
    """
    found = re.search(rf"^{re.escape(package)}==.*\n(?:[ \t].*\n)*", lock, re.MULTILINE)
    if found is None:
        raise ToolchainError(f"bootstrap.lock does not hold {package}: run `make lock`")
    return found.group()


def _python_with_pip(scratch: Path) -> str | Path:
    if importlib.util.find_spec("pip") is not None:
        return sys.executable
    if importlib.util.find_spec("ensurepip") is None:
        # Debian and Ubuntu part python3 from both; the system step brings them where it may.
        system.ensure(["python"], required=True)
    steps.run("pip for the first step", [sys.executable, "-m", "venv", scratch / "venv"])
    return scratch / "venv" / "bin" / "python"
