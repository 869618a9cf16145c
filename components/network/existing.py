"""A VPC that somebody else owns: looked up and checked for what a cluster needs, never changed.

Every lookup is a plain one, so that what does not fit is said at preview. A failed lookup (no such id, not readable)
names the argument and carries AWS's own words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pulumi
import pulumi_aws as aws

from components import cidr
from components.errors import InputError
from components.network.args import ExistingVpcArgs

Found = TypeVar("Found")

_ANYWHERE = "0.0.0.0/0"
_PRIVATE, _PUBLIC = "existing.private_subnet_ids", "existing.public_subnet_ids"


@dataclass(frozen=True)
class ExistingVpc:
    """What Network tells of it."""

    vpc_id: str
    cidr: str
    zones: list[str]
    """Of the private subnets, in their order."""
    private_subnet_ids: list[str]
    public_subnet_ids: list[str]
    private_route_table_ids: list[str]
    """Of the private subnets, in their order; subnets may share one."""
    has_internet_egress: bool
    interface_endpoints: list[str]


@dataclass(frozen=True)
class _Subnet:
    path: str
    id: str
    vpc_id: str
    zone: str
    cidr: str


@dataclass(frozen=True)
class _RouteTable:
    id: str
    is_main: bool
    subnet_ids: list[str]
    internet_gateway: str
    """What the default route leads to when that is an internet gateway; else empty."""
    has_egress: bool
    """A default route leads elsewhere: to a NAT gateway, a transit gateway, an appliance."""


def look_up(args: ExistingVpcArgs, region: str, opts: pulumi.InvokeOptions) -> ExistingVpc:
    """Look the VPC up and hold it against what a cluster needs.

    Raises:
        InputError: it does not exist, or lacks something; named with the id and the rule.
    """
    vpc = _find(
        "existing.vpc_id",
        args["vpc_id"],
        "be a VPC of this account",
        lambda: aws.ec2.get_vpc(id=args["vpc_id"], opts=opts),
    )
    _check_dns(vpc)
    _warn_of_further_ranges(vpc)
    private = _subnets(_PRIVATE, args["private_subnet_ids"], vpc, opts)
    public = _subnets(_PUBLIC, args.get("public_subnet_ids", []), vpc, opts)
    tables = _route_tables(vpc.id, opts)
    for subnet in public:
        if not _table_of(subnet, tables).internet_gateway:
            rule = "have a default route to an internet gateway"
            raise InputError(subnet.path, subnet.id, rule, "Load balancers there would not be reached.")
    routed = [_table_of(subnet, tables) for subnet in private]
    has_egress = _has_egress(private, routed)
    if not has_egress:
        _check_s3(vpc.id, region, private, routed, opts)
    endpoints = args.get("interface_endpoints", [])
    for index, service in enumerate(endpoints):
        _check_interface_endpoint(f"existing.interface_endpoints[{index}]", service, vpc.id, region, opts)
    return ExistingVpc(
        vpc_id=vpc.id,
        cidr=vpc.cidr_block,
        zones=[subnet.zone for subnet in private],
        private_subnet_ids=[subnet.id for subnet in private],
        public_subnet_ids=[subnet.id for subnet in public],
        private_route_table_ids=[table.id for table in routed],
        has_internet_egress=has_egress,
        interface_endpoints=sorted(endpoints),
    )


def _find(path: str, got: str, rule: str, look: Callable[[], Found]) -> Found:
    try:
        return look()
    except Exception as error:  # the SDK raises a bare Exception for whatever the provider says
        raise InputError(path, got, f"{rule} that can be looked up in this region", f"AWS said: {error}") from error


def _check_dns(vpc: aws.ec2.AwaitableGetVpcResult) -> None:
    for name, is_on in (("enableDnsSupport", vpc.enable_dns_support), ("enableDnsHostnames", vpc.enable_dns_hostnames)):
        if not is_on:
            reason = "Nodes find AWS's endpoints and the load balancers by the VPC's own DNS."
            raise InputError("existing.vpc_id", vpc.id, f"have {name} on", reason)


def _warn_of_further_ranges(vpc: aws.ec2.AwaitableGetVpcResult) -> None:
    further = [found.cidr_block for found in vpc.cidr_block_associations if found.cidr_block != vpc.cidr_block]
    if further:
        pulumi.log.warn(
            f"existing.vpc_id: {vpc.id} also has {', '.join(sorted(further))}. Only its first range, {vpc.cidr_block}, "
            "is known to what avoids it: see to it yourself that overlay networks do not meet the others."
        )


def _subnets(
    path: str, ids: Sequence[str], vpc: aws.ec2.AwaitableGetVpcResult, opts: pulumi.InvokeOptions
) -> list[_Subnet]:
    found = [_subnet(f"{path}[{index}]", subnet_id, opts) for index, subnet_id in enumerate(ids)]
    zones: dict[str, str] = {}
    for subnet in found:
        if subnet.vpc_id != vpc.id:
            raise InputError(subnet.path, subnet.id, f"belong to {vpc.id}", f"It belongs to {subnet.vpc_id}.")
        if not cidr.contains(cidr.parse("existing.vpc_id", vpc.cidr_block), cidr.parse(subnet.path, subnet.cidr)):
            reason = f"It has {subnet.cidr}; security groups and the check of overlay networks know only that range."
            raise InputError(subnet.path, subnet.id, f"lie in the VPC's first range, {vpc.cidr_block}", reason)
        if subnet.zone in zones:
            reason = f"{zones[subnet.zone]} is in {subnet.zone} already; one subnet stands for one zone."
            raise InputError(subnet.path, subnet.id, "be in a zone of its own", reason)
        zones[subnet.zone] = subnet.id
    return found


def _subnet(path: str, subnet_id: str, opts: pulumi.InvokeOptions) -> _Subnet:
    found = _find(path, subnet_id, "be a subnet of this account", lambda: aws.ec2.get_subnet(id=subnet_id, opts=opts))
    return _Subnet(path, subnet_id, found.vpc_id, found.availability_zone, found.cidr_block)


def _route_tables(vpc_id: str, opts: pulumi.InvokeOptions) -> list[_RouteTable]:
    """All tables of the VPC, since a lookup by subnet does not see that a subnet follows the main table."""
    ids = _find(
        "existing.vpc_id",
        vpc_id,
        "have route tables",
        lambda: aws.ec2.get_route_tables(vpc_id=vpc_id, opts=opts).ids,
    )
    return [_route_table(vpc_id, table_id, opts) for table_id in sorted(ids)]


def _route_table(vpc_id: str, table_id: str, opts: pulumi.InvokeOptions) -> _RouteTable:
    table = _find(
        "existing.vpc_id",
        vpc_id,
        f"have a route table {table_id}",
        lambda: aws.ec2.get_route_table(route_table_id=table_id, opts=opts),
    )
    default = next((route for route in table.routes if route.cidr_block == _ANYWHERE), None)
    gateway = default.gateway_id if default and default.gateway_id.startswith("igw-") else ""
    return _RouteTable(
        id=table_id,
        is_main=any(association.main for association in table.associations),
        subnet_ids=[association.subnet_id for association in table.associations if association.subnet_id],
        internet_gateway=gateway,
        has_egress=default is not None and not gateway,
    )


def _table_of(subnet: _Subnet, tables: Sequence[_RouteTable]) -> _RouteTable:
    own = next((table for table in tables if subnet.id in table.subnet_ids), None)
    table = own or next((table for table in tables if table.is_main), None)
    if table is None:
        raise InputError(subnet.path, subnet.id, "have a route table", f"{subnet.vpc_id} shows none that it follows.")
    return table


def _has_egress(subnets: Sequence[_Subnet], tables: Sequence[_RouteTable]) -> bool:
    for subnet, table in zip(subnets, tables, strict=True):
        if table.internet_gateway:
            rule = "have no default route to an internet gateway"
            reason = f"{table.id} leads to {table.internet_gateway}, but nodes have no public address to use it with."
            raise InputError(subnet.path, subnet.id, rule, reason)
    without = [subnet for subnet, table in zip(subnets, tables, strict=True) if not table.has_egress]
    if without and len(without) < len(subnets):
        reason = "Other subnets have one. A node that replaces a lost one may start in any of them."
        raise InputError(without[0].path, without[0].id, "have a default route, to a NAT gateway for example", reason)
    return not without


def _check_s3(
    vpc_id: str,
    region: str,
    subnets: Sequence[_Subnet],
    tables: Sequence[_RouteTable],
    opts: pulumi.InvokeOptions,
) -> None:
    endpoint = _find(
        "existing.vpc_id",
        vpc_id,
        "have a gateway endpoint for S3, since its private subnets have no default route,",
        lambda: aws.ec2.get_vpc_endpoint(
            vpc_id=vpc_id, service_name=f"com.amazonaws.{region}.s3", vpc_endpoint_type="Gateway", opts=opts
        ),
    )
    for subnet, table in zip(subnets, tables, strict=True):
        if table.id not in endpoint.route_table_ids:
            rule = f"have a route to the S3 gateway endpoint {endpoint.id}"
            raise InputError(subnet.path, subnet.id, rule, f"Its route table {table.id} has none, nor a default route.")


def _check_interface_endpoint(path: str, service: str, vpc_id: str, region: str, opts: pulumi.InvokeOptions) -> None:
    endpoint = _find(
        path,
        service,
        f"be a service with an interface endpoint in {vpc_id}",
        lambda: aws.ec2.get_vpc_endpoint(
            vpc_id=vpc_id, service_name=f"com.amazonaws.{region}.{service}", vpc_endpoint_type="Interface", opts=opts
        ),
    )
    if not endpoint.private_dns_enabled:
        reason = f"Nodes use the service's own name; {endpoint.id} does not answer for it."
        raise InputError(path, service, "have private DNS on", reason)
