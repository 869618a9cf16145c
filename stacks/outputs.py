"""What a stack gives to those who use it, grouped by who they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from components.network.component import Network
    from components.timonel_provider import AuthorityArgs


@dataclass(frozen=True)
class ClusterOutputs:
    """What a cluster of any kind gives."""

    resource: pulumi.Resource
    """The cluster's component."""
    addresses: Mapping[str, pulumi.Output[str]]
    """Where the orchestrator's API is, by output name."""
    credentials: Mapping[str, pulumi.Output[str]]
    """What an operator's client needs, by output name; all secret."""
    nodes_security_group_id: pulumi.Output[str]
    """Security group that every node is in."""
    services_dns: pulumi.Output[str] | None
    """Name of the load balancer for published services; None when nothing is published."""
    watched: "Watched | None"
    """What monitoring needs to know of it; None for a cluster that cannot be watched yet."""
    inside: Sequence[pulumi.Resource] = ()
    """What Timonel puts into the cluster, and the providers for it."""


@dataclass(frozen=True)
class Watched:
    """What monitoring needs to know of a cluster of any kind."""

    provider_args: Mapping[str, pulumi.Input[str]]
    """Secret. Of the docker or kubernetes provider."""
    lifeline: pulumi.Resource
    """With it goes all that is in the cluster."""
    address: pulumi.Output[str]
    """Name under which operators reach the managers."""
    authority: "AuthorityArgs"
    """Signs the certificates of what operators reach."""
    client_expires: pulumi.Output[str]
    """End of the operator's client certificate, RFC 3339."""


@dataclass(frozen=True)
class MonitoringOutputs:
    """What monitoring of any kind gives."""

    resources: Sequence[pulumi.Resource] = ()
    """Its components."""
    addresses: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """Where it is, and who logs in, by output name."""
    credentials: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """By output name; all secret."""


@dataclass(frozen=True)
class Outputs:
    """The whole stack's outputs."""

    network: "Network"
    cluster: ClusterOutputs
    monitoring: MonitoringOutputs

    def named(self) -> dict[str, pulumi.Input[object]]:
        """Outputs by the name that ``pulumi stack output`` knows."""
        return {**self._for_operators(), **self._for_other_stacks(), **self._for_services()}

    def _for_operators(self) -> dict[str, pulumi.Input[object]]:
        """A Docker or Kubernetes client on somebody's own machine."""
        secret = {**self.cluster.credentials, **self.monitoring.credentials}
        return {
            **self.cluster.addresses,
            **self.monitoring.addresses,
            **{name: _secret(value) for name, value in secret.items()},
        }

    def _for_other_stacks(self) -> dict[str, pulumi.Input[object]]:
        """Stacks that put something beside the cluster, found by ``pulumi.StackReference``."""
        return {
            "vpcId": self.network.vpc_id,
            "privateSubnetIds": self.network.private_subnet_ids,
            "publicSubnetIds": self.network.public_subnet_ids,
            "nodesSecurityGroupId": self.cluster.nodes_security_group_id,
        }

    def _for_services(self) -> dict[str, pulumi.Input[object]]:
        """Whoever points a name at what the cluster's services publish."""
        return {} if self.cluster.services_dns is None else {"servicesDns": self.cluster.services_dns}


def export(outputs: Outputs) -> None:
    """Make them the stack's outputs."""
    for name, value in outputs.named().items():
        pulumi.export(name, value)


def _secret(value: pulumi.Output[str]) -> pulumi.Output[str]:
    """Encrypted in the state and hidden in print, whatever its component said."""
    return pulumi.Output.secret(value)
