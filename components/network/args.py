"""Arguments of Network. Counts, names and choices are plain: the layout must be known at preview."""

from enum import StrEnum
from typing import NotRequired, TypedDict

import pulumi


class NatStrategy(StrEnum):
    """How private subnets reach the internet."""

    NONE = "none"
    """No way out; needs the VPC endpoints that the nodes use."""
    SINGLE = "single"
    """One NAT gateway in the first zone: cheapest, lost with that zone."""
    PER_ZONE = "per-zone"
    """One NAT gateway per zone: no cross-zone traffic, survives the loss of a zone."""


class ExistingVpcArgs(TypedDict):
    """A VPC that somebody else owns; it is checked, never changed."""

    vpc_id: str
    """Required. Id of the VPC (``vpc-...``)."""
    private_subnet_ids: list[str]
    """Required. Subnets for the nodes, 1 to 6, each in a zone of its own."""
    public_subnet_ids: NotRequired[list[str]]
    """Subnets for load balancers that face the internet, each in a zone of its own. Default: none."""
    interface_endpoints: NotRequired[list[str]]
    """Short names of AWS services (``ssm``, ``ec2``) that have an interface endpoint in the VPC; each is looked up.
    Default: none."""


class NetworkArgs(TypedDict):
    """Arguments of Network."""

    cidr: NotRequired[str]
    """IPv4 range of the VPC, /16 to /24. Default ``10.20.0.0/16``. Not with ``existing``."""
    zone_count: NotRequired[int]
    """Number of availability zones, 1 to 6. Default: as many as ``zone_names`` has, else 2. Not with ``existing``."""
    zone_names: NotRequired[list[str]]
    """Which zones, by name, in the order that fixes the layout; the first ``zone_count`` are used. Default: the
    region's zones, sorted. Not with ``existing``."""
    nat: NotRequired[NatStrategy]
    """Default ``single``. Not with ``existing``."""
    enable_public_subnets: NotRequired[bool]
    """Make public subnets and an internet gateway. Default true; false needs ``nat: none``. Not with ``existing``."""
    interface_endpoints: NotRequired[list[str]]
    """Short names of AWS services (``ssm``, ``ec2``) that get an interface endpoint. Default: none. Not with
    ``existing``."""
    enable_flow_logs: NotRequired[bool]
    """Record all traffic's metadata in CloudWatch Logs. Default false (it costs by volume). Not with ``existing``."""
    flow_log_retention_days: NotRequired[int]
    """Days to keep flow logs; one of the values CloudWatch Logs allows. Default 14. Not with ``existing``."""
    private_subnet_tags: NotRequired[dict[str, str]]
    """Further tags of private subnets, by which controllers find them. Default: none. Not with ``existing``."""
    public_subnet_tags: NotRequired[dict[str, str]]
    """Further tags of public subnets. Default: none. Not with ``existing``."""
    existing: NotRequired[ExistingVpcArgs]
    """Use this VPC in place of a new one."""
    tags: NotRequired[dict[str, str]]
    """Tags for every resource, besides ``Name`` and the component's own. Default: none."""


class ClusterNetworkArgs(TypedDict):
    """Where the cluster lives; the fields of ``Network``'s outputs that a cluster needs."""

    vpc_id: pulumi.Input[str]
    """Required."""
    cidr: str
    """Required. The VPC's IPv4 range: plain, since overlaps with the cluster's own ranges are
    checked at preview."""
    zones: list[str]
    """Required. Zone name of each private subnet, in the same order."""
    private_subnet_ids: pulumi.Input[list[pulumi.Input[str]]]
    """Required. One subnet per zone, for the nodes."""
    public_subnet_ids: NotRequired[pulumi.Input[list[pulumi.Input[str]]]]
    """For load balancers that face the internet. Default: none, and load balancers are internal."""
    has_internet_egress: bool
    """Required. Whether nodes reach the internet (NAT). Without, ``interface_endpoints`` and a preinstalled image are
    needed."""
    interface_endpoints: list[str]
    """Required. Short service names that have an interface endpoint in the VPC."""
