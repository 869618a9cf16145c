"""What the API's tests need of an account: a network, a profile, launch templates, groups; made by boto3."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tests.sandbox.rig import Sandbox

Value = TypeVar("Value")
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


def until(what: str, condition: Callable[[], Value], seconds: float = 60.0) -> Value:
    """Wait for something to be true and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return found


def tags(**content: str) -> list[dict[str, str]]:
    return [{"Key": k, "Value": v} for k, v in content.items()]


class Account:
    """A network of three zones with a launch template and a profile."""

    def __init__(self, aws: Sandbox) -> None:
        self.aws = aws
        self.ec2, self.asg, self.iam = (aws.client(s) for s in ("ec2", "autoscaling", "iam"))
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"us-east-1{zone}")[
                "Subnet"
            ]["SubnetId"]
            for i, zone in enumerate("abc")
        ]
        self.security_group = self.ec2.create_security_group(GroupName="n", Description="d", VpcId=self.vpc)["GroupId"]
        self.image = aws.client("ssm").get_parameter(Name=UBUNTU)["Parameter"]["Value"]
        trust = {"Version": "2012-10-17", "Statement": []}
        self.role = self.iam.create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        self.iam.create_instance_profile(InstanceProfileName="node")
        self.iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
        self.template = self.ec2.create_launch_template(
            LaunchTemplateName="t", LaunchTemplateData=self.template_data()
        )["LaunchTemplate"]["LaunchTemplateId"]

    def template_data(self, **more: Any) -> dict[str, Any]:
        return {
            "ImageId": self.image,
            "InstanceType": "t3.small",
            "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
            "IamInstanceProfile": {"Name": "node"},
            "SecurityGroupIds": [self.security_group],
            "MetadataOptions": {
                "HttpTokens": "required",
                "HttpPutResponseHopLimit": 2,
                "InstanceMetadataTags": "enabled",
            },
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True}}
            ],
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": tags(made=kind)} for kind in ("instance", "volume", "network-interface")
            ],
            **more,
        }

    def new_version(self, **more: Any) -> str:
        """Another version of the template, which is not its default."""
        made = self.ec2.create_launch_template_version(
            LaunchTemplateId=self.template, LaunchTemplateData=self.template_data(**more)
        )
        return str(made["LaunchTemplateVersion"]["VersionNumber"])

    def group(self, name: str = "g", size: int = 3, **more: Any) -> None:
        """A group over the three zones; minimum 0, maximum 9."""
        arguments = {
            "AutoScalingGroupName": name,
            "MinSize": 0,
            "MaxSize": 9,
            "DesiredCapacity": size,
            "LaunchTemplate": {"LaunchTemplateId": self.template, "Version": "1"},
            "VPCZoneIdentifier": ",".join(self.subnets),
            "HealthCheckGracePeriod": 0,
            "Tags": [{**tags(role="node")[0], "PropagateAtLaunch": True}],
        }
        self.asg.create_auto_scaling_group(**(arguments | more))

    def members(self, name: str = "g") -> list[dict[str, Any]]:
        groups = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return groups[0]["Instances"] if groups else []

    def states(self, name: str = "g") -> list[str]:
        return sorted(m["LifecycleState"] for m in self.members(name))

    def settled(self, count: int, name: str = "g") -> list[dict[str, Any]]:
        """The members once exactly `count` are there and in service."""
        until(f"{count} in service", lambda: self.states(name) == ["InService"] * count)
        return self.members(name)

    def hook(self, transition: str, name: str = "h", heartbeat: int = 300, result: str = "CONTINUE") -> None:
        self.asg.put_lifecycle_hook(
            AutoScalingGroupName="g",
            LifecycleHookName=name,
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
            HeartbeatTimeout=heartbeat,
            DefaultResult=result,
        )

    def instance(self, instance_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][
            0
        ]
        return found
