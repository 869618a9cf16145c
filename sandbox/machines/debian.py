"""Programs out of Debian packages, unpacked into the cache and never installed."""

import fcntl
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.machines import apt
from sandbox.machines.image import cache_root
from sandbox.machines.namespaces import run


def program(package: str, path: str) -> Path:
    """A file of a Debian package (`docker-registry`, `usr/bin/docker-registry`), downloaded once per machine.

    Raises:
        RuntimeError: apt knows no such package, or the file is not in it.
    """
    target = cache_root() / "debian" / package
    if not (target / path).exists():
        _unpack(package, target)
        if not (target / path).exists():
            shutil.rmtree(target)
            raise RuntimeError(f"the package {package} has no {path}")
    return target / path


@dataclass(frozen=True)
class Unpacked:
    """A package of another suite than the machine's own."""

    folder: Path
    version: str
    """Debian's version, as `3.5.3+ds1-6`."""

    @property
    def upstream(self) -> str:
        """The version of the program itself: without epoch, Debian's revision and its note on the source."""
        return self.version.rpartition(":")[2].rpartition("-")[0].partition("+")[0]


def newest(package: str, suite: str = "unstable") -> Unpacked:
    """A package of a newer suite of the machine's own archive, downloaded once per machine.

    Raises:
        RuntimeError: the archive cannot be read, or has no such package.
    """
    folder = cache_root() / "debian" / suite
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = sorted(folder.glob(f"{package}_*"))
        if not found:
            options = _lists(folder / ".apt", suite)
            policy = run("apt-cache", *options, "show", "--no-all-versions", package)
            version = next(line.split()[1] for line in policy.splitlines() if line.startswith("Version:"))
            found = [folder / f"{package}_{version}"]
            _unpack(package, found[0], options)
        return Unpacked(found[-1], found[-1].name.partition("_")[2])


def _lists(folder: Path, suite: str) -> list[str]:
    """Options with which apt knows the suite alone; its lists are fetched once."""
    lists = folder / "lists"
    options = [
        f"-oDir::Etc::SourceList={folder / 'sources.list'}",
        "-oDir::Etc::SourceParts=/dev/null",
        f"-oDir::State::Lists={lists}",
        f"-oDir::Cache={folder}",
        "-oAcquire::Languages=none",
        "-oAcquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
        "-oAPT::Sandbox::User=root",
    ]
    if not (folder / "fetched").exists():
        for needed in (lists / "partial", folder / "archives" / "partial"):
            needed.mkdir(parents=True, exist_ok=True)
        # A frozen copy of the archive serves a Release file past its date; its signature is checked all the same.
        trust = f"check-valid-until=no signed-by={apt.KEYRING}"
        (folder / "sources.list").write_text(f"deb [{trust}] {apt.debian_mirror()} {suite} main\n")
        run("apt-get", *options, "-q", "update")
        (folder / "fetched").touch()
    return options


def _unpack(package: str, target: Path, options: Sequence[str] = ()) -> None:
    work = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    done = subprocess.run(
        ["apt-get", *options, "download", "-q", package], cwd=work, capture_output=True, text=True, check=False
    )
    archives = list(work.glob("*.deb"))
    if done.returncode or not archives:
        raise RuntimeError(f"apt-get download {package}: {done.stderr.strip()} (is `apt-get update` due?)")
    run("dpkg-deb", "-x", str(archives[0]), str(work))
    archives[0].unlink()
    shutil.rmtree(target, ignore_errors=True)
    work.rename(target)
