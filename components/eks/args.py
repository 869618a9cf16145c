"""Arguments of EksCluster and EksSystem. Structural inputs are plain, since they decide which resources exist."""

from enum import StrEnum
from typing import NotRequired, TypedDict

import pulumi

from components.hosts.args import Architecture
from components.network.args import ClusterNetworkArgs
from components.timonel_provider import AwsAccessArgs


class LogType(StrEnum):
    """Logs that the control plane can send to CloudWatch Logs."""

    API = "api"
    AUDIT = "audit"
    AUTHENTICATOR = "authenticator"
    CONTROLLER_MANAGER = "controllerManager"
    SCHEDULER = "scheduler"


class AmiFamily(StrEnum):
    """Operating system of a pool's nodes."""

    AL2023 = "al2023"
    """Amazon Linux 2023."""
    BOTTLEROCKET = "bottlerocket"
    """Bottlerocket: no shell, no package manager, read-only root."""


class Capacity(StrEnum):
    """How a pool's instances are bought. EKS has no mix of both in one node group."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class AccessPolicy(StrEnum):
    """What a principal may do. Source: Amazon EKS User Guide, "Review access policy permissions"."""

    CLUSTER_ADMIN = "cluster-admin"
    """Everything, as ``cluster-admin`` of Kubernetes."""
    ADMIN = "admin"
    """Most things in namespaces, access rules of these included."""
    EDIT = "edit"
    """Change most things in namespaces."""
    VIEW = "view"
    """Read most things, secrets not."""


class VolumePolicy(StrEnum):
    """What ``destroy`` does about volumes that were made for claims of pods."""

    DELETE = "delete"
    """Those whose reclaim policy is Delete go, others are kept and reported."""
    RETAIN = "retain"
    """All are kept and reported."""
    FAIL = "fail"
    """Refuse while there are any."""


class NodeTaintArgs(TypedDict):
    """A taint of every node of a pool."""

    key: str
    """Required."""
    value: NotRequired[str]
    """Default: empty."""
    effect: TaintEffect
    """Required."""


class NodePoolArgs(TypedDict):
    """A managed node group: nodes that are alike."""

    name: str
    """Required. Unique among the pools; lower-case letters, digits and hyphens."""
    instance_types: NotRequired[list[str]]
    """Default ``["t3.large"]`` (``["t4g.large"]`` on arm64). More than one needs ``spot``."""
    capacity: NotRequired[Capacity]
    """Default ``on-demand``."""
    architecture: NotRequired[Architecture]
    """Default ``amd64``. Must fit every instance type."""
    ami_family: NotRequired[AmiFamily]
    """Default ``al2023``. AWS's current image, as of when the pool is made or its version changes."""
    labels: NotRequired[dict[str, str]]
    """Labels of the nodes. Default: none."""
    taints: NotRequired[list[NodeTaintArgs]]
    """Taints of the nodes. Default: none."""
    min_size: NotRequired[int]
    """Fewest nodes, and how many a new pool starts with. Default 2. The size in between belongs to autoscalers and
    operators: ``up`` never changes it."""
    max_size: NotRequired[int]
    """Most nodes. Default: twice ``min_size``, at least 1."""
    disk_gib: NotRequired[int]
    """Volume for images and containers, GiB, gp3, encrypted. Default 50."""
    max_unavailable: NotRequired[int]
    """How many nodes an update takes at a time, each drained first. Default 1."""
    enable_repair: NotRequired[bool]
    """Let EKS replace nodes that stay unhealthy. Default true."""


class AccessEntryArgs(TypedDict):
    """A principal of IAM that may use the cluster's API, besides ``admins``."""

    name: str
    """Required. Unique among the entries; resources are named by it."""
    principal_arn: pulumi.Input[str]
    """Required. ARN of a role or user."""
    policy: NotRequired[AccessPolicy]
    """What it may do. Default: nothing but what RBAC gives ``kubernetes_groups``."""
    namespaces: NotRequired[list[str]]
    """Where the policy holds. Default: the whole cluster."""
    kubernetes_groups: NotRequired[list[str]]
    """Groups that it is in, for RBAC. Default: none."""


class PodIdentityArgs(TypedDict):
    """A service account whose pods get the credentials of a role (EKS Pod Identity)."""

    namespace: str
    """Required."""
    service_account: str
    """Required."""
    role_arn: pulumi.Input[str]
    """Required. The role trusts ``pods.eks.amazonaws.com`` for ``sts:AssumeRole`` and ``sts:TagSession``."""


class EksClusterArgs(TypedDict):
    """Arguments of EksCluster."""

    network: ClusterNetworkArgs
    """Required. At least two zones."""
    cluster_name: NotRequired[str]
    """Name in AWS, fixed since logs are kept under it. A change replaces the cluster. Default:
    ``<project>-<stack>-<name>``."""
    version: NotRequired[str]
    """Kubernetes version, for example ``1.35``. One minor version up at a time, never down. Default: the default of
    ``components/eks/versions.yaml``."""
    enable_extended_support: NotRequired[bool]
    """Stay on a version after its standard support, at six times the price of the control plane, instead of being
    upgraded by AWS. Default false."""
    support_warning_days: NotRequired[int]
    """Days before the end of standard support from which on ``preview`` warns. Default 60."""
    public_access_cidrs: NotRequired[list[str]]
    """Who may reach the API from the internet. Never ``0.0.0.0/0``. Default: none, only from the VPC."""
    log_types: NotRequired[list[LogType]]
    """Logs of the control plane. Default ``api``, ``audit``, ``authenticator``."""
    log_retention_days: NotRequired[int]
    """Days that CloudWatch Logs keeps them. Default 90."""
    service_cidr: NotRequired[str]
    """Range of the services' addresses, /12 to /24. Cannot be changed while the cluster stands: EKS would need
    another one, and refuses to delete one that has node groups. Default: ``172.20.0.0/16``, or
    ``10.100.0.0/16`` where the VPC meets that."""
    enable_secrets_key: NotRequired[bool]
    """Encrypt Kubernetes secrets under a KMS key of the account, not AWS's. AWS cannot take it back. Default true."""
    secrets_key_arn: NotRequired[pulumi.Input[str]]
    """That key. Default: one is made."""
    admins: NotRequired[list[str]]
    """ARNs of the roles and users that may do everything. Never empty. Default: the principal that deploys."""
    access_entries: NotRequired[list[AccessEntryArgs]]
    """Further principals. Default: none."""
    node_pools: NotRequired[list[NodePoolArgs]]
    """Default: one pool ``default``; none with ``enable_auto_mode``."""
    enable_auto_mode: NotRequired[bool]
    """EKS Auto Mode: AWS makes nodes as pods ask for them, and brings storage, load balancers and DNS itself, for a fee
    on each instance. Not with ``node_pools``, ``enable_ebs_csi``, a load balancer controller or autoscaler of ours.
    Default false."""
    enable_ebs_csi: NotRequired[bool]
    """The add-on that makes EBS volumes for claims. Default true; not with ``enable_auto_mode``, which has its own."""
    addon_versions: NotRequired[dict[str, str]]
    """Versions of add-ons in place of the pinned ones, by name. Default: those of ``components/eks/versions.yaml``."""
    pod_identities: NotRequired[list[PodIdentityArgs]]
    """Roles of service accounts. Default: none."""
    enable_zonal_shift: NotRequired[bool]
    """Let Amazon's Application Recovery Controller lead traffic away from a zone that fails. Default true."""
    enable_protection: NotRequired[bool]
    """Refuse to delete the cluster and its key, in Pulumi and in EKS. Default false."""
    access: NotRequired[AwsAccessArgs]
    """How the Kubernetes provider and Timonel's own reach AWS. Default: the current region and the usual credential
    chain."""
    tags: NotRequired[dict[str, str]]
    """Tags for every resource, instances and volumes included. Default: none."""


class EksSystemArgs(TypedDict):
    """Arguments of EksSystem."""

    cluster_name: str
    """Required. Name of the cluster in AWS."""
    vpc_id: pulumi.Input[str]
    """Required."""
    access: AwsAccessArgs
    """Required. How Timonel's own provider reaches AWS."""
    enable_auto_mode: NotRequired[bool]
    """Whether the cluster is in Auto Mode, which has a driver for volumes of its own. Default false."""
    enable_storage_class: NotRequired[bool]
    """Make the default StorageClass ``gp3``, encrypted. Default true."""
    volumes: NotRequired[VolumePolicy]
    """What ``destroy`` does about volumes of claims. Default ``delete``."""
    teardown_timeout_seconds: NotRequired[int]
    """Seconds that ``destroy`` gives controllers to remove what they made, before it removes that itself. Default
    900."""
