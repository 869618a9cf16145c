"""Programs of the operating system: what is missing, and its installation by apt where that may be done."""

import importlib.util
import os
import shutil
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from toolchain import steps
from toolchain.errors import ToolchainError

DATA = Path(__file__).with_name("system_packages.toml")
APT_LISTS = Path("/var/lib/apt/lists")
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where administrators' programs lie; a user's PATH often lacks it."""


@dataclass(frozen=True)
class SystemProgram:
    """One program that the operating system provides."""

    package: str
    """Its package in Debian and Ubuntu."""
    program: str
    """What shows that it is there: a command, an absolute path, or `module NAME` of this Python."""
    why: str
    """What it is needed for."""

    def is_there(self) -> bool:
        """Whether it can be used."""
        if self.program.startswith("module "):
            importlib.invalidate_caches()  # it may have been installed since this process began
            return importlib.util.find_spec(self.program.removeprefix("module ")) is not None
        search = os.pathsep.join([os.environ.get("PATH", os.defpath), SYSTEM_PATH])
        return shutil.which(self.program, path=search) is not None


def groups() -> dict[str, list[SystemProgram]]:
    """The groups of system_packages.toml: who needs them, and what."""
    return {name: [SystemProgram(**row) for row in rows] for name, rows in tomllib.loads(DATA.read_text()).items()}


def missing(names: Iterable[str]) -> list[SystemProgram]:
    """What is not there of the groups ``names``.

    Raises:
        ToolchainError: a group does not exist.
    """
    known = groups()
    for name in names:
        if name not in known:
            raise ToolchainError(f"group of system programs: {name!r} is not one of {', '.join(known)}")
    return [program for name in names for program in known[name] if not program.is_there()]


def why_not_apt() -> str | None:
    """Why this process cannot install packages by apt, or None when it can."""
    if shutil.which("apt-get") is None:
        return "this is not Debian or Ubuntu"
    if os.geteuid() != 0:
        return "this is not root"
    return None


def ensure(names: Iterable[str], *, required: bool) -> list[SystemProgram]:
    """Install what is missing of the groups ``names`` where that may be done, else say what to install.

    Returns:
        What is still missing (only with ``required=False``).

    Raises:
        ToolchainError: something is missing that is ``required``, or apt failed.
    """
    wanted = missing(names)
    if not wanted:
        return []
    listing = "\n".join(f"  {program.package}: {program.why}" for program in wanted)
    packages = [program.package for program in wanted]
    reason = why_not_apt()
    if reason is not None:
        text = f"missing on this system ({reason}, so install them yourself):\n{listing}"
        if shutil.which("apt-get") is not None:
            text += f"\n  sudo apt-get install {' '.join(packages)}"
        if required:
            raise ToolchainError(text)
        steps.say(text)
        return wanted
    steps.say(f"installing by apt:\n{listing}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    if not any(APT_LISTS.glob("*_Packages*")):
        steps.run("apt-get update", ["apt-get", "update", "--quiet"], env=quiet)
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    steps.run(f"apt-get install {' '.join(packages)}", command, env=quiet)
    return []
