"""What Network's arguments must satisfy and what they mean: pure, so that it holds before anything is made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TypedDict

from components import cidr, tags
from components.errors import InputError
from components.network.args import ExistingVpcArgs, NatStrategy, NetworkArgs
from components.network.subnets import MAX_ZONES, lay_out

DEFAULT_CIDR = "10.20.0.0/16"
DEFAULT_ZONES = 2
DEFAULT_RETENTION_DAYS = 14

RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
"""Source: CloudWatch Logs API reference, PutRetentionPolicy, retentionInDays."""

_GATEWAY_SERVICES = ("s3", "dynamodb")
_SERVICE = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_VPC_ID = re.compile(r"vpc-[0-9a-f]{8,17}")
_SUBNET_ID = re.compile(r"subnet-[0-9a-f]{8,17}")
_NEW_ONLY = (
    "cidr",
    "zone_count",
    "zone_names",
    "nat",
    "enable_public_subnets",
    "interface_endpoints",
    "enable_flow_logs",
    "flow_log_retention_days",
    "private_subnet_tags",
    "public_subnet_tags",
)


@dataclass(frozen=True)
class NewVpc:
    """What a new VPC is to be, with every default filled in."""

    cidr: IPv4Network
    zone_count: int
    zone_names: tuple[str, ...]
    """Empty: the region's."""
    nat: NatStrategy
    has_public_subnets: bool
    interface_endpoints: tuple[str, ...]
    """Sorted."""
    enable_flow_logs: bool
    flow_log_retention_days: int


class Known(TypedDict):
    """What a cluster may know of its network before anything is looked up or made."""

    cidr: str
    """Empty for an existing VPC."""
    zones: list[str]
    """Empty when the region or an existing VPC decides."""
    zone_count: int
    has_internet_egress: bool
    """True for an existing VPC, until it is looked up."""
    has_public_subnets: bool
    interface_endpoints: list[str]


def check(args: NetworkArgs) -> None:
    """Hold the arguments against every rule that needs no AWS.

    Raises:
        InputError: the first rule that is broken.
    """
    known(args)


def known(args: NetworkArgs) -> Known:
    """What the arguments alone say, after ``check``'s rules.

    Raises:
        InputError: the first rule that is broken.
    """
    tags.check("tags", args.get("tags", {}))
    if "existing" in args:
        _check_existing(args, args["existing"])
        return Known(
            cidr="",
            zones=[],
            zone_count=len(args["existing"]["private_subnet_ids"]),
            has_internet_egress=True,
            has_public_subnets=bool(args["existing"].get("public_subnet_ids")),
            interface_endpoints=sorted(args["existing"].get("interface_endpoints", [])),
        )
    new = new_vpc(args)
    return Known(
        cidr=str(new.cidr),
        zones=list(new.zone_names),
        zone_count=new.zone_count,
        has_internet_egress=new.nat is not NatStrategy.NONE,
        has_public_subnets=new.has_public_subnets,
        interface_endpoints=list(new.interface_endpoints),
    )


def new_vpc(args: NetworkArgs) -> NewVpc:
    """Fill in the defaults for a new VPC.

    Raises:
        InputError: a rule that is broken.
    """
    network = cidr.parse("cidr", args.get("cidr", DEFAULT_CIDR))
    names = args.get("zone_names", [])
    _check_distinct("zone_names", names, "A second subnet in a zone adds no tolerance of its loss.")
    zones = _whole("zone_count", args.get("zone_count", len(names) or DEFAULT_ZONES))
    if not 1 <= zones <= MAX_ZONES:
        raise InputError("zone_count", zones, f"be 1 to {MAX_ZONES}", "No region has more zones.")
    if names and len(names) < zones:
        reason = "The order of the names fixes the layout, so every zone must have one."
        raise InputError("zone_names", list(names), f"name at least {zones} zones, as zone_count says", reason)
    lay_out("cidr", network, zones)
    nat = _nat(args.get("nat", NatStrategy.SINGLE))
    public = bool(args.get("enable_public_subnets", True))
    if nat is not NatStrategy.NONE and not public:
        reason = "A NAT gateway lives in a public subnet."
        raise InputError("enable_public_subnets", False, f"be true with nat {nat.value!r}", reason)
    endpoints = args.get("interface_endpoints", [])
    _check_services("interface_endpoints", endpoints)
    days = _whole("flow_log_retention_days", args.get("flow_log_retention_days", DEFAULT_RETENTION_DAYS))
    if days not in RETENTION_DAYS:
        rule = f"be one of {', '.join(map(str, RETENTION_DAYS))}"
        raise InputError("flow_log_retention_days", days, rule, "CloudWatch Logs takes no other value.")
    return NewVpc(
        cidr=network,
        zone_count=zones,
        zone_names=tuple(names[:zones]),
        nat=nat,
        has_public_subnets=public,
        interface_endpoints=tuple(sorted(endpoints)),
        enable_flow_logs=bool(args.get("enable_flow_logs", False)),
        flow_log_retention_days=days,
    )


def nat_zone(nat: NatStrategy, zone: int) -> int | None:
    """Number of the zone whose NAT gateway serves ``zone``; None when there is none."""
    return {NatStrategy.NONE: None, NatStrategy.SINGLE: 0, NatStrategy.PER_ZONE: zone}[nat]


def _check_existing(args: NetworkArgs, existing: ExistingVpcArgs) -> None:
    for key in _NEW_ONLY:
        if key in args:
            hint = (
                " Name the endpoints that it has in existing.interface_endpoints."
                if key == "interface_endpoints"
                else ""
            )
            raise InputError(
                key, args.get(key), "be left out with existing", f"An existing VPC is checked, never changed.{hint}"
            )
    _check_id("existing.vpc_id", existing["vpc_id"], _VPC_ID, "vpc-0123456789abcdef0")
    private, public = existing["private_subnet_ids"], existing.get("public_subnet_ids", [])
    if not 1 <= len(private) <= MAX_ZONES:
        reason = "Nodes need a subnet, and no region has more than six zones."
        raise InputError("existing.private_subnet_ids", list(private), f"name 1 to {MAX_ZONES} subnets", reason)
    for path, subnets in (("existing.private_subnet_ids", private), ("existing.public_subnet_ids", public)):
        for index, subnet in enumerate(subnets):
            _check_id(f"{path}[{index}]", subnet, _SUBNET_ID, "subnet-0123456789abcdef0")
        _check_distinct(path, subnets, "Each subnet stands for a zone of its own.")
    for index, subnet in enumerate(public):
        if subnet in private:
            reason = "Nodes have no public address, so in a subnet behind an internet gateway they reach nothing."
            raise InputError(f"existing.public_subnet_ids[{index}]", subnet, "not be a private subnet too", reason)
    _check_services("existing.interface_endpoints", existing.get("interface_endpoints", []))


def _check_id(path: str, got: str, pattern: re.Pattern[str], example: str) -> None:
    if not pattern.fullmatch(got):
        raise InputError(path, got, f"be an id such as {example}", "It is looked up by id, not by name.")


def _check_distinct(path: str, values: Sequence[str], reason: str) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise InputError(f"{path}[{index}]", value, "be named once only", reason)


def _check_services(path: str, services: Sequence[str]) -> None:
    _check_distinct(path, services, "A VPC has one endpoint with private DNS for each service.")
    for index, service in enumerate(services):
        if service in _GATEWAY_SERVICES:
            reason = "S3 has its gateway endpoint always, which costs nothing; DynamoDB's would be one too."
            raise InputError(f"{path}[{index}]", service, "not be s3 or dynamodb", reason)
        if not _SERVICE.fullmatch(service) or service.startswith("com.amazonaws."):
            reason = "The region's prefix is put before it."
            raise InputError(f"{path}[{index}]", service, "be a short name such as ssm or ecr.api", reason)


def _nat(value: str) -> NatStrategy:
    try:
        return NatStrategy(value)
    except ValueError as error:
        rule = f"be one of {', '.join(strategy.value for strategy in NatStrategy)}"
        raise InputError("nat", value, rule, "It decides which NAT gateways are made.") from error


def _whole(path: str, value: float) -> int:
    """Numbers from a component host arrive as floats (style.md, fact 5)."""
    if value != int(value):
        raise InputError(path, value, "be a whole number", "It counts things.")
    return int(value)
