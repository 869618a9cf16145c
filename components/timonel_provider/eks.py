"""Leaving an EKS cluster."""

import pulumi

from components.timonel_provider.base import AwsAccessArgs, access_inputs


class EksTeardown(pulumi.CustomResource):
    """Cleans up, when it is deleted, what controllers in an EKS cluster made outside of Pulumi's sight.

    Load balancers of Services, Ingresses and Gateways, volumes of claims, network interfaces and security groups: these
    block the deletion of the VPC or go on costing money. Let it depend on the whole cluster: then ``destroy`` deletes
    it first, while the controllers still run.
    """

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        cluster_name: pulumi.Input[str],
        vpc_id: pulumi.Input[str],
        volumes: str = "delete",
        timeout_seconds: int = 900,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            cluster_name: name of the cluster in AWS. A change replaces the resource, which cleans up the old one.
            vpc_id: the cluster's VPC.
            volumes: ``delete``, ``retain`` or ``fail``; what to do about volumes of claims.
            timeout_seconds: seconds for the controllers' own clean-up. Default 900.
            opts: resource options.
        """
        super().__init__(
            "timonel:index:EksTeardown",
            name,
            {
                **access_inputs(access),
                "clusterName": cluster_name,
                "vpcId": vpc_id,
                "volumes": volumes,
                "timeoutSeconds": timeout_seconds,
            },
            opts,
        )


class EksSweep(pulumi.CustomResource):
    """Removes, when it is deleted, what is left in the VPC after an EKS cluster, and its log group if EKS revived it.

    Network interfaces and security groups can go only when nodes and cluster are gone, and must go before the subnets.
    Make it first, of nothing but the network, and let the log group and the cluster depend on it: then ``destroy``
    deletes it between them and the network. It fails with names when something stays.
    """

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        cluster_name: pulumi.Input[str],
        vpc_id: pulumi.Input[str],
        timeout_seconds: int = 600,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            cluster_name: name of the cluster in AWS. A change replaces the resource, which sweeps for the old one.
            vpc_id: the cluster's VPC.
            timeout_seconds: seconds that AWS has to let go of what it still holds. Default 600.
            opts: resource options.
        """
        super().__init__(
            "timonel:index:EksSweep",
            name,
            {
                **access_inputs(access),
                "clusterName": cluster_name,
                "vpcId": vpc_id,
                "timeoutSeconds": timeout_seconds,
            },
            opts,
        )
