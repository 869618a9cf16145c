"""The controller: a process that makes booted hosts follow the API's instances.

`start`, `stop`, `status` and `supported` are what the rest of the sandbox uses. All memory is in files below the state
folder: a killed controller is started again and takes over the hosts that run.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sandbox.machines import cgroups, image, mounts, names, registry
from sandbox.machines.host import Host
from sandbox.machines.namespaces import Namespace
from sandbox.machines.network import Network
from sandbox.processes import ProcessId, end, start_time
from sandbox.state import read_json, write_json

PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "iptables-restore": "iptables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "dpkg-deb": "dpkg",
}
"""Programs of the VM, with the Debian package that has each."""

INOTIFY_INSTANCES = 1024
"""A host's systemd and Docker use about 20 of the kernel-wide 128 inotify instances per user."""


def folder(state: Path) -> Path:
    """The machines' part of a state folder."""
    return state / "machines"


def supported() -> str | None:
    """Why this machine cannot boot hosts, None when it can. Missing packages are named for `apt-get install`."""
    if sys.platform != "linux":
        return f"hosts are systemd-nspawn containers: they need Linux, this is {sys.platform}"
    if os.geteuid() != 0:
        return "hosts need root (namespaces, mounts, cgroups)"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})
    if missing:
        return f"packages are missing: {' '.join(missing)}"
    return cgroups.unsupported()


def running(state: Path) -> ProcessId | None:
    """The living controller of a state folder."""
    kept = read_json(folder(state) / "controller.json")
    process = ProcessId(int(kept["pid"]), str(kept["start_time"])) if kept else None
    return process if process and process.alive() else None


def start(state: Path, endpoint: str) -> int:
    """Start the controller of a sandbox (one at a time) and return its pid. The hosts' image is made first if need be.

    Raises:
        RuntimeError: this machine cannot, or the controller did not come up; the message says why.
    """
    reason = supported()
    if reason:
        raise RuntimeError(f"no machines here: {reason}")
    living = running(state)
    if living:
        return living.pid
    machines = folder(state)
    machines.mkdir(mode=0o700, parents=True, exist_ok=True)
    image.ensure(lambda line: print(line, file=sys.stderr, flush=True))
    raise_inotify()
    ready = machines / "ready"
    ready.unlink(missing_ok=True)
    with (machines / "controller.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.machines.reconcile", str(state), endpoint],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=Path(__file__).resolve().parents[2],
        )
    write_json(machines / "controller.json", {"pid": process.pid, "start_time": start_time(process.pid) or ""})
    deadline = time.monotonic() + 60
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join((machines / "controller.log").read_text().splitlines()[-8:])
            raise RuntimeError(
                f"the machines' controller did not come up (log: {machines / 'controller.log'}):\n{tail}"
            )
        time.sleep(0.05)
    return process.pid


def raise_inotify() -> None:
    """Let the kernel give inotify instances for more than four hosts. It is said, and stays until the next boot."""
    setting = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(setting.read_text()) < INOTIFY_INSTANCES:
        setting.write_text(str(INOTIFY_INSTANCES))
        print(f"machines: fs.inotify.max_user_instances raised to {INOTIFY_INSTANCES}", file=sys.stderr)


def stop(state: Path) -> None:
    """Remove every process, namespace, mount and cgroup of a sandbox's machines, and their folder, from any remains."""
    machines, key = folder(state), names.sandbox_key(state)
    living = running(state)
    if living:
        end([living])
    served = registry.living(machines)
    if served:
        end([served])
    cgroups.kill(names.cgroup(key))
    cgroups.remove(names.cgroup(key))
    mounts.unmount_below(machines)
    for name in Network(machines, key).namespaces():
        Namespace(name).delete()
    if machines.exists():
        shutil.rmtree(machines)


def status(state: Path) -> list[dict[str, Any]]:
    """One entry per host: instance, address, zone, API state, what systemd says, power, boots."""
    machines, key = folder(state), names.sandbox_key(state)
    seen = read_json(machines / "instances.json")
    entries = []
    for path in sorted((machines / "hosts").glob("i-*")):
        host = Host(machines, key, path.name)
        identity, record = host.identity(), host.record()
        if identity:
            entries.append(
                {
                    "instance": host.id,
                    "address": identity.wire.ip,
                    "zone": identity.wire.zone,
                    "state": seen.get(host.id, "unknown"),
                    "host": host.system_state(),
                    "power": record.get("power", "on"),
                    "boots": record.get("boots", 0),
                }
            )
    return entries


def traces(state: Path) -> dict[str, list[str]]:
    """What a sandbox's machines have in the kernel now: after `stop` every list is empty."""
    key = names.sandbox_key(state)
    groups = [h / names.cgroup(key) for h in cgroups.hierarchies()]
    return {
        "processes": [str(p.pid) for p in cgroups.processes(names.cgroup(key))],
        "namespaces": Network(folder(state), key).namespaces(),
        "mounts": [str(p) for p in mounts.below(folder(state))],
        "cgroups": [str(g) for g in groups if g.exists()],
    }


if __name__ == "__main__":
    print(json.dumps({"supported": supported()}))
