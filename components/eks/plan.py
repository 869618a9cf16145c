"""From the arguments to a complete plan: every default filled in, every number a whole one. Pure."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network

import pulumi

from components.eks import versions
from components.eks.args import (
    AccessEntryArgs,
    AmiFamily,
    Capacity,
    EksClusterArgs,
    LogType,
    NodePoolArgs,
    NodeTaintArgs,
    PodIdentityArgs,
    TaintEffect,
)
from components.hosts.args import Architecture

DEFAULT_LOG_TYPES = (LogType.API, LogType.AUDIT, LogType.AUTHENTICATOR)
SERVICE_CIDRS = ("172.20.0.0/16", "10.100.0.0/16")
"""The two that AWS itself chooses from. Source: Amazon EKS API reference, KubernetesNetworkConfigRequest."""

BEFORE_NODES = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
"""Add-ons that a node needs to become Ready and give its pods a role; they need none themselves."""
AFTER_NODES = ("coredns", "aws-ebs-csi-driver")
"""Add-ons that run as Deployments: without a node they stay degraded, and EKS waits for them until it gives up."""

_DEFAULT_TYPES = {Architecture.AMD64: "t3.large", Architecture.ARM64: "t4g.large"}
_AMI_TYPES = {
    (AmiFamily.AL2023, Architecture.AMD64): "AL2023_x86_64_STANDARD",
    (AmiFamily.AL2023, Architecture.ARM64): "AL2023_ARM_64_STANDARD",
    (AmiFamily.BOTTLEROCKET, Architecture.AMD64): "BOTTLEROCKET_x86_64",
    (AmiFamily.BOTTLEROCKET, Architecture.ARM64): "BOTTLEROCKET_ARM_64",
}
"""Source: Amazon EKS API reference, CreateNodegroup, amiType."""


@dataclass(frozen=True)
class TaintPlan:
    """A taint."""

    key: str
    value: str
    effect: TaintEffect


@dataclass(frozen=True)
class PoolPlan:
    """A node pool. What the fields mean stands in ``NodePoolArgs``."""

    name: str
    instance_types: list[str]
    capacity: Capacity
    architecture: Architecture
    ami_family: AmiFamily
    labels: dict[str, str]
    taints: list[TaintPlan]
    min_size: int
    max_size: int
    disk_gib: int
    max_unavailable: int
    repair: bool

    @property
    def ami_type(self) -> str:
        """EKS's name of the image."""
        return _AMI_TYPES[self.ami_family, self.architecture]


@dataclass(frozen=True)
class EksPlan:
    """A cluster. What the fields mean stands in ``EksClusterArgs``."""

    cluster_name: str
    version: str
    extended_support: bool
    support_warning_days: int
    vpc_cidr: str
    zones: list[str]
    has_internet_egress: bool
    interface_endpoints: list[str]
    public_access_cidrs: list[str]
    log_types: list[LogType]
    log_retention_days: int
    service_cidr: str
    secrets_key: bool
    has_own_secrets_key: bool
    """Whether the user gave a key."""
    admins: list[str] | None
    """None: whoever deploys."""
    access_entries: list[AccessEntryArgs]
    pools: list[PoolPlan]
    has_pools: bool
    """Whether the user said ``node_pools``."""
    auto_mode: bool
    ebs_csi: bool
    has_ebs_csi: bool
    """Whether the user said ``enable_ebs_csi``."""
    addon_overrides: dict[str, str]
    pod_identities: list[PodIdentityArgs]
    zonal_shift: bool
    protection: bool
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def addons_before_nodes(self) -> list[str]:
        """Names, in the order in which they are listed everywhere."""
        return [] if self.auto_mode else list(BEFORE_NODES)

    @property
    def addons_after_nodes(self) -> list[str]:
        """As above."""
        if self.auto_mode:
            return []
        return [name for name in AFTER_NODES if name != "aws-ebs-csi-driver" or self.ebs_csi]

    def addon_version(self, addon: str) -> str:
        """The user's, else the pinned one. The version must be known (``checks``)."""
        return self.addon_overrides.get(addon) or versions.load().by_version[self.version].addons[addon]


def make(args: EksClusterArgs, default_name: str) -> EksPlan:
    """The plan; whole numbers are cast, since Pulumi's component host hands them over as floats.

    Args:
        args: the arguments.
        default_name: the cluster's name in AWS where none is given.
    """
    network = args["network"]
    auto_mode = args.get("enable_auto_mode", False)
    default_pools: list[NodePoolArgs] = [] if auto_mode else [{"name": "default"}]
    return EksPlan(
        cluster_name=args.get("cluster_name", default_name),
        version=args.get("version", versions.load().default),
        extended_support=args.get("enable_extended_support", False),
        support_warning_days=int(args.get("support_warning_days", 60)),
        vpc_cidr=network["cidr"],
        zones=list(network["zones"]),
        has_internet_egress=network["has_internet_egress"],
        interface_endpoints=list(network["interface_endpoints"]),
        public_access_cidrs=sorted(args.get("public_access_cidrs", [])),
        log_types=[LogType(each) for each in args.get("log_types", DEFAULT_LOG_TYPES)],
        log_retention_days=int(args.get("log_retention_days", 90)),
        service_cidr=args.get("service_cidr") or default_service_cidr(network["cidr"]),
        secrets_key=args.get("enable_secrets_key", True),
        has_own_secrets_key="secrets_key_arn" in args,
        admins=list(args["admins"]) if "admins" in args else None,
        access_entries=list(args.get("access_entries", [])),
        pools=[_pool(pool) for pool in args.get("node_pools", default_pools)],
        has_pools=bool(args.get("node_pools")),
        auto_mode=auto_mode,
        ebs_csi=args.get("enable_ebs_csi", not auto_mode),
        has_ebs_csi=args.get("enable_ebs_csi", False),
        addon_overrides=dict(args.get("addon_versions", {})),
        pod_identities=list(args.get("pod_identities", [])),
        zonal_shift=args.get("enable_zonal_shift", True),
        protection=args.get("enable_protection", False),
        tags=dict(args.get("tags", {})),
    )


def default_name(name: str) -> str:
    """The cluster's name in AWS where none is given, in the stack that runs now."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}-{name}"


def default_service_cidr(vpc_cidr: str) -> str:
    """The first of AWS's two ranges that the VPC does not meet; the first for a VPC that is not known yet."""
    try:
        vpc = IPv4Network(vpc_cidr)
    except ValueError:  # not known yet, or not a range: the checks say so, by name
        return SERVICE_CIDRS[0]
    return next((each for each in SERVICE_CIDRS if not vpc.overlaps(IPv4Network(each))), SERVICE_CIDRS[0])


def _pool(pool: NodePoolArgs) -> PoolPlan:
    architecture = Architecture(pool.get("architecture", Architecture.AMD64))
    min_size = int(pool.get("min_size", 2))
    return PoolPlan(
        name=pool["name"],
        instance_types=list(pool.get("instance_types", [_DEFAULT_TYPES[architecture]])),
        capacity=Capacity(pool.get("capacity", Capacity.ON_DEMAND)),
        architecture=architecture,
        ami_family=AmiFamily(pool.get("ami_family", AmiFamily.AL2023)),
        labels=dict(pool.get("labels", {})),
        taints=[_taint(taint) for taint in pool.get("taints", [])],
        min_size=min_size,
        max_size=int(pool.get("max_size", max(1, 2 * min_size))),
        disk_gib=int(pool.get("disk_gib", 50)),
        max_unavailable=int(pool.get("max_unavailable", 1)),
        repair=pool.get("enable_repair", True),
    )


def _taint(taint: NodeTaintArgs) -> TaintPlan:
    return TaintPlan(key=taint["key"], value=taint.get("value", ""), effect=TaintEffect(taint["effect"]))
