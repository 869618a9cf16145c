"""IAM policy documents as pure functions, and the statements that nodes of every platform share."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Statement: TypeAlias = dict[str, Any]
Condition: TypeAlias = Mapping[str, Mapping[str, str | list[str]]]


@dataclass(frozen=True)
class Place:
    """Where ARNs point to."""

    partition: str
    """``aws``, ``aws-cn`` or ``aws-us-gov``."""
    region: str
    """AWS region."""
    account: str
    """Account id."""

    def arn(self, service: str, resource: str) -> str:
        """ARN of a regional resource of this account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def document(statements: Sequence[Statement]) -> str:
    """A policy document, as JSON text that is the same for the same statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)


def allow(sid: str, actions: Sequence[str], resources: Sequence[str], condition: Condition | None = None) -> Statement:
    """A statement that grants ``actions``."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": sorted(resources)}
    return {**statement, "Condition": condition} if condition else statement


def assume_role_by_ec2() -> str:
    """Trust policy: EC2 may hand the role to an instance."""
    return document([{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}])


def shell_access() -> Statement:
    """What SSM Session Manager needs, so that no node has a key pair or an open port 22.

    Source: AWS Systems Manager User Guide, "Add Session Manager permissions to an existing IAM role". It is less than
    the managed policy AmazonSSMManagedInstanceCore, which may also read every SSM parameter of the account.
    """
    return allow(
        "ShellAccess",
        [
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        ["*"],
    )


def image_pull(place: Place) -> list[Statement]:
    """Pull images from the account's ECR repositories."""
    return [
        allow("ImageLogin", ["ecr:GetAuthorizationToken"], ["*"]),
        allow(
            "ImagePull",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [place.arn("ecr", "repository/*")],
        ),
    ]


def container_logs(log_group_arn: str) -> Statement:
    """Write the containers' logs (Docker's awslogs driver)."""
    return allow("ContainerLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"])
