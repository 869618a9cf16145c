"""The programs of a control plane and kubectl, built once from the Go modules pinned in programs/go.mod and go.sum."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path

from toolchain import golang, paths, steps
from toolchain.versions import go_mod_version

SOURCE = Path(__file__).parent / "programs"
MODULE = "k8s.io/kubernetes"
ETCD = "go.etcd.io/etcd/server/v3"
COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
PROGRAMS = (*COMMANDS, "etcd")

ENVIRONMENT = {
    "CGO_ENABLED": "0",  # no C compiler is needed, and the result does not depend on one
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
}


@cache
def version() -> str:
    """The Kubernetes version that is built, with its leading v."""
    return go_mod_version((SOURCE / "go.mod").read_text(), MODULE)


@cache
def folder() -> Path:
    """Where the programs lie in the cache: one folder for each version, machine and set of modules."""
    digest = hashlib.sha256(repr(sorted(ENVIRONMENT.items())).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    name = f"{version()}-{platform.system().lower()}-{platform.machine()}-{digest.hexdigest()[:12]}"
    return paths.cache() / "kubernetes" / name


def built() -> bool:
    """Whether every program is there."""
    return all((folder() / name).exists() for name in PROGRAMS)


def program(name: str) -> Path:
    """The path of one of `PROGRAMS`; it need not be there (see `built`)."""
    return folder() / name


def ensure() -> Path:
    """The folder with the programs, built if they are not there: minutes of every core, once for a machine.

    Raises:
        ToolchainError: there is no Go and none can be had, or the build failed.
    """
    if not built():
        with steps.only_one(paths.cache() / "kubernetes.lock"):
            if not built():
                _build()
    return folder()


def _build() -> None:
    go = golang.ensure(go_mod_version((SOURCE / "go.mod").read_text()))
    major, minor, _ = version().removeprefix("v").split(".")
    stamp = "k8s.io/component-base/version"
    values = {"gitVersion": version(), "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    linker = "-s -w " + " ".join(f"-X {stamp}.{name}={value}" for name, value in values.items())
    packages = [*(f"{MODULE}/cmd/{name}" for name in COMMANDS), ETCD]
    with steps.made_whole(folder()) as making:
        command: list[str | Path] = ["nice", go, "build", "-ldflags", linker, "-o", f"{making}/", *packages]
        title = f"Kubernetes {version()}: download and build (minutes, once)"
        steps.run(title, command, env=ENVIRONMENT, cwd=SOURCE)
        (making / "server").rename(
            making / "etcd"
        )  # Go names a program by the last part of its package that is no version
