"""One interface for each node, with the VPC CNI's tags and never attached: what its CNI leaves when a node dies between
making and attaching one. So every cluster has something to sweep. Tags: amazon-vpc-cni-k8s, pkg/awsutils.
"""

from __future__ import annotations

import re

from sandbox.kubernetes.controllers.cluster import Cluster, specification

_PROVIDER_ID = re.compile(r"aws:///[^/]+/(i-[0-9a-z]+)")
INSTANCE_TAG = "node.k8s.amazonaws.com/instance_id"


def reconcile(cluster: Cluster) -> None:
    """Make those that lack."""
    ec2 = cluster.aws("ec2")
    filters = [{"Name": "vpc-id", "Values": [cluster.vpc]}]
    present = {
        tag["Value"]
        for interface in ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        for tag in interface.get("TagSet") or []
        if tag["Key"] == INSTANCE_TAG
    }
    for node in cluster.api.list("/api/v1/nodes"):
        match = _PROVIDER_ID.fullmatch(node["spec"].get("providerID") or "")
        if match is None or match.group(1) in present:
            continue
        tags = {
            INSTANCE_TAG: match.group(1),
            "cluster.k8s.amazonaws.com/name": cluster.name,
            "eks:eni:owner": "amazon-vpc-cni",
        }
        groups = {"Groups": [cluster.security_group]} if cluster.security_group else {}
        ec2.create_network_interface(
            SubnetId=cluster.subnets[0],
            Description=f"aws-K8S-{match.group(1)}",
            TagSpecifications=specification("network-interface", tags),
            **groups,
        )
