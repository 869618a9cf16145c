"""What Swarm and self-managed Kubernetes say about their instances."""

from enum import StrEnum
from typing import NotRequired, TypedDict

import pulumi


class Architecture(StrEnum):
    """CPU architecture, in Docker's and Go's spelling."""

    AMD64 = "amd64"
    ARM64 = "arm64"


class Purchase(StrEnum):
    """How a worker pool's instances are bought."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    MIXED = "mixed"


class ImageArgs(TypedDict):
    """The machine image."""

    architecture: NotRequired[Architecture]
    """Default ``amd64``. Must fit every instance type."""
    id: NotRequired[str]
    """AMI id. Default: the Ubuntu 24.04 LTS image pinned for region and architecture in ``components/versions``."""
    preinstalled: NotRequired[bool]
    """The image already holds what user data would install (Docker, boto3). Default false. Needs ``id``."""


class WorkerPoolArgs(TypedDict):
    """A group of workers that are alike."""

    name: str
    """Required. Unique among the pools; lower-case letters, digits and hyphens."""
    instance_types: NotRequired[list[str]]
    """Default ``["t3.small"]`` (``["t4g.small"]`` on arm64). More than one needs ``spot`` or ``mixed``."""
    min_size: NotRequired[int]
    """Fewest instances. Default 1. The size in between belongs to AWS (scaling policies, operators)."""
    max_size: NotRequired[int]
    """Most instances. Default: twice ``min_size``, at least 1."""
    purchase: NotRequired[Purchase]
    """Default ``on-demand``."""
    on_demand_base: NotRequired[int]
    """With ``mixed``: how many instances are on-demand before spot is used. Default 1."""
    disk_gib: NotRequired[int]
    """Root volume, GiB, gp3, encrypted. Default 20."""
    target_cpu_percent: NotRequired[int]
    """Scale to keep the pool's average CPU here (target tracking). Default: no scaling policy."""
    labels: NotRequired[dict[str, str]]
    """Labels that the orchestrator gives the nodes. Default: none."""


class HostGroupArgs(TypedDict):
    """Arguments of HostGroup."""

    min_size: int
    """Required. Fewest instances; the first launch makes as many."""
    max_size: int
    """Required. Most instances. Equal to ``min_size`` fixes the size; otherwise the size in between belongs to AWS."""
    instance_types: list[str]
    """Required. The first that AWS can give; more than one needs ``purchase`` spot or mixed."""
    image_id: str
    """Required. AMI id."""
    root_device_name: str
    """Required. The image's root device (``/dev/sda1``), so that the disk settings meet the right volume."""
    disk_gib: int
    """Required. Root volume, GiB, gp3, encrypted."""
    subnet_ids: pulumi.Input[list[pulumi.Input[str]]]
    """Required. Subnets that instances are spread over, one per zone."""
    security_group_ids: pulumi.Input[list[pulumi.Input[str]]]
    """Required. Security groups of the instances."""
    instance_profile_arn: pulumi.Input[str]
    """Required. Instance profile; let it depend on the role's policies."""
    user_data: pulumi.Input[str]
    """Required. Script, not base64. A change replaces the instances by an instance refresh."""
    tags: dict[str, pulumi.Input[str]]
    """Required. Tags of template, group, instances, volumes and network interfaces, besides ``Name``."""
    target_group_arns: NotRequired[pulumi.Input[list[pulumi.Input[str]]]]
    """Target groups of load balancers that the instances are put into. Default: none."""
    purchase: NotRequired[Purchase]
    """Default ``on-demand``."""
    on_demand_base: NotRequired[int]
    """With ``mixed``: how many instances are on-demand before spot is used. Default 1."""
    metadata_hop_limit: NotRequired[int]
    """IMDS hop limit: 1 keeps containers away from the instance's role. Default 1."""
    enable_quorum_care: NotRequired[bool]
    """For members of a quorum: no scale-in without the agent's consent, no rebalancing between zones, and a refresh
    that adds one instance before it takes one away. Default false."""
    target_cpu_percent: NotRequired[int]
    """Scale to keep the average CPU here (target tracking). Default: no scaling policy."""
