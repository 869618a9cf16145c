"""Network under the real engine: it comes up, stays the same, changes in place, and goes without a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.state import CHECKOUT
from tests.sandbox.rig import Sandbox, Stack, Update
from tests.sandbox.shapes import existing_vpc

pytestmark = pytest.mark.sandbox

PROGRAM = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
import pulumi
from components.network.component import Network

network = Network("net", pulumi.Config().require_object("network"))
pulumi.export("private", network.private_subnet_ids)
pulumi.export("zones", network.zones)
pulumi.export("egress", network.has_internet_egress)
"""

Make = Callable[..., Stack]


def with_args(stack: Stack, **network: Any) -> Stack:
    project = stack.folder.joinpath("Pulumi.yaml").read_text().split()[1]
    import yaml

    config = {"aws:region": "us-east-1", f"{project}:network": network}
    stack.folder.joinpath(f"Pulumi.{stack.name}.yaml").write_text(yaml.safe_dump({"config": config}))
    return stack


def touched(update: Update) -> set[tuple[str, str]]:
    return {(step["op"], step["urn"].rsplit(":", 1)[-1]) for step in update.steps}


def operations(update: Update) -> set[tuple[str, str]]:
    return {(step["op"], step["type"].rsplit(":", 1)[-1]) for step in update.steps}


def test_a_network_lives_through_every_change_without_moving_a_subnet(account: Sandbox, project: Make) -> None:
    stack = with_args(project(PROGRAM, {"aws:region": "us-east-1"}), zone_count=2, nat="none")
    stack.up().ok()
    stack.preview("--expect-no-changes").ok()
    subnets = stack.outputs()["private"]
    assert stack.outputs()["zones"] == ["us-east-1a", "us-east-1b"]

    single = with_args(stack, zone_count=2, nat="single").up().ok()
    assert operations(single) == {("create", "Eip"), ("create", "NatGateway"), ("create", "Route")}

    per_zone = with_args(stack, zone_count=2, nat="per-zone").up().ok()
    assert operations(per_zone) == {("create", "Eip"), ("create", "NatGateway"), ("update", "Route")}

    three = with_args(stack, zone_count=3, nat="per-zone").up().ok()
    assert {op for op, _ in operations(three)} == {"create", "update"}, "a zone more replaces nothing"
    assert {kind for op, kind in operations(three) if op == "update"} == {"VpcEndpoint"}
    assert stack.outputs()["private"][:2] == subnets, "the subnets that were there are there"

    back = with_args(stack, zone_count=3, nat="single").up().ok()
    assert ("update", "Route") in operations(back)
    assert not any(op == "replace" for op, _ in operations(back))
    stack.preview("--expect-no-changes").ok()

    stack.destroy().ok()
    ec2 = account.client("ec2")
    assert [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []
    assert ec2.describe_addresses()["Addresses"] == []


def test_endpoints_and_flow_logs_come_and_go(account: Sandbox, project: Make) -> None:
    closed = {"nat": "none", "enable_public_subnets": False}
    stack = with_args(project(PROGRAM, {}), **closed, interface_endpoints=["ssm", "ec2"], enable_flow_logs=True)
    stack.up().ok()
    stack.preview("--expect-no-changes").ok()
    assert stack.outputs()["egress"] is False
    without = with_args(stack, **closed).up().ok()
    assert {op for op, _ in operations(without)} == {"delete"}
    stack.destroy().ok()
    assert account.client("logs").describe_log_groups()["logGroups"] == []


def test_a_rule_made_by_hand_in_the_default_group_is_taken_out_again(account: Sandbox, project: Make) -> None:
    stack = with_args(project(PROGRAM, {}), zone_count=1, nat="none")
    stack.up().ok()
    ec2 = account.client("ec2")
    [group] = stack.resources("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    ec2.authorize_security_group_ingress(
        GroupId=group["id"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    assert stack.refresh().ok().changed == {"update": 1}
    stack.up().ok()
    [seen] = ec2.describe_security_groups(GroupIds=[group["id"]])["SecurityGroups"]
    assert seen["IpPermissions"] == []
    assert seen["IpPermissionsEgress"] == []
    stack.destroy().ok()


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"zone_names": ["us-east-1a", "us-east-1z"]}, ["zone_names[1]", "us-east-1z", "us-east-1b"]),
        ({"interface_endpoints": ["sssm"]}, ["interface_endpoints", "sssm"]),
        (
            {"existing": {"vpc_id": "vpc-0123456789abcdef0", "private_subnet_ids": ["subnet-0123456789abcdef0"]}},
            ["existing.vpc_id", "vpc-0123456789abcdef0"],
        ),
    ],
)
def test_what_aws_does_not_have_is_said_at_preview(project: Make, network: dict[str, Any], words: list[str]) -> None:
    said = with_args(project(PROGRAM, {}), **network).pulumi("preview", "-s", "test").failed().text
    for word in [*words, "must"]:
        assert word in said, said
    assert "Traceback" not in said, said


def test_an_existing_vpc_is_looked_up(account: Sandbox, project: Make) -> None:
    given = existing_vpc(account)
    args = {"vpc_id": given["vpcId"], "private_subnet_ids": given["privateSubnetIds"]}
    stack = with_args(project(PROGRAM, {}), existing=args)
    up = stack.up().ok()
    assert {step["type"] for step in up.steps} <= {"pulumi:pulumi:Stack", "timonel:index:Network"}
    assert stack.outputs() == {
        "private": given["privateSubnetIds"],
        "zones": ["us-east-1a", "us-east-1b"],
        "egress": True,
    }
    stack.destroy().ok()
