"""The Pulumi engine and its Python language host, built from the Go modules pinned in engine/go.mod and go.sum."""

import hashlib
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

from toolchain import golang, paths, steps
from toolchain.errors import ToolchainError
from toolchain.versions import go_mod_version

SDK = "github.com/pulumi/pulumi/sdk/v3"
ENGINE = "github.com/pulumi/pulumi/pkg/v3"

ENVIRONMENT = {
    "CGO_ENABLED": "0",  # no C compiler is needed, and the result does not depend on one
    "GOTOOLCHAIN": "local",  # the Go that was chosen, not one that it downloads
    "GOWORK": "off",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
}


@cache
def version() -> str:
    """The version that is built: what engine/go.mod pins."""
    return go_mod_version((paths.ENGINE_SOURCE / "go.mod").read_text(), ENGINE).removeprefix("v")


@cache
def folder() -> Path:
    """Where the built programs lie in the cache: a folder for each version, machine and content of engine/."""
    digest = hashlib.sha256(repr(sorted(ENVIRONMENT.items())).encode())
    for path in sorted(paths.ENGINE_SOURCE.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(paths.ENGINE_SOURCE)}\0".encode() + path.read_bytes())
    name = f"built-{version()}-{platform.system().lower()}-{platform.machine()}-{digest.hexdigest()[:12]}"
    return paths.cache() / "engine" / name


def build(target: Path) -> None:
    """Fill ``target`` with the engine's programs.

    Raises:
        ToolchainError: there is no Go and none can be had, or a step failed.
    """
    minimum = go_mod_version((paths.ENGINE_SOURCE / "go.mod").read_text())
    go = golang.ensure(minimum)
    linker = f"-s -w -X {SDK}/go/common/version.Version=v{version()}"
    for title, package, name in (
        (f"Pulumi engine {version()}: download and build (minutes, once)", f"{ENGINE}/cmd/pulumi", "pulumi"),
        ("Python language host: build", "./language_host", "pulumi-language-python"),
    ):
        command: list[str | Path] = [go, "build", "-ldflags", linker, "-o", target / name, package]
        steps.run(title, command, env=ENVIRONMENT, cwd=paths.ENGINE_SOURCE)
    sdk = _module_folder(go, SDK) / "python"
    for source in (sdk / "cmd" / "pulumi-language-python-exec", sdk / "dist" / "pulumi-resource-pulumi-python"):
        shutil.copyfile(source, target / source.name)
        (target / source.name).chmod(0o755)


def _module_folder(go: Path, module: str) -> Path:
    command = [str(go), "list", "-m", "-f", "{{.Dir}}", module]
    answer = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=paths.ENGINE_SOURCE,
        env={**os.environ, **ENVIRONMENT},
    )
    if answer.returncode != 0 or not answer.stdout.strip():
        raise ToolchainError(f"`{' '.join(command)}` failed: {answer.stderr.strip()}")
    return Path(answer.stdout.strip())
