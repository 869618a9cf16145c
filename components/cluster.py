"""What a cluster of any kind shows to the rest of the program."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import pulumi


class Platform(StrEnum):
    """The orchestrator API that a cluster speaks."""

    SWARM = "swarm"
    KUBERNETES = "kubernetes"


class Cluster(Protocol):
    """The part of a cluster that monitoring and outputs may use; nothing reaches behind it."""

    @property
    def platform(self) -> Platform:
        """Which API the cluster speaks; decides which provider is made from ``provider_args``."""
        ...

    @property
    def endpoint(self) -> pulumi.Output[str]:
        """URL of the orchestrator's API: ``tcp://HOST:2376`` for Swarm, ``https://HOST:PORT`` for Kubernetes."""
        ...

    @property
    def nodes_security_group_id(self) -> pulumi.Output[str]:
        """Security group that every node is in."""
        ...

    @property
    def provider_args(self) -> Mapping[str, pulumi.Input[str]]:
        """Secret. Keyword arguments for the docker or kubernetes provider."""
        ...

    @property
    def lifeline(self) -> pulumi.Resource:
        """The resource whose deletion makes deletes inside the cluster pointless (``deleted_with``)."""
        ...
