"""Stand-ins for well-known images, under their real names and any tag, made when a host first asks for one.

Prometheus, Alertmanager and node_exporter are Debian's own builds of the real programs; cAdvisor is its libraries with
a small main (`cadvisor/`); Grafana and the Datadog agent are small programs of ours (`grafana/`, `datadog_agent/`).
Entry points, users, volumes and ports are those of the real images, so that a service's arguments fit both. Labels say
what an image is.
"""

import fcntl
import hashlib
import json
import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.machines import classic_pages, debian
from sandbox.machines.container_images import ContainerImage, Packed, digest, own_images, tag_manifest, upload
from sandbox.machines.image import cache_root

log = logging.getLogger("machines.standins")
HUB = "docker.io"
NOBODY = 65534
GRAFANA = "472"
"""The user of the real image."""
LIBRARIES = ("ld-linux-x86-64.so.2", "libc.so.6", "libresolv.so.2", "libpthread.so.0")
"""What Debian's Go programs load: the C library's resolver at most."""
LABEL = "timonel.standin"
PAGES = "timonel/prometheus-with-pages"
"""An older Prometheus that has pages, for pictures of them (`make pictures`)."""
HERE = Path(__file__).parent
CADVISOR_VERSION = "v0.57.0"
"""Of the libraries in cadvisor/go.mod."""


@dataclass(frozen=True)
class StandIn:
    """One image of another registry."""

    host: str
    """Its registry, `docker.io` for Docker Hub."""
    repository: str
    make: Callable[[], ContainerImage]
    only_asked_for: bool = False
    """Not made with the others."""

    @property
    def name(self) -> str:
        """Its repository in the sandbox's registry."""
        return self.repository if self.host == HUB else f"{self.host}/{self.repository}"


def _image(
    repository: str,
    program: Path,
    place: str,
    *,
    source: str,
    version: str,
    files: dict[str, tuple[bytes, int]] | None = None,
    entrypoint: tuple[str, ...] = (),
    command: tuple[str, ...] = (),
    **settings: Any,
) -> ContainerImage:
    """Busybox, as most of the real images have, with one program at `place` (the entry point unless one is given)."""
    base = next(image for image in own_images() if image.name == "library/busybox")
    return ContainerImage(
        repository,
        {**base.files, place.lstrip("/"): (program.read_bytes(), 0o755), **(files or {})},
        command,
        entrypoint=entrypoint or (place,),
        links=base.links,
        labels={LABEL: f"{source}, in place of {repository}", "org.opencontainers.image.version": version},
        **settings,
    )


def _libraries() -> dict[str, tuple[bytes, int]]:
    folder = debian.newest("libc6").folder / "usr/lib/x86_64-linux-gnu"
    files = {f"lib/x86_64-linux-gnu/{name}": ((folder / name).read_bytes(), 0o755) for name in LIBRARIES}
    return {**files, "lib64/ld-linux-x86-64.so.2": ((folder / LIBRARIES[0]).read_bytes(), 0o755)}


def _prometheus() -> ContainerImage:
    package = debian.newest("prometheus")
    settings = b"global:\n  scrape_interval: 15s\nscrape_configs: []\n"
    return _image(
        "prom/prometheus",
        package.folder / "usr/bin/prometheus",
        "/bin/prometheus",
        source=f"Debian's prometheus {package.version} (without the web pages)",
        version=package.upstream,
        files={**_libraries(), "etc/prometheus/prometheus.yml": (settings, 0o644)},
        command=("--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"),
        user="nobody",
        directory="/prometheus",
        folders={"etc/prometheus": NOBODY, "prometheus": NOBODY},
        volumes=("/prometheus",),
        port=9090,
    )


def _prometheus_with_pages() -> ContainerImage:
    newest = _prometheus()
    program = debian.program("prometheus", "usr/bin/prometheus").read_bytes()
    says = {
        LABEL: "Debian's prometheus of this machine's release, with its classic pages",
        "org.opencontainers.image.version": "0",
    }
    pages = {**classic_pages.files(), "bin/prometheus": (program, 0o755)}
    return replace(newest, name=PAGES, files={**newest.files, **pages}, labels=says)


def _alertmanager() -> ContainerImage:
    package = debian.newest("prometheus-alertmanager")
    shared = "usr/share/prometheus/alertmanager"
    files = {
        f"{shared}/{n}": ((package.folder / shared / n).read_bytes(), 0o644) for n in ("default.tmpl", "email.tmpl")
    }
    settings = b"route: {receiver: none}\nreceivers: [{name: none}]\n"
    return _image(
        "prom/alertmanager",
        package.folder / "usr/bin/prometheus-alertmanager",
        "/bin/alertmanager",
        source=f"Debian's prometheus-alertmanager {package.version} (without the web pages)",
        version=package.upstream,
        files={**_libraries(), **files, "etc/alertmanager/alertmanager.yml": (settings, 0o644)},
        command=("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"),
        user="nobody",
        directory="/alertmanager",
        folders={"etc/alertmanager": NOBODY, "alertmanager": NOBODY},
        volumes=("/alertmanager",),
        port=9093,
    )


def _node_exporter() -> ContainerImage:
    package = debian.newest("prometheus-node-exporter")
    return _image(
        "prom/node-exporter",
        package.folder / "usr/bin/prometheus-node-exporter",
        "/bin/node_exporter",
        source=f"Debian's prometheus-node-exporter {package.version}",
        version=package.upstream,
        files=_libraries(),
        user="nobody",
        port=9100,
    )


def _cadvisor() -> ContainerImage:
    return _image(
        "google/cadvisor",
        built("cadvisor", f"-X main.version={CADVISOR_VERSION}"),
        "/usr/bin/cadvisor",
        source=f"cAdvisor's libraries {CADVISOR_VERSION} with a main of the sandbox (metrics and health only)",
        version=CADVISOR_VERSION.removeprefix("v"),
        entrypoint=("/usr/bin/cadvisor", "-logtostderr"),
        port=8080,
    )


def _grafana() -> ContainerImage:
    return _image(
        "grafana/grafana",
        built("grafana"),
        "/run.sh",
        source="a small program of the sandbox that reads what is provisioned and answers a part of the API",
        version="0",
        user=GRAFANA,
        folders={"var/lib/grafana": int(GRAFANA)},
        port=3000,
    )


def _datadog_agent() -> ContainerImage:
    return _image(
        "datadog/agent",
        built("datadog_agent"),
        "/bin/entrypoint.sh",
        source="a small program of the sandbox that reports to its Datadog intake",
        version="0",
        folders={"etc/datadog-agent": 0},
        port=8125,
    )


def built(name: str, linker: str = "") -> Path:
    """A Go program of the sandbox, built once for its content; a minute or two for cAdvisor on two cores."""
    from toolchain import golang, steps  # noqa: PLC0415  # only where something is built
    from toolchain.versions import go_mod_version  # noqa: PLC0415

    source = HERE / name
    content = hashlib.sha256(b"\0".join(p.read_bytes() for p in sorted(source.iterdir()) if p.is_file())).hexdigest()
    target = cache_root() / "standins" / f"{name}-{content[:12]}"
    if not target.exists():
        go = golang.ensure(go_mod_version((source / "go.mod").read_text()))
        with steps.made_whole(target) as making:
            command: list[str | Path] = ["nice", go, "build", "-ldflags", f"-s -w {linker}", "-o", making / name, "."]
            environment = {
                "CGO_ENABLED": "0",
                "GOTOOLCHAIN": "local",
                "GOWORK": "off",
                "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
            }
            steps.run(f"{name} for the sandbox's registry: build", command, env=environment, cwd=source)
    return target / name


TABLE = (
    StandIn(HUB, "prom/prometheus", _prometheus),
    StandIn(HUB, PAGES, _prometheus_with_pages, only_asked_for=True),
    StandIn(HUB, "prom/alertmanager", _alertmanager),
    StandIn(HUB, "prom/node-exporter", _node_exporter),
    StandIn("ghcr.io", "google/cadvisor", _cadvisor),
    StandIn("gcr.io", "cadvisor/cadvisor", _cadvisor),
    StandIn(HUB, "grafana/grafana", _grafana),
    StandIn(HUB, "datadog/agent", _datadog_agent),
)
HOSTS = frozenset(item.host for item in TABLE) - {HUB}
"""Registries other than Docker Hub whose names the hosts' resolver knows."""


def find(host: str, repository: str) -> StandIn | None:
    """The stand-in for a repository of a registry."""
    return next((item for item in TABLE if (item.host, item.repository) == (host, repository)), None)


def packed(item: StandIn) -> Packed:
    """The image as a registry takes it: from the cache, else made.

    Raises:
        RuntimeError: a package cannot be had, or a program cannot be built.
        ToolchainError: the same, from the toolchain.
    """
    folder = cache_root() / "standins" / f"{item.make.__name__.strip('_')}-{_recipe()}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = Packed.of(item.make())
            work = folder.with_name(f".{folder.name}.making")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            (work / "layer.tar.gz").write_bytes(made.layer)
            (work / "config.json").write_bytes(made.config)
            work.rename(folder)
    return Packed((folder / "layer.tar.gz").read_bytes(), (folder / "config.json").read_bytes())


def _recipe() -> str:
    """What decides how images are made: this file, how they are packed, and the programs' sources."""
    sources = [HERE / "standins.py", HERE / "container_images.py", HERE / "classic_pages.py"]
    sources += sorted(
        p for name in ("cadvisor", "grafana", "datadog_agent") for p in (HERE / name).iterdir() if p.is_file()
    )
    return hashlib.sha256(b"\0".join(p.read_bytes() for p in sources)).hexdigest()[:12]


class Shelf:
    """The stand-ins of one registry: pushed when first asked for, then tagged as asked."""

    def __init__(self) -> None:
        self._manifests: dict[str, bytes] = {}
        self._tags: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def provide(self, item: StandIn, tag: str, registry: str) -> None:
        """Have an image in the registry (`http://HOST:PORT`) under a tag; nothing for a digest, which is there or not.

        Raises:
            RuntimeError: it cannot be made; the message says why.
        """
        with self._lock:
            if tag.startswith("sha256:") or (item.name, tag) in self._tags:
                return
            if item.name not in self._manifests:
                image = packed(item)
                upload(image, item.name, (tag,), registry)
                self._manifests[item.name] = image.manifest()
                log.info("%s: %s", item.name, json.loads(image.config)["config"]["Labels"][LABEL])
            else:
                tag_manifest(self._manifests[item.name], item.name, tag, registry)
            self._tags.add((item.name, tag))


if __name__ == "__main__":
    for entry in (item for item in TABLE if not item.only_asked_for):
        ready = packed(entry)
        print(f"{entry.host}/{entry.repository}: {len(ready.layer) / 1e6:.0f} MB, {digest(ready.manifest())}")
