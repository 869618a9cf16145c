"""The cluster that the controllers work for: its API, its network, its clients of AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from sandbox.kubernetes.client import Client, Object


@dataclass
class Cluster:
    """Everything that a controller needs."""

    name: str
    region: str
    api: Client
    session: boto3.Session
    aws_endpoint: str
    vpc: str = ""
    subnets: list[str] = field(default_factory=list)
    security_group: str = ""
    """The cluster security group that EKS made; empty if it made none."""
    _clients: dict[str, Any] = field(default_factory=dict)

    def aws(self, service: str) -> Any:
        """A boto3 client for the sandbox's API."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, self.region, endpoint_url=self.aws_endpoint)
        return self._clients[service]

    def find_network(self) -> None:
        """Ask EKS for VPC, subnets and security group."""
        network = self.aws("eks").describe_cluster(name=self.name)["cluster"]["resourcesVpcConfig"]
        self.vpc, self.subnets = network["vpcId"], network["subnetIds"]
        self.security_group = network.get("clusterSecurityGroupId") or ""

    @property
    def owned(self) -> dict[str, str]:
        """The tag by which the cloud controller manager and the CSI driver know the cluster's own."""
        return {f"kubernetes.io/cluster/{self.name}": "owned"}

    def hold(self, path: str, thing: Object, finalizer: str) -> None:
        """Put a finalizer on, before anything is made in AWS."""
        present = finalizers(thing)
        if finalizer not in present:
            self.api.patch(path, {"metadata": {"finalizers": [*present, finalizer]}})

    def let_go(self, path: str, thing: Object, finalizer: str) -> None:
        """Take a finalizer off, after everything in AWS is gone."""
        present = finalizers(thing)
        if finalizer in present:
            self.api.patch(path, {"metadata": {"finalizers": [name for name in present if name != finalizer]}})


def finalizers(thing: Object) -> list[str]:
    """Those on an object."""
    return list(thing["metadata"].get("finalizers") or [])


def deleting(thing: Object) -> bool:
    """Whether it waits for its finalizers."""
    return "deletionTimestamp" in thing["metadata"]


def aws_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags in AWS's form."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specification(kind: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """EC2's TagSpecifications for one resource."""
    return [{"ResourceType": kind, "Tags": aws_tags(tags)}]
