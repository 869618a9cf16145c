"""The sandbox's container registry: Debian's docker-registry on the VM's loopback, relayed into every VPC.

Hosts use it as the mirror of Docker Hub, so `busybox` and `timonel/echo` are found without internet. What it does not
have is refused at once, since the hosts' DNS knows nothing of the world.
"""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from sandbox.machines import container_images, debian
from sandbox.processes import ProcessId, start_time
from sandbox.state import read_json, write_json

RECORD = "registry.json"


def living(machines: Path) -> ProcessId | None:
    """The registry's process if it runs."""
    kept = read_json(machines / RECORD)
    process = ProcessId(int(kept["pid"]), str(kept["start_time"])) if kept else None
    return process if process and process.alive() else None


def address(machines: Path) -> str:
    """Its address on the VM."""
    return f"http://127.0.0.1:{read_json(machines / RECORD)['port']}"


def start(machines: Path) -> str:
    """Start it with the sandbox's own images in it (one at a time). Returns its address on the VM.

    Raises:
        RuntimeError: it does not answer; the end of its log is in the message.
    """
    if living(machines):
        return address(machines)
    binary = debian.program("docker-registry", "usr/bin/docker-registry")
    folder = machines / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "config.yml").write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [str(binary), "serve", str(folder / "config.yml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={"OTEL_TRACES_EXPORTER": "none"},
        )
    write_json(machines / RECORD, {"pid": process.pid, "start_time": start_time(process.pid) or "", "port": port})
    _wait(process, f"http://127.0.0.1:{port}", folder / "log")
    for image in container_images.own_images():
        container_images.push(image, f"http://127.0.0.1:{port}")
    return f"http://127.0.0.1:{port}"


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"{url}/v2/", timeout=2).close()  # noqa: S310  # loopback
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the registry does not answer:\n{log.read_text()[-800:]}") from None
            time.sleep(0.05)
