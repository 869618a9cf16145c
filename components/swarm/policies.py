"""What managers, workers, the state bucket and the managers' key allow: pure functions, each with a golden file.

The node agent lists the actions that it calls in ``node_agent/permissions.py``; a test holds these policies against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from components import tags
from components.hosts.policies import (
    Place,
    Statement,
    allow,
    container_logs,
    document,
    image_pull,
    shell_access,
)


@dataclass(frozen=True)
class State:
    """The cluster's own resources that policies name."""

    bucket: str
    """Name of the state bucket, which is the cluster's id."""
    key_arn: str
    """The managers' KMS key."""
    ca_secret_arn: str
    """Certificate authority of the Docker API."""
    managers_secret_arn: str
    """Manager token."""
    workers_secret_arn: str
    """Worker token and manager addresses."""
    log_group_arn: str
    """Log group of the containers, without ``:*``."""


def _bucket_arn(place: Place, state: State) -> str:
    return f"arn:{place.partition}:s3:::{state.bucket}"


def _own(state: State, role: str) -> dict[str, dict[str, str | list[str]]]:
    """Only what carries this cluster's tag and the role's: two clusters in one account do not touch each other."""
    return {"StringEquals": {f"aws:ResourceTag/{tags.CLUSTER}": state.bucket, f"aws:ResourceTag/{tags.ROLE}": role}}


def _groups(place: Place) -> list[str]:
    return [place.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")]


def _shared(place: Place, state: State) -> list[Statement]:
    bucket = _bucket_arn(place, state)
    return [
        allow("ReadAgent", ["s3:GetObject"], [f"{bucket}/artefacts/*"]),
        *image_pull(place),
        container_logs(state.log_group_arn),
        shell_access(),
    ]


def _target_groups(arns: Sequence[str]) -> list[Statement]:
    if not arns:
        return []
    return [
        allow("LeaveTargetGroups", ["elasticloadbalancing:DeregisterTargets"], arns),
        allow("WatchTargetGroups", ["elasticloadbalancing:DescribeTargetHealth"], ["*"]),
    ]


def manager(place: Place, state: State, target_group_arns: Sequence[str] = ()) -> str:
    """Policy of the managers' role.

    Args:
        place: where ARNs point to.
        state: the cluster's own resources.
        target_group_arns: the services' target groups, when managers run the services.
    """
    bucket = _bucket_arn(place, state)
    services = [f"{service}.{place.region}.amazonaws.com" for service in ("s3", "secretsmanager")]
    return document(
        [
            *_shared(place, state),
            allow(
                "ManagersState",
                ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                [f"{bucket}/managers/*"],
            ),
            # Unconditional, so that a record that is absent is told from one that is out of reach (404, not 403).
            allow("ListState", ["s3:ListBucket"], [bucket]),
            allow(
                "ManagersKey",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [state.key_arn],
                {"StringEquals": {"kms:ViaService": services}},
            ),
            allow(
                "ReadSecrets",
                ["secretsmanager:GetSecretValue"],
                [state.ca_secret_arn, state.managers_secret_arn, state.workers_secret_arn],
            ),
            allow(
                "PublishTokens",
                ["secretsmanager:PutSecretValue"],
                [state.managers_secret_arn, state.workers_secret_arn],
            ),
            allow("SeeMembers", ["autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances"], ["*"]),
            allow(
                "SteerManagers",
                [
                    "autoscaling:CompleteLifecycleAction",
                    "autoscaling:RecordLifecycleActionHeartbeat",
                    "autoscaling:SetInstanceHealth",
                    "autoscaling:SetInstanceProtection",
                ],
                _groups(place),
                _own(state, "manager"),
            ),
            # Break-glass: `timonel-node recover --fence`, by a human.
            allow(
                "FenceManagers",
                ["ec2:TerminateInstances"],
                [place.arn("ec2", "instance/*")],
                _own(state, "manager"),
            ),
            *_target_groups(target_group_arns),
        ]
    )


def worker(place: Place, state: State, target_group_arns: Sequence[str] = ()) -> str:
    """Policy of the workers' role: nothing under ``managers/``, no key, no secret but the workers'."""
    return document(
        [
            *_shared(place, state),
            allow(
                "SeeClosingMark",
                ["s3:ListBucket"],
                [_bucket_arn(place, state)],
                {"StringEquals": {"s3:prefix": "closing"}},
            ),
            allow("ReadSecrets", ["secretsmanager:GetSecretValue"], [state.workers_secret_arn]),
            allow(
                "LeaveInOrder",
                [
                    "autoscaling:CompleteLifecycleAction",
                    "autoscaling:RecordLifecycleActionHeartbeat",
                    "autoscaling:TerminateInstanceInAutoScalingGroup",
                ],
                _groups(place),
                _own(state, "worker"),
            ),
            *_target_groups(target_group_arns),
        ]
    )


def state_bucket(place: Place, bucket: str, key_arn: str) -> str:
    """Policy of the state bucket: TLS only, and nothing under ``managers/`` in the clear or under another key."""
    arn = f"arn:{place.partition}:s3:::{bucket}"
    key_header = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    put = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"{arn}/managers/*"}
    return document(
        [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            # A put without a header gets the bucket's default, which is this key; only a header can say otherwise.
            {
                "Sid": "ManagersStateUnderManagersKey",
                **put,
                "Condition": {"Null": {key_header: "false"}, "StringNotEquals": {key_header: key_arn}},
            },
            {
                "Sid": "ManagersStateUnderKms",
                **put,
                "Condition": {
                    "Null": {"s3:x-amz-server-side-encryption": "false"},
                    "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
                },
            },
        ]
    )


def managers_key(place: Place, manager_role_arn: str) -> str:
    """Policy of the managers' key: the account administers it (and its IAM policies decide), managers use it."""
    return document(
        [
            {
                "Sid": "Account",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{place.partition}:iam::{place.account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "Managers",
                "Effect": "Allow",
                "Principal": {"AWS": manager_role_arn},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
            },
        ]
    )
