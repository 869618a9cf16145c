"""What a node's agent is told: ``/etc/timonel/agent.json``. Pure; the schema is ``node_agent/config.py``."""

from dataclasses import dataclass
from typing import Any

from components.swarm.addresses import DOCKER_BRIDGE, GWBRIDGE_POOL
from components.swarm.plan import PoolPlan, SwarmPlan

MTU = 1500
"""What the internet carries. The VPC's 9001 ends at NAT and internet gateways, and VXLAN takes 50 of it."""


@dataclass(frozen=True)
class NodeFacts:
    """What every node is told of what was made for it."""

    region: str
    bucket: str
    log_group: str
    workers_secret: str
    target_groups: list[str]


@dataclass(frozen=True)
class ManagerFacts:
    """What managers are told besides."""

    ca_secret: str
    managers_secret: str
    kms_key: str
    api_name: str


def manager(plan: SwarmPlan, node: NodeFacts, own: ManagerFacts) -> dict[str, Any]:
    """Configuration of every manager.

    The number of managers is not in it: a change of user data replaces instances, and a resize must not.
    """
    return {
        **_node("manager", "managers", node),
        "secrets": {"ca": own.ca_secret, "managers": own.managers_secret, "workers": node.workers_secret},
        "kms_key": own.kms_key,
        "api_names": [own.api_name],
        "address_pools": plan.address_pools,
        "address_pool_prefix": plan.address_pool_prefix,
        "autolock": plan.autolock,
        "snapshot_minutes": plan.snapshot_interval_minutes,
        "snapshot_keep": plan.snapshot_keep,
        "rotate_token_days": plan.token_rotation_days,
    }


def worker(pool: PoolPlan, node: NodeFacts) -> dict[str, Any]:
    """Configuration of the workers of a pool."""
    return {
        **_node("worker", pool.name, node),
        "secrets": {"workers": node.workers_secret},
        "labels": pool.labels,
    }


def _node(role: str, pool: str, node: NodeFacts) -> dict[str, Any]:
    return {
        "version": 1,
        "cluster": node.bucket,
        "platform": "swarm",
        "role": role,
        "pool": pool,
        "region": node.region,
        "bucket": node.bucket,
        "docker_bridge": DOCKER_BRIDGE,
        "gwbridge_pool": GWBRIDGE_POOL,
        "mtu": MTU,
        "log_group": node.log_group,
        "target_groups": node.target_groups,
    }
