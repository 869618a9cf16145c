"""From the arguments to a complete plan: every default filled in, every number a whole one. Pure."""

from dataclasses import dataclass, field

from components.hosts.args import Architecture, Purchase, WorkerPoolArgs
from components.swarm.addresses import default_pools
from components.swarm.args import PublishedPortArgs, SwarmClusterArgs


@dataclass(frozen=True)
class PoolPlan:
    """A worker pool."""

    name: str
    instance_types: list[str]
    min_size: int
    max_size: int
    purchase: Purchase
    on_demand_base: int
    has_on_demand_base: bool
    """Whether the user said ``on_demand_base``."""
    disk_gib: int
    target_cpu_percent: int | None
    labels: dict[str, str]


@dataclass(frozen=True)
class PortPlan:
    """A published port."""

    port: int
    target_port: int
    cidrs: list[str]


@dataclass(frozen=True)
class SwarmPlan:
    """A cluster. What the fields mean stands in ``SwarmClusterArgs``."""

    vpc_cidr: str
    zones: list[str]
    has_public_subnets: bool
    has_internet_egress: bool
    interface_endpoints: list[str]
    manager_count: int
    manager_type: str
    manager_disk_gib: int
    pools: list[PoolPlan]
    architecture: Architecture
    image_id: str | None
    preinstalled: bool
    operator_cidrs: list[str]
    address_pools: list[str]
    address_pool_prefix: int
    overlay_encryption: bool
    autolock: bool
    ports: list[PortPlan]
    operator_ports: list[int]
    node_ports: list[int]
    metadata_hop_limit: int
    snapshot_interval_minutes: int
    snapshot_keep: int
    token_rotation_days: int
    log_retention_days: int
    protection: bool
    tags: dict[str, str] = field(default_factory=dict)


_DEFAULT_TYPES = {Architecture.AMD64: "t3.small", Architecture.ARM64: "t4g.small"}


def make(args: SwarmClusterArgs) -> SwarmPlan:
    """The plan; whole numbers are cast, since Pulumi's component host hands them over as floats."""
    network = args["network"]
    image = args.get("image", {})
    managers = args.get("managers", {})
    architecture = Architecture(image.get("architecture", Architecture.AMD64))
    return SwarmPlan(
        vpc_cidr=network["cidr"],
        zones=list(network["zones"]),
        has_public_subnets="public_subnet_ids" in network,
        has_internet_egress=network["has_internet_egress"],
        interface_endpoints=list(network["interface_endpoints"]),
        manager_count=int(managers.get("count", 3)),
        manager_type=managers.get("instance_type", _DEFAULT_TYPES[architecture]),
        manager_disk_gib=int(managers.get("disk_gib", 20)),
        pools=[_pool(pool, architecture) for pool in args.get("worker_pools", [])],
        architecture=architecture,
        image_id=image.get("id"),
        preinstalled=image.get("preinstalled", False),
        operator_cidrs=list(args.get("operator_cidrs", [])),
        address_pools=list(args.get("address_pools") or _pools(network["cidr"])),
        address_pool_prefix=int(args.get("address_pool_prefix", 24)),
        overlay_encryption=args.get("enable_overlay_encryption", False),
        autolock=args.get("enable_autolock", False),
        ports=[_port(port) for port in args.get("published_ports", [])],
        operator_ports=[int(port) for port in args.get("operator_ports", [])],
        node_ports=[int(port) for port in args.get("node_ports", [])],
        metadata_hop_limit=int(args.get("metadata_hop_limit", 1)),
        snapshot_interval_minutes=int(args.get("snapshot_interval_minutes", 15)),
        snapshot_keep=int(args.get("snapshot_keep", 48)),
        token_rotation_days=int(args.get("token_rotation_days", 30)),
        log_retention_days=int(args.get("log_retention_days", 14)),
        protection=args.get("enable_protection", False),
        tags=dict(args.get("tags", {})),
    )


def _pools(vpc_cidr: str) -> list[str]:
    try:
        return default_pools(vpc_cidr)
    except ValueError:  # not a range: the checks say so, by name
        return []


def _pool(pool: WorkerPoolArgs, architecture: Architecture) -> PoolPlan:
    min_size = int(pool.get("min_size", 1))
    target = pool.get("target_cpu_percent")
    return PoolPlan(
        name=pool["name"],
        instance_types=list(pool.get("instance_types", [_DEFAULT_TYPES[architecture]])),
        min_size=min_size,
        max_size=int(pool.get("max_size", max(1, 2 * min_size))),
        purchase=Purchase(pool.get("purchase", Purchase.ON_DEMAND)),
        on_demand_base=int(pool.get("on_demand_base", 1)),
        has_on_demand_base="on_demand_base" in pool,
        disk_gib=int(pool.get("disk_gib", 20)),
        target_cpu_percent=None if target is None else int(target),
        labels=dict(pool.get("labels", {})),
    )


def _port(port: PublishedPortArgs) -> PortPlan:
    number = int(port["port"])
    return PortPlan(port=number, target_port=int(port.get("target_port", number)), cidrs=list(port["cidrs"]))
