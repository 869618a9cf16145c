"""Arguments of SwarmCluster. Structural inputs are plain, since they decide which resources exist."""

from typing import NotRequired, TypedDict

from components.hosts.args import ImageArgs, WorkerPoolArgs
from components.network.args import ClusterNetworkArgs
from components.timonel_provider import AwsAccessArgs


class ManagersArgs(TypedDict):
    """The managers: on-demand always, spread over the zones."""

    count: NotRequired[int]
    """1, 3, 5 or 7. Default 3."""
    instance_type: NotRequired[str]
    """Default ``t3.small`` (``t4g.small`` on arm64)."""
    disk_gib: NotRequired[int]
    """Root volume, GiB, gp3, encrypted. Default 20."""


class PublishedPortArgs(TypedDict):
    """A service port that the load balancer for services listens on."""

    port: int
    """Required. Listener port, 1 to 65535."""
    target_port: NotRequired[int]
    """Port on the workers. Default: ``port``."""
    cidrs: list[str]
    """Required. Who may reach it. ``0.0.0.0/0`` is allowed here, since it is asked for by name."""


class ReadinessArgs(TypedDict):
    """The readiness gate: ``up`` ends only when the nodes are healthy."""

    enabled: NotRequired[bool]
    """Whether there is a gate. Default true. False where nothing boots, as in the API half of the sandbox."""
    timeout_seconds: NotRequired[int]
    """Seconds until ``up`` fails with the reason. Default 1800."""
    consecutive: NotRequired[int]
    """Looks in a row that must find everything healthy. Default 3."""


class SwarmClusterArgs(TypedDict):
    """Arguments of SwarmCluster."""

    network: ClusterNetworkArgs
    """Required."""
    managers: NotRequired[ManagersArgs]
    """Default: three ``t3.small``."""
    worker_pools: NotRequired[list[WorkerPoolArgs]]
    """Default: none; managers then run the services too."""
    image: NotRequired[ImageArgs]
    """Default: the pinned Ubuntu 24.04 LTS for amd64."""
    operator_cidrs: NotRequired[list[str]]
    """Who may reach the Docker API (mutual TLS). Default: none, only the VPC. Never ``0.0.0.0/0`` or ``::/0``."""
    address_pools: NotRequired[list[str]]
    """Ranges that overlay networks are cut from (``--default-addr-pool``). Default: chosen beside the VPC, docker0
    and docker_gwbridge."""
    address_pool_prefix: NotRequired[int]
    """Prefix length of one overlay network. Default 24."""
    enable_overlay_encryption: NotRequired[bool]
    """Open ESP (IP protocol 50) among the nodes, for overlays made with ``--opt encrypted``. Default false."""
    enable_autolock: NotRequired[bool]
    """Encrypt the raft log's key at rest (``docker swarm init --autolock``). Default false."""
    published_ports: NotRequired[list[PublishedPortArgs]]
    """Ports of services that the outside may reach. Default: none, and no load balancer for services."""
    operator_ports: NotRequired[list[int]]
    """TCP ports of services on the managers (host-mode) that operators reach through the Docker API's load balancer:
    the same ``operator_cidrs``, the same name. A service there brings its own TLS and password. Default: none."""
    node_ports: NotRequired[list[int]]
    """TCP ports that nodes reach on each other, besides Swarm's own: what a scraper reads. Default: none."""
    metadata_hop_limit: NotRequired[int]
    """IMDS hop limit: 1 keeps containers away from the instance's role, 2 lets them in. Default 1."""
    snapshot_interval_minutes: NotRequired[int]
    """Minutes between raft snapshots. Default 15."""
    snapshot_keep: NotRequired[int]
    """How many snapshots to keep. Default 48."""
    token_rotation_days: NotRequired[int]
    """Days between rotations of the join tokens. Default 30."""
    log_retention_days: NotRequired[int]
    """Days that CloudWatch Logs keeps the nodes' and containers' logs. Default 14."""
    enable_protection: NotRequired[bool]
    """Refuse to delete what holds data (bucket, key) and the load balancers. Default false."""
    access: NotRequired[AwsAccessArgs]
    """How Timonel's own provider reaches AWS; it does not follow ``aws.Provider``. Default: the region of the current
    ``aws`` provider and the usual credential chain."""
    readiness: NotRequired[ReadinessArgs]
    """Default: a gate; ``up`` ends only when every node is healthy."""
    tags: NotRequired[dict[str, str]]
    """Tags for every resource, volumes and interfaces included. Default: none."""
