"""Programs out of Debian packages, unpacked into the cache and never installed."""

import shutil
import subprocess
from pathlib import Path

from sandbox.machines.image import cache_root
from sandbox.machines.namespaces import run


def program(package: str, path: str) -> Path:
    """A file of a Debian package (`docker-registry`, `usr/bin/docker-registry`), downloaded once per machine.

    Raises:
        RuntimeError: apt knows no such package, or the file is not in it.
    """
    target = cache_root() / "debian" / package
    if not (target / path).exists():
        work = target.with_name(f".{package}.unpacking")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        done = subprocess.run(
            ["apt-get", "download", "-q", package], cwd=work, capture_output=True, text=True, check=False
        )
        archives = list(work.glob("*.deb"))
        if done.returncode or not archives:
            raise RuntimeError(f"apt-get download {package}: {done.stderr.strip()} (is `apt-get update` due?)")
        run("dpkg-deb", "-x", str(archives[0]), str(work))
        archives[0].unlink()
        if not (work / path).exists():
            raise RuntimeError(f"the package {package} has no {path}")
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
    return target / path
