"""What the tests of EKS's API need: a network, roles, a cluster; made by boto3."""

from __future__ import annotations

import json
from typing import Any

from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.world import until

NAME = "c"


def trust(*services: str) -> str:
    actions = ["sts:AssumeRole", "sts:TagSession"]
    statement = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": actions}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class World:
    """A network of two zones, roles for cluster, nodes and pods."""

    def __init__(self, aws: Sandbox) -> None:
        self.aws = aws
        self.eks, self.ec2, self.iam = (aws.client(s) for s in ("eks", "ec2", "iam"))
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self.make_subnet(f"10.0.{i}.0/24", f"us-east-1{zone}") for i, zone in enumerate("ab")]
        self.role = self.make_role("cluster", "eks.amazonaws.com")
        self.node_role = self.make_role("node", "ec2.amazonaws.com")
        self.pod_role = self.make_role("pod", "pods.eks.amazonaws.com")

    def make_subnet(self, cidr: str, zone: str) -> str:
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone)
        return str(made["Subnet"]["SubnetId"])

    def make_role(self, name: str, *services: str, **more: Any) -> str:
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(*services), **more)
        return str(made["Role"]["Arn"])

    def arguments(self, **more: Any) -> dict[str, Any]:
        return {
            "name": NAME,
            "version": "1.34",
            "roleArn": self.role,
            "resourcesVpcConfig": {"subnetIds": self.subnets},
            "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            "bootstrapSelfManagedAddons": False,
            **more,
        }

    def cluster(self, **more: Any) -> dict[str, Any]:
        """A cluster once it is active."""
        arguments = self.arguments(**more)
        self.eks.create_cluster(**arguments)
        return self.active(arguments["name"])

    def describe(self, name: str = NAME) -> dict[str, Any]:
        found: dict[str, Any] = self.eks.describe_cluster(name=name)["cluster"]
        return found

    def active(self, name: str = NAME) -> dict[str, Any]:
        until("cluster active", lambda: self.describe(name)["status"] == "ACTIVE")
        return self.describe(name)

    def nodegroup(self, name: str = "n", **more: Any) -> dict[str, Any]:
        """A node group once it is active."""
        arguments = {"clusterName": NAME, "nodegroupName": name, "nodeRole": self.node_role, "subnets": self.subnets}
        arguments |= {"scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 2}}
        self.eks.create_nodegroup(**(arguments | more))
        until("node group active", lambda: self.describe_nodegroup(name)["status"] == "ACTIVE")
        return self.describe_nodegroup(name)

    def describe_nodegroup(self, name: str = "n") -> dict[str, Any]:
        found: dict[str, Any] = self.eks.describe_nodegroup(clusterName=NAME, nodegroupName=name)["nodegroup"]
        return found

    def updated(self, answer: dict[str, Any], **of: str) -> dict[str, Any]:
        """The update of an answer once it is over, with the cluster active again."""
        identifier = answer["update"]["id"]

        def over() -> bool:
            return self.update(identifier, **of)["status"] != "InProgress"

        until("update over", over)
        if not of:
            self.active()
        return self.update(identifier, **of)

    def update(self, identifier: str, **of: str) -> dict[str, Any]:
        found: dict[str, Any] = self.eks.describe_update(name=NAME, updateId=identifier, **of)["update"]
        return found

    def addon(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.eks.describe_addon(clusterName=NAME, addonName=name)["addon"]
        return found
