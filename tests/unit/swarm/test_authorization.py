"""What the policies answer to real requests, by the sandbox's evaluator of Action, Resource and Condition."""

import json

import pytest

from components.swarm import policies
from sandbox.aws.policy import Decision, evaluate
from tests.unit.swarm.test_goldens import PLACE, STATE, TARGETS

MANAGER = json.loads(policies.manager(PLACE, STATE, TARGETS))
WORKER = json.loads(policies.worker(PLACE, STATE, TARGETS))
BUCKET_POLICY = json.loads(policies.state_bucket(PLACE, STATE.bucket, STATE.key_arn))

BUCKET = f"arn:aws:s3:::{STATE.bucket}"
OTHER_BUCKET = "arn:aws:s3:::other-state-bucket-7654321"
GROUP = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:uuid:autoScalingGroupName/g"
INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0"
LOG_STREAM = f"{STATE.log_group_arn}:log-stream:i-0"
COMPLETE, TERMINATE = "autoscaling:CompleteLifecycleAction", "autoscaling:TerminateInstanceInAutoScalingGroup"


def tagged(role: str, cluster: str = STATE.bucket) -> dict[str, list[str]]:
    return {"aws:ResourceTag/timonel:cluster": [cluster], "aws:ResourceTag/timonel:role": [role]}


def via(service: str) -> dict[str, list[str]]:
    return {"kms:ViaService": [f"{service}.us-east-1.amazonaws.com"]}


REQUESTS = [
    # (action, resource, context, manager may, worker may)
    ("s3:GetObject", f"{BUCKET}/artefacts/agent-1.pyz", {}, True, True),
    ("s3:PutObject", f"{BUCKET}/artefacts/agent-1.pyz", {}, False, False),
    ("s3:GetObject", f"{BUCKET}/managers/record.json", {}, True, False),
    ("s3:PutObject", f"{BUCKET}/managers/record.json", {}, True, False),
    ("s3:DeleteObject", f"{BUCKET}/managers/ledger/i-0.json", {}, True, False),
    ("s3:GetObject", f"{OTHER_BUCKET}/managers/record.json", {}, False, False),
    ("s3:GetObjectVersion", f"{BUCKET}/managers/record.json", {}, False, False),
    ("s3:PutObject", f"{BUCKET}/closing", {}, False, False),
    ("s3:ListBucket", BUCKET, {"s3:prefix": ["managers/ledger/"]}, True, False),
    ("s3:ListBucket", BUCKET, {"s3:prefix": ["closing"]}, True, True),
    ("s3:ListBucket", BUCKET, {}, True, False),
    ("s3:ListBucket", OTHER_BUCKET, {"s3:prefix": ["closing"]}, False, False),
    ("s3:DeleteBucket", BUCKET, {}, False, False),
    ("kms:Decrypt", STATE.key_arn, via("s3"), True, False),
    ("kms:Decrypt", STATE.key_arn, {}, False, False),
    ("kms:Decrypt", STATE.key_arn, via("ec2"), False, False),
    ("kms:ScheduleKeyDeletion", STATE.key_arn, {}, False, False),
    ("secretsmanager:GetSecretValue", STATE.ca_secret_arn, {}, True, False),
    ("secretsmanager:PutSecretValue", STATE.ca_secret_arn, {}, False, False),
    ("secretsmanager:GetSecretValue", STATE.managers_secret_arn, {}, True, False),
    ("secretsmanager:GetSecretValue", STATE.workers_secret_arn, {}, True, True),
    ("secretsmanager:PutSecretValue", STATE.workers_secret_arn, {}, True, False),
    (COMPLETE, GROUP, tagged("manager"), True, False),
    (COMPLETE, GROUP, tagged("worker"), False, True),
    (COMPLETE, GROUP, tagged("manager", "other"), False, False),
    (COMPLETE, GROUP, tagged("worker", "other"), False, False),
    (COMPLETE, GROUP, {}, False, False),
    (TERMINATE, GROUP, tagged("worker"), False, True),
    (TERMINATE, GROUP, tagged("manager"), False, False),
    ("autoscaling:SetInstanceHealth", GROUP, tagged("manager"), True, False),
    ("autoscaling:SetInstanceHealth", GROUP, tagged("manager", "other"), False, False),
    ("autoscaling:SetInstanceProtection", GROUP, tagged("manager"), True, False),
    ("autoscaling:UpdateAutoScalingGroup", GROUP, tagged("manager"), False, False),
    ("ec2:TerminateInstances", INSTANCE, tagged("manager"), True, False),
    ("ec2:TerminateInstances", INSTANCE, tagged("worker"), False, False),
    ("ec2:TerminateInstances", INSTANCE, tagged("manager", "other"), False, False),
    ("ec2:DescribeInstances", "*", {}, True, False),
    ("logs:PutLogEvents", LOG_STREAM, {}, True, True),
    ("logs:CreateLogGroup", STATE.log_group_arn, {}, False, False),
    ("elasticloadbalancing:DeregisterTargets", TARGETS[0], {}, True, True),
    ("elasticloadbalancing:DeregisterTargets", TARGETS[0].replace("swarm-p80", "other"), {}, False, False),
    ("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/database/password", {}, False, False),
    ("iam:PassRole", "arn:aws:iam::123456789012:role/admin", {}, False, False),
]


@pytest.mark.parametrize(
    ("action", "resource", "context", "manager_may", "worker_may"),
    REQUESTS,
    ids=[
        f"{action} {resource.split(':')[-1]} {sorted(context.values())}" for action, resource, context, *_ in REQUESTS
    ],
)
def test_who_may_do_what(
    action: str, resource: str, context: dict[str, list[str]], manager_may: bool, worker_may: bool
) -> None:
    assert (evaluate([MANAGER], action, resource, context) is Decision.ALLOW) is manager_may
    assert (evaluate([WORKER], action, resource, context) is Decision.ALLOW) is worker_may


SSE, KEY = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
TLS = {"aws:SecureTransport": ["true"]}


@pytest.mark.parametrize(
    ("action", "key", "context", "is_denied"),
    [
        ("s3:GetObject", "managers/record.json", TLS, False),
        ("s3:GetObject", "managers/record.json", {"aws:SecureTransport": ["false"]}, True),
        ("s3:GetObject", "artefacts/agent.pyz", {"aws:SecureTransport": ["false"]}, True),
        ("s3:PutObject", "managers/record.json", TLS, False),
        ("s3:PutObject", "managers/record.json", {**TLS, SSE: ["aws:kms"], KEY: [STATE.key_arn]}, False),
        ("s3:PutObject", "managers/record.json", {**TLS, SSE: ["aws:kms"], KEY: ["arn:aws:kms:::key/other"]}, True),
        ("s3:PutObject", "managers/record.json", {**TLS, SSE: ["AES256"]}, True),
        ("s3:PutObject", "artefacts/agent.pyz", {**TLS, SSE: ["AES256"]}, False),
        ("s3:PutObject", "closing", {**TLS, SSE: ["AES256"]}, False),
    ],
)
def test_the_bucket_takes_tls_only_and_the_managers_part_only_under_their_key(
    action: str, key: str, context: dict[str, list[str]], is_denied: bool
) -> None:
    caller = "arn:aws:sts::123456789012:assumed-role/anyone/session"
    said = evaluate([BUCKET_POLICY], action, f"{BUCKET}/{key}", context, principal=caller)
    assert (said is Decision.DENY) is is_denied
