"""One booted host: its folder, its boot by systemd-nspawn, its end. All memory is in files."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox.machines import cgroups, mounts, names
from sandbox.machines.network import Wire
from sandbox.processes import PROC, ProcessId, start_time
from sandbox.state import read_json, write, write_json

POWEROFF = signal.SIGRTMIN + 4  # systemd(1): start poweroff.target
REBOOT = signal.SIGRTMIN + 5  # systemd(1): start reboot.target
REBOOTED = 133  # exit code of systemd-nspawn --keep-unit when the host asked for a reboot
GRACE_SECONDS = 30.0
"""How long an orderly shutdown may take before the power goes. EC2 gives some minutes."""

LAUNCH = """
for group in {groups}; do echo $$ >"$group/cgroup.procs"; done
nsenter --net={netns} {nspawn} </dev/null >>{folder}/console.log 2>&1
echo $? >{folder}/exit
"""


@dataclass(frozen=True)
class Identity:
    """What a host is, fixed for its life."""

    wire: Wire
    region: str
    memory: int | None
    """Bytes of memory of its instance type."""


class Host:
    """A host of a sandbox."""

    def __init__(self, machines: Path, key: str, instance_id: str) -> None:
        self.id = instance_id
        self.folder = machines / "hosts" / instance_id
        self.group = names.cgroup(key)
        self.key = key

    # --- memory

    def record(self) -> dict[str, Any]:
        """host.json: identity, supervisor, leader, power."""
        return read_json(self.folder / "host.json")

    def note(self, **changes: Any) -> None:
        """Change fields of the record (the controller and a command may both do so at once)."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            write_json(self.folder / "host.json", {**self.record(), **changes})

    def identity(self) -> Identity | None:
        """What the host was made as; None before `prepare`."""
        kept = self.record().get("identity")
        return Identity(Wire(**kept["wire"]), kept["region"], kept["memory"]) if kept else None

    def powered(self) -> bool:
        """False while somebody has cut its power (`power-cut`): the controller then does not boot it."""
        return bool(self.record().get("power", "on") == "on")

    def console(self, at_most: int = 65536) -> str:
        """The end of its console (EC2 keeps 64 KB)."""
        path = self.folder / "console.log"
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - at_most))
            return file.read().decode(errors="replace")

    def supervisor(self) -> ProcessId | None:
        """The living launcher of systemd-nspawn, also one that another controller started."""
        return _living(self.record().get("supervisor"))

    def leader(self) -> ProcessId | None:
        """The living PID 1 of the host as seen from outside."""
        known = _living(self.record().get("leader"))
        if known:
            return known
        supervisor = self.supervisor()
        found = supervisor and _first_process(supervisor.pid)
        if found:
            self.note(leader=asdict(found))
        return found

    def exit_code(self) -> int | None:
        """How the last boot ended; None while it runs or when the launcher was killed."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "exit").read_text())
        return None

    # --- life

    def prepare(self, identity: Identity) -> None:
        """Make the folder of a host that has none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("docker", "containerd"):
            (self.folder / name).mkdir(exist_ok=True)
        if not self.record():
            self.note(identity=asdict(identity), power="on", boots=0)

    def boot(self, root: Path, netns: Path) -> ProcessId:
        """Mount the root and start systemd in it. Returns as soon as the host's PID 1 runs.

        Raises:
            RuntimeError: it did not start; the end of its console is in the message.
        """
        identity = self.identity()
        if identity is None:
            raise RuntimeError(f"{self.id} was not prepared")
        self._end_remains()
        target = self.folder / "root"
        self._write_name(identity)
        mounts.overlay(root, self.folder / "upper", self.folder / "work", target)
        groups = cgroups.create(self.group, self.id, identity.memory)
        (self.folder / "exit").unlink(missing_ok=True)
        script = LAUNCH.format(
            groups=" ".join(str(g) for g in groups), netns=netns, nspawn=self._nspawn(identity), folder=self.folder
        )
        process = subprocess.Popen(
            ["/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "LC_ALL": "C"},
        )
        supervisor = ProcessId(process.pid, start_time(process.pid) or "")
        self.note(supervisor=asdict(supervisor), leader=None, boot=False, boots=self.record().get("boots", 0) + 1)
        deadline = time.monotonic() + 20
        while not (leader := self.leader()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.id} did not start: {self.console()[-600:].strip()}")
            time.sleep(0.02)
        return leader

    def system_state(self) -> str:
        """What systemd says of the host: initializing, starting, running, degraded, stopping; `off` or `hung`."""
        leader = self.leader()
        if not leader:
            return "off"
        command = ["nsenter", "-t", str(leader.pid), "-m", "-p", "-r", "-w", "systemctl", "is-system-running"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
        except subprocess.TimeoutExpired:
            return "hung"
        return answer.stdout.strip() or "starting"

    def run(self, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program inside the host as root, in all its namespaces.

        Raises:
            RuntimeError: the host is off.
        """
        leader = self.leader()
        if not leader:
            raise RuntimeError(f"{self.id} is off")
        into = ["nsenter", "-t", str(leader.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "env", "-i"]
        variables = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"]
        shell = ["sh", "-c", 'set -a; . /etc/environment; exec "$@"', "sh"]
        return subprocess.run(
            [*into, *variables, *shell, *command], capture_output=True, text=True, timeout=timeout, check=False
        )

    def signal(self, number: int) -> None:
        """Send the host's PID 1 a signal (`POWEROFF`, `REBOOT`, SIGKILL is a power cut)."""
        leader = self.leader()
        if leader:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader.pid, number)

    def shut_down(self, grace: float = GRACE_SECONDS) -> float:
        """Orderly shutdown within a bound, then the power goes. Returns the seconds it took."""
        start = time.monotonic()
        self.signal(POWEROFF)
        while self.leader() and time.monotonic() - start < grace:
            time.sleep(0.05)
        self.cut_power()
        return time.monotonic() - start

    def cut_power(self) -> None:
        """Kill PID 1 (the kernel then kills all in its namespace) and clear what nspawn leaves. The disk stays."""
        self.signal(signal.SIGKILL)
        cgroups.thaw(self.group, self.id)  # a frozen process does not die
        self._end_remains()

    def destroy(self) -> None:
        """Remove the host's processes, groups, mounts and disk."""
        self.cut_power()
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _end_remains(self) -> None:
        """After the end of a boot: no process, group or mount of it stays."""
        supervisor = self.supervisor()
        deadline = time.monotonic() + 1
        while supervisor and supervisor.alive() and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(supervisor.pid, os.WNOHANG)
            time.sleep(0.02)
        cgroups.kill(self.group, self.id)
        if supervisor:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(supervisor.pid, os.WNOHANG)
        cgroups.remove(self.group, self.id)
        mounts.unmount_below(self.folder)

    def _write_name(self, identity: Identity) -> None:
        """The host's name, into the overlay's upper layer before the first boot."""
        etc = self.folder / "upper" / "etc"
        if (etc / "hosts").exists():
            return
        etc.mkdir(parents=True, exist_ok=True)
        for folder in (etc.parent, etc):
            folder.chmod(0o755)
        name = names.hostname(identity.wire.ip)
        full = names.private_dns(identity.wire.ip, identity.region)
        for file, content in (
            ("hostname", f"{name}\n"),
            ("hosts", f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{identity.wire.ip} {full} {name}\n"),
        ):
            write(etc / file, content)
            (etc / file).chmod(0o644)

    def _nspawn(self, identity: Identity) -> str:
        """The command line of systemd-nspawn; why each option is there stands in docs/machines.md."""
        options = [
            "systemd-nspawn",
            "--boot",
            "--quiet",
            "--register=no",
            "--keep-unit",
            f"--machine={self.id}",
            f"--hostname={names.hostname(identity.wire.ip)}",
            f"--uuid={names.machine_id(self.id)}",
            f"--directory={self.folder}/root",
            "--capability=all",
            "--system-call-filter='add_key keyctl bpf'",
            f"--bind={self.folder}/docker:/var/lib/docker",
            f"--bind={self.folder}/containerd:/var/lib/containerd",
            "--bind=/dev/kmsg",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--console=read-only",
            # systemd 256 and 257 boot on cgroup v1 only when told so; older ones ignore it.
            "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
        ]
        return " ".join(options)


def _living(kept: Any) -> ProcessId | None:
    if not kept:
        return None
    process = ProcessId(int(kept["pid"]), str(kept["start_time"]))
    return process if process.alive() else None


def _first_process(supervisor: int) -> ProcessId | None:
    """PID 1 of the host: the descendant of the launcher that is number 1 in a PID namespace below ours."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    waiting = [supervisor]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            for line in (PROC / str(pid) / "status").read_text().splitlines():
                if line.startswith("NSpid:") and line.split()[2:] == ["1"]:
                    return ProcessId.of(pid)
        waiting.extend(children.get(pid, []))
    return None
