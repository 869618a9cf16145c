"""The rules that a cluster's arguments must keep, held before any resource is registered. Pure.

What only AWS can answer (does the image fit the instance types?) is in ``components/hosts/images.py``.
"""

import ipaddress
import re
from collections.abc import Sequence

from components import cidr as ranges
from components import tags
from components.errors import InputError
from components.hosts.args import Purchase
from components.naming import is_pool_name
from components.swarm import addresses, endpoints, plan, spread
from components.swarm.args import SwarmClusterArgs
from components.swarm.plan import PoolPlan, PortPlan, SwarmPlan

RESERVED_PORTS = {
    2376: "the Docker API",
    2377: "the managers' raft",
    2378: "the agent's health endpoint",
    4789: "overlay networks (VXLAN)",
    7946: "gossip among the nodes",
}
MANAGER_COUNTS = (1, 3, 5, 7)
LISTENER_LIMIT = 50
"""Listeners of a network load balancer. Source: Elastic Load Balancing User Guide, "Quotas for your NLBs"."""
NETWORKS_AT_LEAST = 16
"""The ingress network and room for a few stacks."""
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""Source: CloudWatch Logs API reference, PutRetentionPolicy."""
_DISK_GIB = (8, 16384)
"""The Ubuntu image's snapshot has 8 GiB; gp3 volumes end at 16 TiB."""
_LABEL_KEY = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?")


def check(args: SwarmClusterArgs) -> SwarmPlan:
    """Hold the arguments against every rule and give the complete plan.

    Rules about the VPC's range or its zones are skipped while ``network`` leaves them empty.

    Raises:
        InputError: the first rule that is broken.
    """
    made = _plan(args)
    _check_managers(made)
    _check_pools(made.pools)
    _check_image(made)
    _check_operators(made.operator_cidrs)
    _check_address_pools(made)
    _check_ports(made.ports)
    _check_plain_ports("operator_ports", made.operator_ports)
    _check_plain_ports("node_ports", made.node_ports)
    _check_numbers(made)
    _check_network(made, args)
    tags.check("tags", made.tags)
    return made


def warnings(made: SwarmPlan) -> list[str]:
    """What works but will hurt: each a sentence with the reason."""
    found = []
    if made.manager_count == 1:
        found.append(
            "managers.count is 1: while the one manager is replaced, nothing can be changed in the swarm, and what "
            f"was changed up to {made.snapshot_interval_minutes} minutes before its loss is gone (it comes back from a "
            "snapshot). Right for development; use 3 where it matters."
        )
    elif made.zones and not spread.survives_zone_loss(made.manager_count, len(made.zones)):
        found.append(
            f"{made.manager_count} managers over {len(made.zones)} zone(s): the loss of one zone can take the majority "
            "with it, and then nothing can be changed until the cluster has recovered. Use 3 zones where it matters."
        )
    if made.autolock:
        found.append(
            "enable_autolock is true: the cluster heals the loss of a minority, but not of the majority, since the "
            "engine (28.5) refuses to force a new cluster from an autolocked state. See docs/operations.md."
        )
    return found


def _plan(args: SwarmClusterArgs) -> SwarmPlan:
    cidr = args["network"]["cidr"]
    if cidr:
        ranges.parse("network.cidr", cidr)
    return plan.make(args)


def _check_managers(made: SwarmPlan) -> None:
    if made.manager_count not in MANAGER_COUNTS:
        raise InputError(
            "managers.count",
            made.manager_count,
            f"be {_one_of(MANAGER_COUNTS)}",
            "Raft needs a majority: an even number tolerates no more losses than the odd one below it, "
            "and above 7 each write waits for too many.",
        )
    _range("managers.disk_gib", made.manager_disk_gib, *_DISK_GIB, "gp3 volumes and the image's snapshot set it.")


def _check_pools(pools: Sequence[PoolPlan]) -> None:
    seen: dict[str, int] = {}
    for index, pool in enumerate(pools):
        path = f"worker_pools[{index}]"
        if not is_pool_name(pool.name):
            raise InputError(
                f"{path}.name",
                pool.name,
                "hold 1 to 32 lower-case letters, digits and single hyphens",
                "It stands in names of resources, tags and node labels.",
            )
        if pool.name == "managers":
            raise InputError(f"{path}.name", pool.name, "be another name", "The managers are called so in tags.")
        if pool.name in seen:
            raise InputError(
                f"{path}.name",
                pool.name,
                f"differ from worker_pools[{seen[pool.name]}].name",
                "Resources are named by it.",
            )
        seen[pool.name] = index
        _check_pool_sizes(path, pool)
        _check_pool_purchase(path, pool)
        _check_labels(f"{path}.labels", pool.labels)


def _check_pool_sizes(path: str, pool: PoolPlan) -> None:
    _range(f"{path}.min_size", pool.min_size, 0, 1000, "More than that is not one swarm.")
    _range(
        f"{path}.max_size",
        pool.max_size,
        max(1, pool.min_size),
        1000,
        f"min_size is {pool.min_size}, and 0 is no pool.",
    )
    _range(f"{path}.disk_gib", pool.disk_gib, *_DISK_GIB, "gp3 volumes and the image's snapshot set it.")
    if pool.target_cpu_percent is None:
        return
    _range(f"{path}.target_cpu_percent", pool.target_cpu_percent, 10, 90, "Outside, scaling would never rest.")
    if pool.min_size == pool.max_size:
        raise InputError(
            f"{path}.target_cpu_percent",
            pool.target_cpu_percent,
            "be left out when min_size equals max_size",
            f"A pool of exactly {pool.min_size} cannot be scaled.",
        )


def _check_pool_purchase(path: str, pool: PoolPlan) -> None:
    types = pool.instance_types
    if not types or len(set(types)) != len(types):
        raise InputError(
            f"{path}.instance_types", types, "hold each type once, and at least one", "AWS launches from it."
        )
    if len(types) > 1 and pool.purchase is Purchase.ON_DEMAND:
        raise InputError(
            f"{path}.instance_types",
            types,
            "hold one type when purchase is on-demand",
            "Several types are for spot and mixed, where AWS takes what is there.",
        )
    if pool.has_on_demand_base and pool.purchase is not Purchase.MIXED:
        raise InputError(
            f"{path}.on_demand_base",
            pool.on_demand_base,
            "be left out unless purchase is mixed",
            f"With {pool.purchase.value} it would mean nothing.",
        )
    if pool.purchase is Purchase.MIXED:
        _range(f"{path}.on_demand_base", pool.on_demand_base, 0, pool.max_size, f"max_size is {pool.max_size}.")


def _check_labels(path: str, labels: dict[str, str]) -> None:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise InputError(
                f"{path}[{key!r}]",
                key,
                "be 1 to 128 letters, digits, dots, hyphens and underscores, with a letter or digit at both ends",
                "Placement constraints (node.labels.KEY) cannot name it otherwise.",
            )
        if key.startswith("timonel."):
            raise InputError(f"{path}[{key!r}]", key, "not start with timonel.", "Those labels are Timonel's own.")
        if len(value) > 256 or not value.isprintable():
            raise InputError(
                f"{path}[{key!r}]",
                value,
                "be at most 256 printable characters",
                "It is compared in placement constraints.",
            )


def _check_image(made: SwarmPlan) -> None:
    if made.preinstalled and made.image_id is None:
        raise InputError(
            "image.preinstalled",
            True,
            "be false unless image.id is set",
            "The pinned Ubuntu image holds neither Docker nor boto3.",
        )
    if made.image_id is not None and not re.fullmatch(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})", made.image_id):
        raise InputError("image.id", made.image_id, "look like ami-0123456789abcdef0", "It is no AMI id.")


def _check_operators(cidrs: Sequence[str]) -> None:
    for index, cidr in enumerate(cidrs):
        path = f"operator_cidrs[{index}]"
        if cidr in ("0.0.0.0/0", "::/0"):
            raise InputError(
                path,
                cidr,
                "name the addresses that operators come from",
                "Who reaches the Docker API is one stolen key away from root on every node.",
            )
        ranges.parse(path, cidr)
        if ipaddress.IPv4Network(cidr).prefixlen < 8:
            raise InputError(
                path,
                cidr,
                "be a /8 or smaller",
                "A range so large is the internet in parts; who reaches the Docker API can try to become root.",
            )


def _check_address_pools(made: SwarmPlan) -> None:
    prefix = made.address_pool_prefix
    _range("address_pool_prefix", prefix, 16, 28, "Larger networks do not fit a pool, smaller ones hold no service.")
    vpc = ipaddress.IPv4Network(made.vpc_cidr) if made.vpc_cidr else None
    for name, local in addresses.LOCAL_RANGES.items():
        if vpc is not None and vpc.overlaps(local):
            raise InputError(
                "network.cidr",
                made.vpc_cidr,
                f"not overlap {local}",
                f"Docker's {name} uses it on every node, so a node could not reach that part of the VPC.",
            )
    taken = {"the VPC": vpc, **addresses.LOCAL_RANGES} if vpc is not None else dict(addresses.LOCAL_RANGES)
    for index, pool in enumerate(made.address_pools):
        path = f"address_pools[{index}]"
        network = ranges.parse(path, pool)
        for name, other in taken.items():
            if other is not None and network.overlaps(other):
                raise InputError(
                    path, pool, f"not overlap {other} ({name})", "Containers could not tell one from the other."
                )
        taken[path] = network
        if network.prefixlen > prefix:
            raise InputError(path, pool, f"be a /{prefix} or larger", f"address_pool_prefix is {prefix}.")
    count = addresses.networks_in(made.address_pools, prefix)
    if count < NETWORKS_AT_LEAST:
        raise InputError(
            "address_pools",
            made.address_pools,
            f"hold at least {NETWORKS_AT_LEAST} networks of /{prefix}",
            f"They hold {count}, and the ingress network and each overlay take one.",
        )


def _check_ports(ports: Sequence[PortPlan]) -> None:
    if len(ports) > LISTENER_LIMIT:
        raise InputError(
            "published_ports", len(ports), f"hold at most {LISTENER_LIMIT} ports", "A balancer has no more listeners."
        )
    seen: dict[int, int] = {}
    for index, port in enumerate(ports):
        path = f"published_ports[{index}]"
        for field, value in (("port", port.port), ("target_port", port.target_port)):
            _range(f"{path}.{field}", value, 1, 65535, "TCP has no others.")
            if value in RESERVED_PORTS:
                raise InputError(f"{path}.{field}", value, "be another port", f"It carries {RESERVED_PORTS[value]}.")
        if port.port in seen:
            raise InputError(
                f"{path}.port",
                port.port,
                f"differ from published_ports[{seen[port.port]}].port",
                "One listener has one target.",
            )
        seen[port.port] = index
        if not port.cidrs:
            raise InputError(f"{path}.cidrs", port.cidrs, "name at least one range", "Nobody could reach the port.")
        for place, cidr in enumerate(port.cidrs):
            ranges.parse(f"{path}.cidrs[{place}]", cidr)
        if len(set(port.cidrs)) != len(port.cidrs):
            raise InputError(f"{path}.cidrs", port.cidrs, "name each range once", "AWS refuses a rule that is there.")


def _check_plain_ports(path: str, ports: Sequence[int]) -> None:
    for index, port in enumerate(ports):
        _range(f"{path}[{index}]", port, 1, 65535, "TCP has no others.")
        if port in RESERVED_PORTS:
            raise InputError(f"{path}[{index}]", port, "be another port", f"It carries {RESERVED_PORTS[port]}.")
        if port in ports[:index]:
            raise InputError(f"{path}[{index}]", port, "be named once", "AWS refuses a listener or rule that is there.")


def _check_numbers(made: SwarmPlan) -> None:
    _range("metadata_hop_limit", made.metadata_hop_limit, 1, 2, "1 keeps containers out, 2 lets them in.")
    _range("snapshot_interval_minutes", made.snapshot_interval_minutes, 1, 1440, "At least one snapshot a day.")
    _range("snapshot_keep", made.snapshot_keep, 2, 1000, "The newest one may turn out to be corrupt.")
    _range("token_rotation_days", made.token_rotation_days, 0, 365, "0 rotates never by schedule.")
    if made.log_retention_days not in LOG_RETENTION_DAYS:
        raise InputError(
            "log_retention_days",
            made.log_retention_days,
            f"be {_one_of(LOG_RETENTION_DAYS)}",
            "CloudWatch Logs knows no others.",
        )


def _check_network(made: SwarmPlan, args: SwarmClusterArgs) -> None:
    subnets = args["network"]["private_subnet_ids"]
    if made.zones and isinstance(subnets, list) and len(subnets) != len(made.zones):
        raise InputError(
            "network.private_subnet_ids",
            subnets,
            f"hold {len(made.zones)} subnets",
            "network.zones names so many zones.",
        )
    if len(set(made.zones)) != len(made.zones):
        raise InputError("network.zones", made.zones, "name each zone once", "Two subnets in a zone spread nothing.")
    if made.has_internet_egress:
        return
    missing = sorted(set(endpoints.required(has_published_ports=bool(made.ports))) - set(made.interface_endpoints))
    if missing:
        raise InputError(
            "network.interface_endpoints",
            made.interface_endpoints,
            f"also hold {', '.join(missing)}",
            "Without a NAT gateway the nodes reach those services no other way.",
        )
    if not made.preinstalled:
        raise InputError(
            "image.preinstalled",
            False,
            "be true when the network has no way out",
            "Docker and boto3 could not be installed at boot; name an image that holds them by image.id.",
        )


def _range(path: str, got: int, least: int, most: int, reason: str) -> None:
    if not least <= got <= most:
        raise InputError(path, got, f"be between {least} and {most}", reason)


def _one_of(values: Sequence[int]) -> str:
    return f"{', '.join(str(value) for value in values[:-1])} or {values[-1]}"
