"""EksNodePool: a managed node group with a launch template of its own."""

from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components import tags
from components.eks.args import AmiFamily, Capacity, TaintEffect
from components.eks.plan import PoolPlan

_EFFECTS = {
    TaintEffect.NO_SCHEDULE: "NO_SCHEDULE",
    TaintEffect.PREFER_NO_SCHEDULE: "PREFER_NO_SCHEDULE",
    TaintEffect.NO_EXECUTE: "NO_EXECUTE",
}
_CAPACITIES = {Capacity.ON_DEMAND: "ON_DEMAND", Capacity.SPOT: "SPOT"}


class EksNodePoolArgs(TypedDict):
    """Arguments of EksNodePool."""

    cluster_name: str
    """Required."""
    version: str
    """Required. Kubernetes version of the nodes."""
    role_arn: pulumi.Input[str]
    """Required. Role of the nodes."""
    subnet_ids: pulumi.Input[list[pulumi.Input[str]]]
    """Required."""
    tags: dict[str, pulumi.Input[str]]
    """Required. Tags besides ``Name``."""


class EksNodePool(pulumi.ComponentResource):
    """Nodes that are alike, in all zones, in the cluster's own security group.

    The launch template sets what EKS would leave open: encrypted gp3 volumes, IMDSv2 with one hop (pods do not reach
    the node's role), tags of instances, volumes and interfaces. A change of it replaces the nodes one after another,
    each drained first. A change of instance types, capacity or image family makes a new group before the old one goes.
    """

    group_name: pulumi.Output[str]
    """Name of the node group."""

    def __init__(
        self, name: str, pool: PoolPlan, args: EksNodePoolArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make the pool.

        Args:
            name: logical name.
            pool: what the nodes are.
            args: see :class:`EksNodePoolArgs`.
            opts: resource options.
        """
        super().__init__("timonel:index:EksNodePool", name, {}, opts)
        pool_tags = {**args["tags"], tags.CLUSTER: args["cluster_name"], tags.POOL: pool.name}
        own_tags = tags.named(pool_tags, f"{args['cluster_name']}-{pool.name}")
        template = aws.ec2.LaunchTemplate(
            f"{name}-template",
            block_device_mappings=[
                {
                    "device_name": device,
                    "ebs": {
                        "volume_size": size,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
                for device, size in volumes(pool).items()
            ],
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            tag_specifications=[
                {"resource_type": each, "tags": own_tags} for each in ("instance", "volume", "network-interface")
            ],
            tags=own_tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        group = aws.eks.NodeGroup(
            name,
            cluster_name=args["cluster_name"],
            version=args["version"],
            node_role_arn=args["role_arn"],
            subnet_ids=args["subnet_ids"],
            instance_types=pool.instance_types,
            capacity_type=_CAPACITIES[pool.capacity],
            ami_type=pool.ami_type,
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            scaling_config={"min_size": pool.min_size, "max_size": pool.max_size, "desired_size": pool.min_size},
            update_config={"max_unavailable": pool.max_unavailable},
            node_repair_config={"enabled": pool.repair},
            labels={**pool.labels, "timonel/pool": pool.name},
            taints=[
                {"key": taint.key, "value": taint.value, "effect": _EFFECTS[taint.effect]} for taint in pool.taints
            ],
            tags=own_tags,
            # The size in between is the autoscaler's and the operators': `up` must not take their nodes away.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["scalingConfig.desiredSize"]),
        )
        self.group_name = group.node_group_name
        self.register_outputs({"group_name": self.group_name})


def volumes(pool: PoolPlan) -> dict[str, int]:
    """Size in GiB by device name. Bottlerocket keeps its system apart from images and containers.

    Source: Bottlerocket's documentation, "Default volumes": /dev/xvda for the system (2 GiB; 4 leaves room for
    updates), /dev/xvdb for data.
    """
    if pool.ami_family is AmiFamily.BOTTLEROCKET:
        return {"/dev/xvda": 4, "/dev/xvdb": pool.disk_gib}
    return {"/dev/xvda": pool.disk_gib}
