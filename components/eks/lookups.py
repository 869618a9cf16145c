"""What only AWS can say about a plan, asked without making a resource."""

import pulumi
import pulumi_aws as aws

from components.eks.plan import EksPlan
from components.hosts import images


def check_instance_types(plan: EksPlan, region: str, opts: pulumi.InvokeOptions) -> None:
    """Ask AWS whether every instance type runs its pool's architecture.

    Raises:
        InputError: one does not, or AWS does not know it.
    """
    for index, pool in enumerate(plan.pools):
        path = f"node_pools[{index}]"
        types = {f"{path}.instance_types[{place}]": each for place, each in enumerate(pool.instance_types)}
        images.check_instance_types(types, pool.architecture, region, opts, asked_by=f"{path}.architecture")


def running_version(cluster_name: str, opts: pulumi.InvokeOptions) -> str | None:
    """The Kubernetes version of the cluster that exists; None when there is none.

    The list is asked first: ``get_cluster`` of a cluster that is not there fails, as it does without permission.
    """
    if cluster_name not in aws.eks.get_clusters(opts=opts).names:
        return None
    return aws.eks.get_cluster(name=cluster_name, opts=opts).version


def deployer(opts: pulumi.InvokeOptions) -> str:
    """ARN of the role or user that runs the program: an access entry is not for a session, but for its role.

    The role's own ARN is asked for, since a session's leaves out the role's path.
    """
    caller = aws.get_caller_identity(opts=opts).arn
    if ":assumed-role/" not in caller:
        return caller
    return aws.iam.get_session_context(arn=caller, opts=opts).issuer_arn
