"""VPCs as router namespaces: every host hangs on its VPC's router by a link of its own, as in a VPC nothing is layer 2.

The router answers ARP for its hosts (proxy ARP), so all packets between hosts are forwarded and can be cut by address.
"""

import contextlib
import fcntl
import ipaddress
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.machines import names
from sandbox.machines.namespaces import FOLDER, Namespace, run
from sandbox.state import read_json, write_json


@dataclass(frozen=True)
class Wire:
    """A host's place in the network."""

    instance_id: str
    vpc_id: str
    subnet_cidr: str
    zone: str
    ip: str
    mac: str


@dataclass
class Cuts:
    """What is cut off now. Kept in `cuts.json` of the machines' folder."""

    zones: list[str] = field(default_factory=list)
    """Zones cut from every other zone and from the load balancers."""
    hosts: list[str] = field(default_factory=list)
    """Instances cut from every other host and from the load balancers."""
    api: list[str] = field(default_factory=list)
    """Zones or instances that do not reach AWS API, registry and DNS either (IMDS stays: it is the hypervisor's)."""
    pairs: list[list[str]] = field(default_factory=list)
    """Pairs of instances or zones cut from each other only."""


def cut_rules(cuts: Cuts, wires: list[Wire]) -> str:
    """The filter table of a VPC's router for these cuts, in iptables-restore's language."""
    rules: list[str] = []

    def both(one: str, other: str) -> None:
        rules.extend((f"-A FORWARD -s {one} -d {other} -j DROP", f"-A FORWARD -s {other} -d {one} -j DROP"))

    def matches(wire: Wire, what: str) -> bool:
        return what in (wire.zone, wire.instance_id)

    for wire in wires:
        if wire.instance_id in cuts.hosts:
            rules.extend((f"-A FORWARD -s {wire.ip} -j DROP", f"-A FORWARD -d {wire.ip} -j DROP"))
        for other in wires:
            if wire.zone in cuts.zones and other.zone != wire.zone:
                both(wire.ip, other.ip)
            if any(matches(wire, a) and matches(other, b) for a, b in cuts.pairs):
                both(wire.ip, other.ip)
        if wire.instance_id in cuts.hosts or wire.zone in cuts.zones:
            rules.append(f"-A OUTPUT -s {names.BALANCERS} -d {wire.ip} -j DROP")
            rules.append(f"-A INPUT -s {wire.ip} -d {names.BALANCERS} -j DROP")
        if any(matches(wire, what) for what in cuts.api):
            rules.append(f"-A INPUT -s {wire.ip} ! -d {names.IMDS} -j DROP")
            rules.append(f"-A OUTPUT ! -s {names.IMDS} -d {wire.ip} -j DROP")
    unique = list(dict.fromkeys(rules))
    return "\n".join(["*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT", *unique, "COMMIT", ""])


class Network:
    """The namespaces of one sandbox. Everything can be done again without harm; `cuts.json` is the only memory."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key
        self.routers: dict[str, Namespace] = {}
        self._lock = threading.Lock()

    def router(self, vpc_id: str) -> Namespace:
        """The VPC's router, made if need be."""
        with self._lock:
            if vpc_id in self.routers:
                return self.routers[vpc_id]
            space = Namespace(names.router(self.key, vpc_id))
            space.create()
            addresses = (names.IMDS, names.DNS, names.API, names.REGISTRY)
            space.batch([f"address replace {a}/32 dev lo" for a in addresses])
            space.sysctl({"ipv4/ip_forward": "1", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "1"})
            self.routers[vpc_id] = space
            return space

    def connect(self, wire: Wire) -> Namespace:
        """Give a host its namespace and its link to the router; what is there already stays."""
        router = self.router(wire.vpc_id)
        space = Namespace(names.host(self.key, wire.instance_id))
        space.create()
        link = names.wire(wire.instance_id)
        gateway = str(next(ipaddress.ip_network(wire.subnet_cidr).hosts()))
        prefix = ipaddress.ip_network(wire.subnet_cidr).prefixlen
        with self._lock:
            links = {entry["ifname"] for entry in json.loads(run("ip", "-n", router.name, "-j", "link"))}
            if link not in links:
                router.batch([f"link add {link} type veth peer name eth0 netns {space.name}"])
        space.batch(
            [
                f"link set eth0 address {wire.mac} up",
                f"address replace {wire.ip}/{prefix} broadcast + dev eth0",
                f"route replace default via {gateway}",
            ]
        )
        router.batch(
            [f"link set {link} up", f"address replace {gateway}/32 dev lo", f"route replace {wire.ip}/32 dev {link}"]
        )
        # The router answers for the whole subnet at once: the kernel's default delays a proxied answer by up to 0.8 s.
        router.sysctl({f"ipv4/conf/{link}/proxy_arp": "1", f"ipv4/neigh/{link}/proxy_delay": "0"})
        return space

    def disconnect(self, instance_id: str) -> None:
        """Remove a host's namespace and with it its link."""
        Namespace(names.host(self.key, instance_id)).delete()

    def cuts(self) -> Cuts:
        """What is cut now."""
        return Cuts(**read_json(self.folder / "cuts.json"))

    def wires(self) -> list[Wire]:
        """Every host of the sandbox, as the hosts' own records say."""
        kept = (read_json(path).get("identity") for path in sorted((self.folder / "hosts").glob("i-*/host.json")))
        return [Wire(**identity["wire"]) for identity in kept if identity]

    def change(self, edit: Callable[[Cuts], None]) -> None:
        """Change the cuts, remember them and put them in force."""
        with self._alone():
            cuts = self.cuts()
            edit(cuts)
            write_json(self.folder / "cuts.json", asdict(cuts))
            self._enforce(cuts)

    def enforce(self) -> None:
        """Put the remembered cuts in force for the hosts that are there now (each VPC's table is replaced whole)."""
        with self._alone():
            self._enforce(self.cuts())

    def _enforce(self, cuts: Cuts) -> None:
        wires = self.wires()
        for vpc_id in {wire.vpc_id for wire in wires}:
            rules = cut_rules(cuts, [wire for wire in wires if wire.vpc_id == vpc_id])
            run("nsenter", f"--net={self.router(vpc_id).path}", "iptables-restore", stdin=rules)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time: the controller and a command may both change the tables."""
        with (self.folder / "cuts.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def namespaces(self) -> list[str]:
        """Names of all namespaces of this sandbox that exist."""
        prefix = names.prefix(self.key)
        return sorted(path.name for path in FOLDER.glob(f"{prefix}*")) if FOLDER.exists() else []

    def close(self) -> None:
        """End the threads that live in the routers."""
        for space in self.routers.values():
            space.close()
        self.routers.clear()
