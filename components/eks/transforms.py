"""What is changed of the resources that pulumi_eks makes, where it has no argument for it."""

from collections.abc import Mapping
from typing import Any

import pulumi

CLUSTER = "aws:eks/cluster:Cluster"


def control_plane(*, zonal_shift: bool, keep_version: bool) -> pulumi.ResourceTransform:
    """A transform of the cluster's own resource; every other is left as it is.

    Args:
        zonal_shift: whether traffic may be led away from a zone.
        keep_version: leave the running version alone, whatever the arguments say.
    """

    def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ != CLUSTER:
            return None
        opts = args.opts
        if keep_version:
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["version"]))
        return pulumi.ResourceTransformResult(props=settle(args.props, zonal_shift=zonal_shift), opts=opts)

    return transform


def settle(props: Mapping[str, Any], *, zonal_shift: bool) -> dict[str, Any]:
    """The cluster's inputs with what pulumi_eks hard-codes or leaves out.

    It makes the creator an admin by a switch that no later ``up`` can see or take back, beside which an access entry
    for the same principal is refused (pulumi-eks#2373); and it has no argument for zonal shift.
    """
    access = {**props.get("accessConfig", {}), "bootstrapClusterCreatorAdminPermissions": False}
    return {**props, "accessConfig": access, "zonalShiftConfig": {"enabled": zonal_shift}}
