"""Which provider plugins are used: Pulumi's genuine ones, or the stand-ins of sandbox/providers."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sandbox.state import CHECKOUT

STAND_INS = CHECKOUT / "sandbox" / "providers" / "bin"
INSTALL_SECONDS = 120
"""How long `auto` waits for a download; the genuine aws plugin is some 150 MB."""

PACKAGES = {
    "aws": "pulumi-aws",
    "docker": "pulumi-docker",
    "datadog": "pulumi-datadog",
    "eks": "pulumi-eks",
    "kubernetes": "pulumi-kubernetes",
}
"""Provider -> Python package whose version the plugin must have."""


class Choice(StrEnum):
    """What `--plugins` takes."""

    GENUINE = "genuine"
    STAND_IN = "stand-in"
    AUTO = "auto"


@dataclass(frozen=True)
class Plugins:
    """The outcome.

    Attributes:
        kind: genuine or stand-in.
        reason: why, for the one line that is printed.
        cache: the folder of the genuine plugins.
    """

    kind: Choice
    reason: str
    cache: str | None = None

    def line(self) -> str:
        """One line for people."""
        return f"provider plugins: {self.kind} ({self.reason})"


def resolve(choice: Choice, engine: str | None) -> Plugins:
    """Choose the plugins.

    Raises:
        RuntimeError: genuine ones are asked for and cannot be had.
    """
    if choice is Choice.STAND_IN:
        return Plugins(Choice.STAND_IN, "as asked")
    cache = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    versions = {name: importlib.metadata.version(package) for name, package in PACKAGES.items()}
    missing = {n: v for n, v in versions.items() if not (cache / f"resource-{n}-v{v}").is_dir()}
    if not missing:
        return Plugins(Choice.GENUINE, f"found in {cache}", str(cache))
    failure = _install(missing, engine)
    if failure is None:
        return Plugins(Choice.GENUINE, "downloaded", str(cache))
    if choice is Choice.GENUINE:
        raise RuntimeError(f"--plugins genuine: {failure}")
    return Plugins(Choice.STAND_IN, f"the genuine ones cannot be had: {failure}")


def _install(missing: dict[str, str], engine: str | None) -> str | None:
    """Install plugins into the user's own cache; the reason when that fails."""
    if engine is None:
        return "no pulumi engine to download them with"
    environment = {k: v for k, v in os.environ.items() if k != "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"}
    for name, version in missing.items():
        command = [engine, "plugin", "install", "resource", name, f"v{version}"]
        try:
            answer = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"resource-{name} v{version} was not there after {INSTALL_SECONDS} s"
        if answer.returncode != 0:
            return f"`pulumi plugin install resource {name} v{version}` fails here"
    return None
