"""The base image of the sandbox's hosts: a Debian root made once and cached by the content of its recipe.

It is the "AMI" that user data meets: systemd, cloud-init, Docker (off), boto3. Hosts mount it below an overlay.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.machines import apt

FILES = Path(__file__).parent / "image_files"
MINUTES_AT_MOST = 30

PACKAGES = (
    "systemd,systemd-sysv,dbus,udev,iproute2,iptables,ca-certificates,curl,kmod,procps,iputils-ping,netbase,locales,sudo,"
    "cloud-init,python3,python3-boto3,python3-cffi-backend,openssl,prometheus-node-exporter,conntrack,jq,nftables"
)


# Low priority; dies with this process, with all that it started and mounted.
ALONE = (
    *("nice", "-n", "10", "setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"),
)


class ImageError(Exception):
    """The base image cannot be made; the message says which step failed and where its log is."""


@dataclass(frozen=True)
class Recipe:
    """One way to make the image. The first in `RECIPES` that works is used."""

    suite: str
    """Debian suite of the root. trixie has systemd 257, the last major that still boots on cgroup v1 (when forced)."""
    engine_suite: str
    """Suite the container engine comes from, "-" for the root's own."""

    def digest(self) -> str:
        """Name of the image: the content of everything that decides what is in it, except the archive's own state."""
        files = [f"{p.relative_to(FILES)}\0{p.read_text()}" for p in sorted(FILES.rglob("*")) if p.is_file()]
        parts = [self.suite, self.engine_suite, PACKAGES, *files]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


RECIPES = (Recipe("trixie", "unstable"), Recipe("trixie", "-"))


def cache_root() -> Path:
    """Folder of everything that is downloaded or built once per machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "timonel"


@dataclass(frozen=True)
class Image:
    """A finished image."""

    folder: Path
    suite: str
    engine_suite: str
    versions: dict[str, str]
    seconds: float
    """How long the making took, 0 for one that predates the figure."""

    @property
    def root(self) -> Path:
        """The root file system (read-only by agreement: it is the lower layer of running hosts)."""
        return self.folder / "root"


def find() -> Image | None:
    """The newest recipe's image when it is in the cache."""
    for recipe in RECIPES:
        image = _load(_folder(recipe))
        if image:
            return image
    return None


def ensure(say: Callable[[str], None] = print) -> Image:
    """Return the image, making it first if need be. One process makes it, others wait.

    Raises:
        ImageError: no recipe worked.
    """
    image = find()
    if image:
        return image
    images = cache_root() / "images"
    images.mkdir(parents=True, exist_ok=True)
    with _lock(images / ".lock", say):
        image = find()
        if image:
            return image
        failures = []
        for recipe in RECIPES:
            try:
                return _make(recipe, say)
            except ImageError as error:
                failures.append(f"{recipe.suite} with the engine of {recipe.engine_suite}: {error}")
                say(f"image: {failures[-1]}")
        raise ImageError("no recipe for the hosts' image worked:\n  " + "\n  ".join(failures))


def _folder(recipe: Recipe) -> Path:
    return cache_root() / "images" / f"{recipe.suite}-{recipe.digest()}"


def _load(folder: Path) -> Image | None:
    try:
        facts = json.loads((folder / "image.json").read_text())
    except FileNotFoundError:
        return None
    return Image(folder, facts["suite"], facts["engine_suite"], facts["versions"], facts["seconds"])


@contextlib.contextmanager
def _lock(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("image: another process is making it, waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(recipe: Recipe, say: Callable[[str], None]) -> Image:
    """Make one image beside its place and rename it there, so that a killed build is never taken for an image."""
    target, start = _folder(recipe), time.monotonic()
    bootstrap = _bootstrap(recipe.suite, say)
    work = _fresh(target.with_name(f".{target.name}.making"))
    log, root = target.with_name(f"{target.name}.log"), work / "root"
    log.unlink(missing_ok=True)
    _step("copy of the bootstrapped root", ["cp", "-a", "--reflink=auto", str(bootstrap), str(root)], log, say)
    shutil.copy(FILES / "finish.sh", root / "finish.sh")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    options = root / "etc/apt/apt.conf.d/99vm"
    options.write_text(apt.acquire_options())
    # /proc and /sys for maintainer scripts; both are gone with the mount namespace of the step.
    mount = 'mount -t proc proc "$1/proc" && mount -t sysfs -o ro sysfs "$1/sys"'
    script = f'{mount} && chroot "$1" /bin/sh /finish.sh "$2" "$3"'
    command = ["sh", "-c", script, "sh", str(root), apt.debian_mirror(), recipe.engine_suite]
    _step(f"engine from {recipe.engine_suite}", command, log, say)
    (root / "finish.sh").unlink()
    options.unlink()
    _copy_plain(FILES / "root", root)
    wants = root / "etc/systemd/system/sysinit.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / "timonel-cgroups.service").symlink_to("../timonel-cgroups.service")
    versions = dict(line.split(" ", 1) for line in (root / "etc/timonel-image").read_text().splitlines())
    seconds = round(time.monotonic() - start, 1)
    facts = {"suite": recipe.suite, "engine_suite": recipe.engine_suite, "versions": versions, "seconds": seconds}
    (work / "image.json").write_text(json.dumps(facts, indent=1))
    work.rename(target)
    say(f"image: made in {seconds:.0f} s: docker {versions['docker.io']}, systemd {versions['systemd']}")
    return Image(target, recipe.suite, recipe.engine_suite, versions, seconds)


def _bootstrap(suite: str, say: Callable[[str], None]) -> Path:
    """The suite's bare root, kept by its package list: recipes and their corrections start from a copy of it."""
    digest = hashlib.sha256(f"{suite} {PACKAGES}".encode()).hexdigest()[:12]
    target = cache_root() / "images" / f"bootstrap-{suite}-{digest}"
    if target.exists():
        return target
    work = _fresh(target.with_name(f".{target.name}.making"))
    keyring = ["--keyring", str(apt.KEYRING)] if apt.KEYRING.exists() else []
    packages = f"--include={PACKAGES}"
    command = ["debootstrap", "--variant=minbase", *keyring, packages, suite, str(work), apt.debian_mirror()]
    _step(f"debootstrap {suite}", command, target.with_name(f"{target.name}.log"), say)
    work.rename(target)
    return target


def _fresh(folder: Path) -> Path:
    """An empty folder in place of what a killed build left (no mount can be in it: steps have their own namespaces)."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _copy_plain(source: Path, target: Path) -> None:
    """Copy the image's own files: modes do not follow the checkout's umask; only a script is executable."""
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        place.chmod(0o755 if path.read_bytes().startswith(b"#!") else 0o644)


def _step(title: str, command: list[str], log: Path, say: Callable[[str], None]) -> None:
    """Run one long command at low priority, telling every 15 s that it goes on.

    Raises:
        ImageError: it failed or ran out of time; the last lines of its log are in the message.
    """
    start = told = time.monotonic()
    say(f"image: {title} (log: {log})")
    with log.open("a") as handle:
        environment = {**os.environ, "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        process = subprocess.Popen(
            [*ALONE, *command], stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, env=environment
        )
        try:
            while process.poll() is None:
                elapsed = time.monotonic() - start
                if elapsed > MINUTES_AT_MOST * 60:
                    raise ImageError(f"{title}: not done after {MINUTES_AT_MOST} minutes (log: {log})")
                if time.monotonic() - told > 15:
                    told = time.monotonic()
                    say(f"image: {title}: {elapsed:.0f} s")
                time.sleep(0.2)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        tail = "\n    ".join(log.read_text(errors="replace").splitlines()[-6:])
        raise ImageError(f"{title}: exit code {process.returncode} (log: {log})\n    {tail}")
    say(f"image: {title}: done in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    made = ensure(lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps({"root": str(made.root), "seconds": made.seconds, "versions": made.versions}, indent=1))
