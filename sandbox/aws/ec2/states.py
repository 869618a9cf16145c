"""Instance states that take time: pending, stopping and shutting-down are seen, and machines can hold them.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
moto jumps straight to running, stopped and terminated. Here a change sets the passing state and a target; with no
machines' controller the clock reaches the target after `Settings.transition`, else the controller's report does.
Interfaces and volumes go when the instance is terminated, not before, so that deletes that AWS refuses meanwhile are
refused. Terminated instances are described for an hour. Not modelled: hibernation, failing starts, the minutes that
real transitions take.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instances import Instance, InstanceState

from sandbox.aws.world import WORLD

NODE_TAG = "eks:nodegroup-name"
"""Tag of EKS's nodes. No machine boots for them, so they change state by themselves even where machines exist."""
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
PASSING = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}
"""Passing state -> where it leads."""


@dataclass
class Life:
    """What the API knows of an instance beyond moto.

    Attributes:
        since: monotonic time of the last change of state.
        reboots: how many RebootInstances calls it had.
        status_checks: ok, impaired or initializing, as reported.
        console_output: as reported.
        spot_notice: {action, time} of an announced interruption.
    """

    since: float = field(default_factory=time.monotonic)
    reboots: int = 0
    status_checks: str = "ok"
    console_output: str | None = None
    spot_notice: dict[str, Any] | None = None


def life(instance: Instance) -> Life:
    """The instance's record."""
    if not hasattr(instance, "timonel"):
        instance.timonel = Life()  # type: ignore[attr-defined]
    record: Life = instance.timonel  # type: ignore[attr-defined]
    return record


def enter(instance: Instance, state: str) -> InstanceState:
    """Set the state; the former one."""
    former = copy.copy(instance._state)
    if former.name != state:
        instance._state = InstanceState(state, CODES[state])
        life(instance).since = time.monotonic()
    return former


def backends() -> Iterator[EC2Backend]:
    """EC2 of every account and region that was used."""
    for account in list(ec2_backends.values()):
        yield from list(account.values())


def instances() -> Iterator[tuple[EC2Backend, Instance]]:
    """Every instance there is, terminated ones included."""
    for backend in backends():
        for reservation in list(backend.reservations.values()):
            for instance in list(reservation.instances):
                yield backend, instance


def find(instance_id: str) -> Instance:
    """An instance of any region.

    Raises:
        LookupError: there is none of that id.
    """
    for _, instance in instances():
        if instance.id == instance_id:
            return instance
    raise LookupError(f"no instance {instance_id}")


def bootless(instance: Instance) -> bool:
    """Whether no machine ever boots for an instance: it is a node of EKS."""
    return any(tag["key"] == NODE_TAG for tag in instance.get_tags())


def tick() -> None:
    """Reach targets when nobody reports, and forget what was terminated long ago."""
    now = time.monotonic()
    settings = WORLD.settings
    for backend, instance in instances():
        state, since = instance._state.name, life(instance).since
        if state in PASSING and now - since >= settings.transition and (WORLD.controller is None or bootless(instance)):
            arrive(instance, PASSING[state])
            life(instance).status_checks = "ok"
        elif state == "terminated" and now - since >= settings.terminated_visible:
            _forget(backend, instance)


def arrive(instance: Instance, state: str) -> None:
    """The instance reached a lasting state.

    A machine that powers itself off is stopped, or terminated when its shutdown behaviour says so.
    """
    if state == "stopped" and instance._state.name in {"pending", "running"}:
        if instance.instance_initiated_shutdown_behavior == "terminate":
            state = "terminated"
        instance._reason = "Client.InstanceInitiatedShutdown: Instance initiated shutdown"
    if instance._state.name == "shutting-down" and state != "terminated":
        return
    if state == "terminated" and instance._state.name != "terminated":
        _ORIGINAL["terminate"](instance)
        life(instance).since = time.monotonic()
    elif state == "stopped":
        reason = instance.state_reason
        _ORIGINAL["stop"](instance)
        instance.state_reason = reason
    enter(instance, state)


def _forget(backend: EC2Backend, instance: Instance) -> None:
    for key, reservation in list(backend.reservations.items()):
        if instance in reservation.instances:
            reservation.instances.remove(instance)
            if not reservation.instances:
                del backend.reservations[key]
    backend.tags.pop(instance.id, None)


def _start(self: Instance) -> InstanceState:
    if self._state.name != "stopped":
        return copy.copy(self._state)
    for nic in self.nics.values():
        nic.start()
    self._reason = ""
    life(self).status_checks = "ok" if WORLD.controller is None else "initializing"
    return enter(self, "pending")


def _stop(self: Instance) -> InstanceState:
    if self._state.name not in {"pending", "running"}:
        return copy.copy(self._state)
    return enter(self, "stopping")


def _terminate(self: Instance) -> InstanceState:
    if self._state.name in {"shutting-down", "terminated"}:
        return copy.copy(self._state)
    former = enter(self, "shutting-down")
    if former.name == "stopped":
        arrive(self, "terminated")
    return former


def _reboot(self: Instance) -> None:
    life(self).reboots += 1


def _status(self: Instance) -> dict[str, Any]:
    if self._state.name != "running":
        return {"Status": "not-applicable"}
    checks = life(self).status_checks
    detail = {"ok": "passed", "impaired": "failed", "initializing": "initializing"}[checks]
    return {"Details": [{"Name": "reachability", "Status": detail}], "Status": checks}


_ORIGINAL: dict[str, Any] = {}


def install() -> None:
    """Patch moto's Instance."""
    if _ORIGINAL:
        return
    _ORIGINAL.update({name: getattr(Instance, name) for name in ("start", "stop", "terminate")})
    Instance.start = _start  # type: ignore[method-assign]
    Instance.stop = _stop  # type: ignore[method-assign]
    Instance.terminate = _terminate  # type: ignore[method-assign]
    Instance.reboot = _reboot  # type: ignore[method-assign]
    Instance.instance_status = property(_status)  # type: ignore[assignment,method-assign]
    Instance.system_status = property(_status)  # type: ignore[assignment,method-assign]
