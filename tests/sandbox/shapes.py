"""The shapes that the dev stack can be given, each one change away from Pulumi.dev.yaml without its monitoring."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from sandbox.state import CHECKOUT
from tests.sandbox.rig import Sandbox

DEV: dict[str, Any] = yaml.safe_load(CHECKOUT.joinpath("Pulumi.dev.yaml").read_text())["config"]
# These tests run on the API half of the sandbox: nothing boots, a gate would wait in vain, and no Docker API is there.
DEV["timonel:cluster"]["readiness"] = {"enabled": False}
del DEV["timonel:monitoring"]


PREINSTALLED_IMAGE: dict[str, Any] = {"id": "ami-0717e0e1a3d640001", "preinstalled": True}
"""An image of sandbox/images.yaml with Docker and boto3 in it."""


def closed_network() -> dict[str, Any]:
    """A network without a way out, with the interface endpoints that the cluster's golden list names."""
    golden = CHECKOUT.joinpath("tests/golden/policies/interface_endpoints.txt").read_text()
    return {"nat": "none", "interfaceEndpoints": golden.split()}


def dev(**changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The dev stack's config with some of its keys changed: ``dev(network={"nat": "none"})``.

    A mapping is merged into what stands there; lists and plain values replace it.
    """
    config = copy.deepcopy(DEV)
    for key, change in changes.items():
        name = f"timonel:{key}"
        config[name] = _merged(config.get(name, {}), change) if isinstance(change, Mapping) else change
    return config


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged


def existing_vpc(sandbox: Sandbox) -> dict[str, Any]:
    """A VPC that somebody made by hand, as the ``existing`` setting wants it: two zones, NAT, DNS, an S3 endpoint."""
    ec2 = sandbox.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    zones = [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]][:2]

    def subnets(first: int) -> list[str]:
        return [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.60.{first + i}.0/24", AvailabilityZone=zone)["Subnet"][
                "SubnetId"
            ]
            for i, zone in enumerate(zones)
        ]

    public, private = subnets(0), subnets(10)
    nat = ec2.create_nat_gateway(SubnetId=public[0], AllocationId=ec2.allocate_address()["AllocationId"])
    tables = []
    for ids, target in (
        (public, {"GatewayId": gateway}),
        (private, {"NatGatewayId": nat["NatGateway"]["NatGatewayId"]}),
    ):
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
        for subnet in ids:
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        tables.append(table)
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway", RouteTableIds=tables
    )
    return {"vpcId": vpc, "privateSubnetIds": private, "publicSubnetIds": public}
