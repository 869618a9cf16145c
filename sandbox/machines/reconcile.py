"""The controller's process: `python -m sandbox.machines.reconcile STATE ENDPOINT`. It looks, decides, acts."""

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from sandbox.machines import controller, image, names, registry
from sandbox.machines.cloud import API_ERRORS, ON, Cloud, Instance
from sandbox.machines.decisions import Action, decide
from sandbox.machines.host import GRACE_SECONDS, Host, Identity
from sandbox.machines.network import Network, Wire
from sandbox.machines.services import Services
from sandbox.state import read_json, write, write_json

log = logging.getLogger("machines")
LOOK_SECONDS = 0.5
BOOTING_AT_MOST = max(2, os.cpu_count() or 2)
SLOT_SECONDS = 30.0
"""A host that takes longer to boot than this no longer holds others back."""
MISSES_MEAN_GONE = 6
"""Looks in a row without an instance after which its host goes: one answer may be stale."""


def _now() -> str:
    """The time as EC2 writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reconciler:
    """Makes hosts follow instances until it is told to end."""

    def __init__(self, state: Path, endpoint: str) -> None:
        self.machines = controller.folder(state)
        self.key = names.sandbox_key(state)
        self.cloud = Cloud(state, endpoint)
        self.network = Network(self.machines, self.key)
        self.services = Services(self.machines, self.key, self.cloud, self.network)
        self.ending = threading.Event()
        found = image.find()
        if found is None:
            raise RuntimeError("the hosts' image is not there: python -m sandbox.machines.image makes it")
        self.image = found
        self._pool = ThreadPoolExecutor(8, "host")
        self._watchers = ThreadPoolExecutor(4, "watch")
        self._looking: dict[str, Future[None]] = {}
        self._busy: dict[str, Future[None]] = {}
        self._booting: dict[str, float] = {}
        self._misses: dict[str, int] = {}
        self._retry: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._told: dict[str, tuple[str, float, int]] = {}
        self._instances: dict[str, Instance] = {}
        self._listing = ""
        self._strangers: set[str] = set()

    def run(self) -> None:
        """Look and act until `ending` is set."""
        self.cloud.tell("controller", {"pid": os.getpid()})
        self._first_look()
        for host in self._hosts():
            identity = host.identity()
            if identity:
                self.services.serve_vpc(identity.wire.vpc_id)
        self.network.enforce()
        try:
            log.info("registry: %s", registry.start(self.machines))
        except (RuntimeError, OSError):
            log.exception("no registry: hosts find no images")
        write(self.machines / "ready", str(os.getpid()))
        log.info("controller %s: endpoint %s, image %s", os.getpid(), self.cloud.endpoint, self.image.folder.name)
        failing = False
        while not self.ending.wait(LOOK_SECONDS):
            try:
                self._pass()
                failing = False
            except API_ERRORS as error:
                if not failing:
                    log.warning("the API does not answer: %s", error)
                failing = True
            except Exception:
                log.exception("a look failed; hosts stay as they are until the next one")

    def _first_look(self) -> None:
        """Know the instances before anybody is told that the controller is ready: hosts ask for metadata at once."""
        while not self.ending.is_set():
            try:
                self._look()
                self.services.update(self._instances)
                return
            except API_ERRORS as error:
                log.warning("the API does not answer: %s", error)
                self.ending.wait(LOOK_SECONDS)

    def _hosts(self) -> list[Host]:
        return [Host(self.machines, self.key, path.name) for path in sorted((self.machines / "hosts").glob("i-*"))]

    def _pass(self) -> None:
        reboots = self._look()
        self.services.update(self._instances)
        for instance in self._instances.values():
            self._consider(instance, reboots.get(instance.id, 0))
        for host in self._hosts():
            self._misses[host.id] = 0 if host.id in self._instances else self._misses.get(host.id, 0) + 1
            if self._misses[host.id] >= MISSES_MEAN_GONE:
                self._begin(host.id, lambda host=host: self._destroy(host, report=False))  # type: ignore[misc]
            self._watch(host)

    def _look(self) -> dict[str, int]:
        """Bring `_instances` up to date; the control API's short list tells whether the long answer is worth asking."""
        listing = self.cloud.ask("instances")
        every = listing.get("instances", []) if listing else []
        entries = [e for e in every if e.get("region") == self.cloud.region and e.get("subnet_id")]
        strangers = {e["id"] for e in every} - {e["id"] for e in entries} - self._strangers
        if strangers:
            self._strangers |= strangers
            log.warning(
                "not booted, in another region than %s or in no subnet: %s", self.cloud.region, sorted(strangers)
            )
        text = json.dumps(entries, sort_keys=True)
        if listing is None or text != self._listing or any(e["id"] not in self._instances for e in entries):
            self._instances = self.cloud.instances()
            self._listing = text
            states = {i.id: i.state for i in self._instances.values()}
            write_json(self.machines / "instances.json", dict(states))
        for entry in entries:
            notice = self.machines / "hosts" / entry["id"] / "spot.json"
            told = entry.get("spot_notice")
            if told and told["time"] > _now() and notice.parent.exists() and not notice.exists():
                write_json(notice, told)
        return {entry["id"]: int(entry.get("reboots", 0)) for entry in entries}

    def _consider(self, instance: Instance, reboots: int) -> None:
        if instance.id in self._busy:
            if not self._busy[instance.id].done():
                return
            del self._busy[instance.id]
        host = Host(self.machines, self.key, instance.id)
        record = host.record()
        action = decide(
            instance.state,
            exists=bool(record.get("boots")) and not record.get("boot"),
            alive=bool(record) and host.leader() is not None,
            powered=host.powered(),
            ended=host.exit_code(),
            reboot=reboots > record.get("reboots", 0),
        )
        acts: dict[Action, Callable[[], None]] = {
            Action.BOOT: lambda: self._boot(host, instance, reboots),
            Action.REBOOT: lambda: self._reboot(host, instance, reboots),
            Action.SHUT_DOWN: lambda: self._shut_down(host),
            Action.DESTROY: lambda: self._destroy(host, report=instance.state == "shutting-down"),
            Action.REPORT: lambda: self._report(host.id, state="running"),
            Action.STOP_INSTANCE: lambda: self._stop_instance(host.id),
            Action.LOST_POWER: lambda: self._lost_power(host),
        }
        if action is Action.BOOT and not self._slot(host.id):
            return
        if action in acts:
            self._begin(host.id, acts[action])

    def _slot(self, instance_id: str) -> bool:
        """Whether one more host may boot now."""
        now = time.monotonic()
        taken = sum(now - since < SLOT_SECONDS for since in list(self._booting.values()))
        if self._retry.get(instance_id, 0) > now or taken >= BOOTING_AT_MOST:
            return False
        self._booting[instance_id] = now
        return True

    def _begin(self, instance_id: str, act: Callable[[], None]) -> None:
        running = self._busy.get(instance_id)
        if running and not running.done():
            return

        def guarded() -> None:
            try:
                act()
            except Exception:
                self._failures[instance_id] = min(self._failures.get(instance_id, 0) + 1, 6)
                pause = 2 ** self._failures[instance_id]
                log.exception("%s: failed, tried again in %s s", instance_id, pause)
                self._retry[instance_id] = time.monotonic() + pause
                self._booting.pop(instance_id, None)

        self._busy[instance_id] = self._pool.submit(guarded)

    # --- acts

    def _boot(self, host: Host, instance: Instance, reboots: int) -> None:
        start = time.monotonic()
        wire = Wire(
            instance.id,
            instance.vpc_id,
            self.cloud.subnet_cidr(instance.subnet_id),
            instance.zone,
            instance.ip,
            instance.mac or names.mac(instance.id),
        )
        host.prepare(Identity(wire, self.cloud.region, self.cloud.memory(instance.type)))
        self.services.serve_vpc(instance.vpc_id)
        space = self.network.connect(wire)
        self.network.enforce()
        host.note(reboots=reboots)
        host.boot(self.image.root, space.path)
        self._told.pop(host.id, None)
        log.info(
            "%s: PID 1 runs after %.2f s (%s in %s)", host.id, time.monotonic() - start, instance.ip, instance.zone
        )
        self._report(host.id, state="running", status_checks="initializing")

    def _reboot(self, host: Host, instance: Instance, reboots: int) -> None:
        seconds = host.shut_down()
        log.info("%s: reboot, down after %.2f s", host.id, seconds)
        self._boot(host, instance, reboots)

    def _shut_down(self, host: Host) -> None:
        self._booting.pop(host.id, None)
        seconds = host.shut_down()
        log.info("%s: down after %.2f s%s", host.id, seconds, " (by force)" if seconds > GRACE_SECONDS else "")
        self._report(host.id, state="stopped")

    def _destroy(self, host: Host, *, report: bool) -> None:
        self._booting.pop(host.id, None)
        if host.record():
            host.note(power="on")
            seconds = host.shut_down()
            host.destroy()
            log.info("%s: terminated, down after %.2f s", host.id, seconds)
        self.network.disconnect(host.id)
        self._misses.pop(host.id, None)
        self._told.pop(host.id, None)
        if report:
            self._report(host.id, state="terminated")

    def _stop_instance(self, instance_id: str) -> None:
        log.info("%s: the host powered itself off", instance_id)
        behaviour = self.cloud.client("ec2").describe_instance_attribute(
            InstanceId=instance_id, Attribute="instanceInitiatedShutdownBehavior"
        )
        if behaviour.get("InstanceInitiatedShutdownBehavior", {}).get("Value") == "terminate":
            self.cloud.client("ec2").terminate_instances(InstanceIds=[instance_id])
        else:
            self.cloud.client("ec2").stop_instances(InstanceIds=[instance_id])

    def _lost_power(self, host: Host) -> None:
        log.warning("%s: the host is dead and nobody asked for it (exit code %s)", host.id, host.exit_code())
        host.cut_power()
        host.note(power="off")
        self._report(host.id, status_checks="impaired")

    # --- reports

    def _report(self, instance_id: str, **facts: str) -> None:
        self.cloud.tell(f"instances/{instance_id}", dict(facts))
        self._listing = ""

    def _watch(self, host: Host) -> None:
        """Look at one host, apart from the others: a hung one answers late."""
        instance, looking = self._instances.get(host.id), self._looking.get(host.id)
        if instance is None or instance.state not in ON or (looking and not looking.done()):
            return
        notice = read_json(host.folder / "spot.json")
        if notice and _now() >= notice["time"]:
            (host.folder / "spot.json").unlink(missing_ok=True)
            self._begin(host.id, lambda: self._interrupt(host.id, notice["action"]))
        busy = self._busy.get(host.id)
        checks, due, _ = self._told.get(host.id, ("", 0.0, -1))
        died = checks == "ok" and host.leader() is None
        if (died or time.monotonic() >= due) and not (busy and not busy.done()):
            self._looking[host.id] = self._watchers.submit(self._report_health, host)

    def _interrupt(self, instance_id: str, action: str) -> None:
        log.info("%s: spot interruption, %s", instance_id, action)
        ec2 = self.cloud.client("ec2")
        (ec2.terminate_instances if action == "terminate" else ec2.stop_instances)(InstanceIds=[instance_id])

    def _report_health(self, host: Host) -> None:
        """Status checks and console, each only when it changed and not too often."""
        checks, _, size = self._told.get(host.id, ("", 0.0, -1))
        system = host.system_state() if host.powered() else "off"
        if system not in ("initializing", "starting", "maintenance"):
            self._booting.pop(host.id, None)
        now = {"running": "ok", "degraded": "ok", "off": "impaired", "hung": "impaired"}.get(system, "initializing")
        console = host.folder / "console.log"
        length = console.stat().st_size if console.exists() else 0
        facts = {}
        if now != checks:
            facts["status_checks"] = now
            log.info("%s: status checks %s (systemd: %s)", host.id, now, system)
        if length != size:
            facts["console_output"] = host.console()
        if facts:
            self.cloud.tell(f"instances/{host.id}", facts)
        self._told[host.id] = (now, time.monotonic() + (20 if now == "ok" else 0.5), length)


def main(state: Path, endpoint: str) -> None:
    """Run until SIGTERM. Hosts live on: `controller.stop` ends them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    reconciler = Reconciler(state, endpoint)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: reconciler.ending.set())
    reconciler.run()
    os._exit(0)  # threads that wait for hosts must not hold the process


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
