"""Every AWS action that a node calls: the truth that the roles' policies are held against by a test.

``resource`` names a kind, which the component turns into ARNs:

====================  =====================================================================
``*``                 AWS has no resource-level permission for the action
``bucket``            the state bucket itself
``bucket/<prefix>``   objects of the state bucket
``key``               the managers' KMS key
``secret:<name>``     one of the secrets ``ca``, ``managers``, ``workers``
``group:<role>``      Auto Scaling groups with the tags ``timonel:cluster`` and ``timonel:role``
``instance``          instances with the tag ``timonel:cluster``
``target-group``      the target groups of the services
``log-group``         the cluster's log group and its streams
``repository``        ECR repositories of the account and region
====================  =====================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

MANAGER = frozenset({"manager"})
WORKER = frozenset({"worker"})
NODE = MANAGER | WORKER


@dataclass(frozen=True)
class Permission:
    """One action on one kind of resource."""

    action: str
    """IAM action, ``service:Operation``."""
    resource: str
    """Kind of resource, see the module's table."""
    roles: frozenset[str]
    """Which instance roles hold it."""
    why: str
    """What breaks without it."""
    prefix: str | None = None
    """``s3:prefix`` that a ListBucket is limited to."""
    break_glass: bool = False
    """Used by a human's command only, never by the agent's loop."""
    caller: str = "agent"
    """``agent``, ``user-data`` or ``dockerd``: who makes the call."""


PERMISSIONS: tuple[Permission, ...] = (
    # State
    Permission("s3:GetObject", "bucket/artefacts/*", NODE, "user data fetches the agent", caller="user-data"),
    Permission("s3:ListBucket", "bucket", MANAGER, "list ledger and snapshots; an absent record answers 404, not 403"),
    Permission("s3:ListBucket", "bucket", WORKER, "see the closing mark", prefix="closing"),
    Permission("s3:GetObject", "bucket/managers/*", MANAGER, "record, steward, ledger, snapshots"),
    Permission("s3:PutObject", "bucket/managers/*", MANAGER, "record, steward, ledger, snapshots, status"),
    Permission("s3:DeleteObject", "bucket/managers/*", MANAGER, "ledger entries of removed members, old snapshots"),
    Permission("kms:Decrypt", "key", MANAGER, "managers/* and the managers' secrets"),
    Permission("kms:GenerateDataKey", "key", MANAGER, "managers/* and the managers' secrets"),
    # Secrets
    Permission("secretsmanager:GetSecretValue", "secret:ca", MANAGER, "sign the Docker API's server certificate"),
    Permission("secretsmanager:GetSecretValue", "secret:managers", MANAGER, "join as a manager, unlock"),
    Permission("secretsmanager:PutSecretValue", "secret:managers", MANAGER, "publish the manager token"),
    Permission("secretsmanager:GetSecretValue", "secret:workers", NODE, "join as a worker; compare what is published"),
    Permission("secretsmanager:PutSecretValue", "secret:workers", MANAGER, "publish the worker token and addresses"),
    # Machines
    Permission("ec2:DescribeInstances", "*", MANAGER, "is a member gone?"),
    Permission("ec2:TerminateInstances", "instance", MANAGER, "timonel-node recover --fence", break_glass=True),
    Permission("autoscaling:DescribeAutoScalingGroups", "*", MANAGER, "wanted size, instances that are leaving"),
    Permission("autoscaling:SetInstanceHealth", "group:manager", MANAGER, "replace a manager unreachable for 10 min"),
    Permission("autoscaling:SetInstanceProtection", "group:manager", MANAGER, "let one manager go on a smaller size"),
    Permission("autoscaling:CompleteLifecycleAction", "group:manager", MANAGER, "joined, or left"),
    Permission("autoscaling:CompleteLifecycleAction", "group:worker", WORKER, "joined, or drained"),
    Permission("autoscaling:RecordLifecycleActionHeartbeat", "group:manager", MANAGER, "wait for a replacement"),
    Permission("autoscaling:RecordLifecycleActionHeartbeat", "group:worker", WORKER, "wait for the drain"),
    Permission(
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        "group:worker",
        WORKER,
        "spot notice: the group sees the worker leave, and the steward drains it",
    ),
    Permission("elasticloadbalancing:DeregisterTargets", "target-group", WORKER, "no new connections before the drain"),
    Permission("elasticloadbalancing:DescribeTargetHealth", "*", NODE, "connections have drained"),
    # Images and logs
    Permission("ecr:GetAuthorizationToken", "*", NODE, "log in to ECR; refreshed every 6 hours"),
    Permission("ecr:BatchGetImage", "repository", NODE, "pull", caller="dockerd"),
    Permission("ecr:GetDownloadUrlForLayer", "repository", NODE, "pull", caller="dockerd"),
    Permission("ecr:BatchCheckLayerAvailability", "repository", NODE, "pull", caller="dockerd"),
    Permission("logs:CreateLogStream", "log-group", NODE, "containers' logs (awslogs)", caller="dockerd"),
    Permission("logs:PutLogEvents", "log-group", NODE, "containers' logs (awslogs)", caller="dockerd"),
)


def for_role(role: str) -> tuple[Permission, ...]:
    """The permissions of ``manager`` or ``worker``, in declaration order."""
    return tuple(permission for permission in PERMISSIONS if role in permission.roles)
