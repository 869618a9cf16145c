"""The provider: constructs ``eks:index:Cluster``, refuses the rest by name."""

from typing import Any

import pulumi
from pulumi.provider.provider import CallResult, ConstructResult, Provider
from pulumi.runtime import rpc

from sandbox.providers.eks import aws
from sandbox.providers.eks.cluster import OUTPUTS, Cluster
from sandbox.providers.serve import ProviderError

CLUSTER = "eks:index:Cluster"


class EksProvider(Provider):
    """Pulumi's EKS provider, as far as its Cluster goes."""

    def __init__(self, version: str) -> None:
        """Report ``version``, and read resources of aws that programs pass in."""
        super().__init__(version)
        for module in aws.REFERENCES:
            rpc.register_resource_module("aws", module, aws.References())

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """Make the component and its children. Raises ProviderError for what the stand-in does not do."""
        if resource_type != CLUSTER:
            raise ProviderError(f"the stand-in for the EKS provider does not support {resource_type}; it has {CLUSTER}")
        cluster = Cluster(name, inputs, options)
        return ConstructResult(cluster.urn, {output: getattr(cluster, output) for output in OUTPUTS})

    def call(self, token: str, args: Any) -> CallResult:
        """Refuse methods."""
        raise ProviderError(f"the stand-in for the EKS provider does not support {token}")
