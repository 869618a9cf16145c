"""Container images as the sandbox makes them, and how to push them.

The two of `own_images` are in every sandbox and stand in for nothing: `timonel/echo` is a small HTTP server for tests,
`busybox` is Debian's busybox. The stand-ins for well-known images are in `standins`.
"""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.machines import debian

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

ECHO = """#!/bin/sh
# Answers every request on port 8080 with the container's name; /healthz with "ok". Ends at once when told to.
mkdir -p /www/healthz
hostname >/www/index.html
echo ok >/www/healthz/index.html
trap 'kill $server; exit 0' TERM INT
httpd -f -p 8080 -h /www &
server=$!
wait $server
"""


@dataclass(frozen=True)
class ContainerImage:
    """One image with one layer."""

    name: str
    """Repository as the registry stores it; Docker Hub's `busybox` is `library/busybox`."""
    files: dict[str, tuple[bytes, int]]
    """Path -> content and mode."""
    command: tuple[str, ...]
    tags: tuple[str, ...] = ("latest", "1")
    links: dict[str, str] = field(default_factory=dict)
    port: int | None = None
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    directory: str = ""
    """Working directory."""
    folders: dict[str, int] = field(default_factory=dict)
    """Folders of the image -> owner (user and group)."""
    volumes: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    def layer(self) -> bytes:
        """The layer as a gzipped tar, equal bytes for equal content."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for folder in ("bin", "tmp", "etc"):
                tar.addfile(_entry(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
            for folder, owner in sorted(self.folders.items()):
                entry = _entry(folder, tarfile.DIRTYPE, 0o755)
                entry.uid = entry.gid = owner
                tar.addfile(entry)
            for path, (content, mode) in sorted(self.files.items()):
                entry = _entry(path, tarfile.REGTYPE, mode)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            for path, target in sorted(self.links.items()):
                entry = _entry(path, tarfile.SYMTYPE, 0o777)
                entry.linkname = target
                tar.addfile(entry)
        return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)

    def config(self, layer: bytes) -> bytes:
        """The image's configuration."""
        settings: dict[str, Any] = {"Cmd": list(self.command), "Env": ["PATH=/bin"]}
        if self.port:
            settings["ExposedPorts"] = {f"{self.port}/tcp": {}}
        more = {
            "Entrypoint": list(self.entrypoint),
            "User": self.user,
            "WorkingDir": self.directory,
            "Volumes": {path: {} for path in self.volumes},
            "Labels": self.labels,
        }
        settings |= {name: value for name, value in more.items() if value}
        content = {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [digest(gzip.decompress(layer))]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "timonel sandbox"}],
        }
        return json.dumps(content, sort_keys=True).encode()


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type = kind
    entry.mode = mode
    return entry


def digest(content: bytes) -> str:
    """A content's digest as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def own_images() -> list[ContainerImage]:
    """The images that every sandbox has."""
    busybox = debian.program("busybox-static", "bin/busybox")
    files: dict[str, tuple[bytes, int]] = {
        "bin/busybox": (busybox.read_bytes(), 0o755),
        "etc/passwd": (b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644),
    }
    links = {f"bin/{applet}": "busybox" for applet in _applets(busybox)}
    echo = {**files, "bin/echo-server": (ECHO.encode(), 0o755)}
    return [
        ContainerImage("library/busybox", files, ("sh",), links=links),
        ContainerImage("timonel/echo", echo, ("/bin/echo-server",), tags=("latest", "1", "2"), links=links, port=8080),
    ]


def _applets(busybox: Path) -> list[str]:
    listed = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, check=True).stdout.split()
    return [name for name in listed if name != "busybox"]


@dataclass(frozen=True)
class Packed:
    """An image as a registry takes it."""

    layer: bytes
    config: bytes

    @classmethod
    def of(cls, image: ContainerImage) -> "Packed":
        """Pack an image."""
        layer = image.layer()
        return cls(layer, image.config(layer))

    def manifest(self) -> bytes:
        """The manifest that names both parts."""
        content = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(self.config), "digest": digest(self.config)},
            "layers": [{"mediaType": LAYER, "size": len(self.layer), "digest": digest(self.layer)}],
        }
        return json.dumps(content).encode()


def push(image: ContainerImage, registry: str) -> None:
    """Put an image into a registry (`http://HOST:PORT`) under all its tags.

    Raises:
        urllib.error.URLError: the registry refuses it.
    """
    upload(Packed.of(image), image.name, image.tags, registry)


def upload(packed: Packed, name: str, tags: Iterable[str], registry: str) -> None:
    """Put a packed image into a registry as `name`, under some tags.

    Raises:
        urllib.error.URLError: the registry refuses it.
    """
    for blob in (packed.layer, packed.config):
        start = _request(registry, f"/v2/{name}/blobs/uploads/", b"", "POST")
        place = start.headers["Location"]
        place += ("&" if "?" in place else "?") + f"digest={digest(blob)}"
        _request("" if place.startswith("http") else registry, place, blob, "PUT", "application/octet-stream")
    for tag in tags:
        tag_manifest(packed.manifest(), name, tag, registry)


def tag_manifest(manifest: bytes, name: str, tag: str, registry: str) -> None:
    """Give an image that the registry has one more tag.

    Raises:
        urllib.error.URLError: the registry refuses it.
    """
    _request(registry, f"/v2/{name}/manifests/{tag}", manifest, "PUT", MANIFEST)


def _request(registry: str, path: str, body: bytes, method: str, kind: str = "") -> Any:
    request = urllib.request.Request(f"{registry}{path}", body, method=method)  # noqa: S310  # our registry on loopback
    if kind:
        request.add_header("Content-Type", kind)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        answer.read()
        return answer
