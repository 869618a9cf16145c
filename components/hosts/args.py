"""What Swarm and self-managed Kubernetes say about their instances."""

from enum import StrEnum
from typing import NotRequired, TypedDict


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
