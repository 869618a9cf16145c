"""What a cluster puts into its VPC and its account: security group, interfaces, log group.

https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html: EKS makes the security group
eks-cluster-sg-<name>-<id>, whose members reach each other and everything outside.
https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html: two to four interfaces "Amazon EKS <name>",
managed by EKS, in the cluster's subnets. They go when the cluster goes.
https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html: the log group /aws/eks/<name>/cluster, made
anew whenever it is missing while logging is on. A last flush comes after the cluster's end, so a group that was
deleted with the cluster is there again.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

from sandbox.aws.eks import checks
from sandbox.aws.eks.model import Cluster, Region
from sandbox.aws.world import WORLD

DESCRIPTION = (
    "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any "
    "managed workloads."
)
_FLUSHES: list[tuple[float, str, str]] = []
"""(when, region, log group)."""


def make(region: Region, cluster: Cluster) -> None:
    """Make the cluster's security group and its interfaces."""
    config = cluster.content["resourcesVpcConfig"]
    backend: Any = checks.ec2(region.name)
    name = f"eks-cluster-sg-{cluster.name}-{uuid.uuid4().int % 10**10}"
    tags = {"Name": name, f"kubernetes.io/cluster/{cluster.name}": "owned", "aws:eks:cluster-name": cluster.name}
    group = backend.create_security_group(name, DESCRIPTION, config["vpcId"], tags)
    members = [{"GroupId": group.id, "UserId": DEFAULT_ACCOUNT_ID}]
    backend.authorize_security_group_ingress(group.id, "-1", None, None, [], source_groups=members)
    config["clusterSecurityGroupId"] = group.id
    attach(region, cluster)


def attach(region: Region, cluster: Cluster) -> None:
    """Put the control plane's interfaces into the subnets: one in each of up to four."""
    detach(region, cluster)
    config = cluster.content["resourcesVpcConfig"]
    backend: Any = checks.ec2(region.name)
    for subnet in config["subnetIds"][:4]:
        interface = backend.create_network_interface(
            backend.get_subnet(subnet),
            None,
            group_ids=[config["clusterSecurityGroupId"], *config["securityGroupIds"]],
            description=f"Amazon EKS {cluster.name}",
            tags={"cluster.k8s.amazonaws.com/name": cluster.name},
        )
        interface.requester_managed, interface.status = True, "in-use"
        cluster.private.setdefault("interfaces", []).append(interface.id)


def detach(region: Region, cluster: Cluster) -> None:
    """Take the interfaces away."""
    for interface in cluster.private.pop("interfaces", []):
        checks.ec2(region.name).enis.pop(interface, None)


def remove(region: Region, cluster: Cluster) -> None:
    """Take away what `make` made; a security group that something still names stays, as with AWS."""
    detach(region, cluster)
    backend = checks.ec2(region.name)
    group = cluster.content["resourcesVpcConfig"].get("clusterSecurityGroupId")
    try:
        backend.delete_security_group(group_id=group)
    except Exception as error:  # noqa: BLE001 - whatever keeps it, EKS leaves it behind and says nothing
        print(f"eks: {cluster.name}: {group} stays: {error}")
    if logging(cluster):
        _FLUSHES.append((time.monotonic() + 2 * WORLD.settings.transition, region.name, log_group(cluster)))


def log_group(cluster: Cluster) -> str:
    """The name of the control plane's log group."""
    return f"/aws/eks/{cluster.name}/cluster"


def logging(cluster: Cluster) -> bool:
    """Whether any of the control plane's logs is on."""
    return any(part["enabled"] and part["types"] for part in cluster.content["logging"]["clusterLogging"])


def write_logs(region: Region, cluster: Cluster) -> None:
    """Have the log group while logging is on."""
    if logging(cluster) and cluster.status != "CREATING":
        _ensure(region.name, log_group(cluster))


def flush() -> None:
    """The late deliveries of clusters that are gone."""
    for item in list(_FLUSHES):
        due, region, name = item
        if time.monotonic() >= due:
            _FLUSHES.remove(item)
            _ensure(region, name)


def reset() -> None:
    """Forget late deliveries."""
    _FLUSHES.clear()


def _ensure(region: str, name: str) -> None:
    backend = logs_backends[DEFAULT_ACCOUNT_ID][region]
    if name not in backend.groups:
        backend.create_log_group(name, {})
