"""The few container images that the sandbox brings, built from Debian's static busybox alone, and how to push them.

They stand in for nothing: `timonel/echo` is a small HTTP server for tests of services, `busybox` is Debian's busybox.
"""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import urllib.request
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

    def layer(self) -> bytes:
        """The layer as a gzipped tar, equal bytes for equal content."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for folder in ("bin", "tmp", "etc"):
                tar.addfile(_entry(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
            for path, (content, mode) in sorted(self.files.items()):
                entry = _entry(path, tarfile.REGTYPE, mode)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            for path, target in sorted(self.links.items()):
                entry = _entry(path, tarfile.SYMTYPE, 0o777)
                entry.linkname = target
                tar.addfile(entry)
        return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)

    def config(self, layer: bytes) -> bytes:
        """The image's configuration."""
        settings: dict[str, Any] = {"Cmd": list(self.command), "Env": ["PATH=/bin"]}
        if self.port:
            settings["ExposedPorts"] = {f"{self.port}/tcp": {}}
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


def push(image: ContainerImage, registry: str) -> None:
    """Put an image into a registry (`http://HOST:PORT`) under all its tags.

    Raises:
        urllib.error.URLError: the registry refuses it.
    """
    layer = image.layer()
    config = image.config(layer)
    for blob in (layer, config):
        start = _request(registry, f"/v2/{image.name}/blobs/uploads/", b"", "POST")
        place = start.headers["Location"]
        place += ("&" if "?" in place else "?") + f"digest={digest(blob)}"
        _request("" if place.startswith("http") else registry, place, blob, "PUT", "application/octet-stream")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "size": len(config), "digest": digest(config)},
        "layers": [{"mediaType": LAYER, "size": len(layer), "digest": digest(layer)}],
    }
    for tag in image.tags:
        _request(registry, f"/v2/{image.name}/manifests/{tag}", json.dumps(manifest).encode(), "PUT", MANIFEST)


def _request(registry: str, path: str, body: bytes, method: str, kind: str = "") -> Any:
    request = urllib.request.Request(f"{registry}{path}", body, method=method)  # noqa: S310  # our registry on loopback
    if kind:
        request.add_header("Content-Type", kind)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        answer.read()
        return answer
