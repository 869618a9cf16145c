"""What tests and people do to hosts: cut zones and hosts off, take power away, freeze, announce spot interruptions.

Each works on the files and the kernel directly, with or without a living controller, and is in force when it returns.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.machines import cgroups, controller, names
from sandbox.machines.host import Host
from sandbox.machines.network import Cuts, Network
from sandbox.state import write


class NoHostError(Exception):
    """There is no such host in this sandbox."""


def host(state: Path, instance_id: str) -> Host:
    """A host of a sandbox.

    Raises:
        NoHostError: the instance has none.
    """
    found = Host(controller.folder(state), names.sandbox_key(state), instance_id)
    if not found.identity():
        known = [h.id for h in hosts(state)]
        raise NoHostError(f"instance {instance_id}: no host in {state}; there are {known or 'none'}")
    return found


def hosts(state: Path) -> list[Host]:
    """All hosts of a sandbox, those without power too."""
    machines = controller.folder(state)
    return [Host(machines, names.sandbox_key(state), path.name) for path in sorted((machines / "hosts").glob("i-*"))]


def _change(state: Path, edit: Callable[[Cuts], None]) -> None:
    network = Network(controller.folder(state), names.sandbox_key(state))
    try:
        network.change(edit)
    finally:
        network.close()


def _add(entries: list[str], new: str) -> None:
    if new not in entries:
        entries.append(new)


def cut_zone(state: Path, zone: str, *, api: bool = False) -> None:
    """Cut a zone from every other zone and from the load balancers; with `api` from the AWS API and registry too.

    Raises:
        NoHostError: no host is in that zone, so nothing would be cut.
    """
    zones = {identity.wire.zone for h in hosts(state) if (identity := h.identity())}
    if zone not in zones:
        raise NoHostError(f"zone {zone}: no host is in it; hosts are in {sorted(zones)}")

    def change(cuts: Cuts) -> None:
        _add(cuts.zones, zone)
        if api:
            _add(cuts.api, zone)

    _change(state, change)


def cut_host(state: Path, instance_id: str, *, api: bool = True) -> None:
    """Cut a host from every other host and from the load balancers; with `api` from the AWS API and registry too."""
    host(state, instance_id)

    def change(cuts: Cuts) -> None:
        _add(cuts.hosts, instance_id)
        if api:
            _add(cuts.api, instance_id)

    _change(state, change)


def cut_api(state: Path, what: str) -> None:
    """Cut a zone or an instance from the AWS API, registry and DNS only."""
    _change(state, lambda cuts: _add(cuts.api, what))


def cut_pair(state: Path, one: str, other: str) -> None:
    """Cut two zones or instances from each other, and only from each other."""

    def change(cuts: Cuts) -> None:
        if [one, other] not in cuts.pairs:
            cuts.pairs.append([one, other])

    _change(state, change)


def heal(state: Path, what: str = "") -> None:
    """Undo every cut, or those of one zone or instance."""

    def change(cuts: Cuts) -> None:
        for entries in (cuts.zones, cuts.hosts, cuts.api):
            entries[:] = [entry for entry in entries if what and entry != what]
        cuts.pairs[:] = [pair for pair in cuts.pairs if what and what not in pair]

    _change(state, change)


def power_cut(state: Path, instance_id: str) -> None:
    """Take the power away: everything on the host ends at once. EC2 calls it running; checks turn impaired."""
    found = host(state, instance_id)
    found.note(power="off")
    found.cut_power()


def power_on(state: Path, instance_id: str) -> None:
    """Give the power back: the controller boots the host from its disk."""
    host(state, instance_id).note(power="on", boot=True)


def freeze(state: Path, instance_id: str) -> None:
    """Stop every process of a host where it stands, as a stalled hypervisor does."""
    cgroups.freeze(host(state, instance_id).group, instance_id)


def thaw(state: Path, instance_id: str) -> None:
    """Let a frozen host go on; it does not know that time has passed until it looks at the clock."""
    cgroups.thaw(host(state, instance_id).group, instance_id)


def spot_notice(state: Path, instance_id: str, action: str = "terminate", seconds: float = 120) -> None:
    """Announce a spot interruption: IMDS shows it now, the controller carries it out when its time has come.

    Args:
        state: the sandbox's folder.
        instance_id: whose.
        action: terminate or stop.
        seconds: how long until then (EC2 gives two minutes).

    Raises:
        ValueError: another action.
    """
    if action not in ("terminate", "stop"):
        raise ValueError(f"action: got {action!r}, must be terminate or stop (hibernate is not modelled)")
    when = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    write(host(state, instance_id).folder / "spot.json", json.dumps({"action": action, "time": when}))
