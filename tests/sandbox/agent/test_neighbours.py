"""Fault 11: two clusters in one account and region; each role's credentials, taken from its hosts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from node_agent.records import RECORD
from sandbox.aws.policy import Decision, evaluate
from tests.sandbox.agent import grants
from tests.sandbox.agent.lab import ACCOUNT, REGION, Lab
from tests.sandbox.agent.report import say
from tests.sandbox.machines.rig import Machines

pytestmark = [pytest.mark.machines, pytest.mark.faults]

SERVICES = ["s3", "secretsmanager", "kms", "autoscaling", "ec2", "elasticloadbalancing", "logs"]
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
Attempt = tuple[str, str, dict[str, Any]]
"""boto3's client, its method, arguments."""

TRY = """
import json, sys, boto3
from botocore.config import Config
from botocore.exceptions import ClientError
said = []
for service, method, arguments in json.load(sys.stdin):
    client = boto3.client(service, region_name="us-east-1", config=Config(retries={"max_attempts": 1}))
    try:
        getattr(client, method)(**arguments)
        said.append("done")
    except ClientError as error:
        said.append(error.response["Error"]["Code"])
print(json.dumps(said))
"""


@pytest.fixture
def strict(booted: Machines) -> Iterator[None]:
    """Every service refuses what a role's policy does not allow."""
    booted.control("PUT", "settings", {"enforce": SERVICES})
    yield
    booted.control("PUT", "settings", {"enforce": ["s3", "secretsmanager"]})


@pytest.mark.usefixtures("strict")
def test_two_clusters_of_one_account_reach_nothing_of_each_other(lab: Callable[..., Lab], booted: Machines) -> None:
    began = time.monotonic()
    ours, theirs = lab(managers=1, workers=1), lab(managers=1, workers=0)
    say("1 formed, two clusters at once", max(ours.wait_whole(400), theirs.wait_whole(400)))
    before = theirs.s3.list_object_versions(Bucket=theirs.id, Prefix=RECORD)["Versions"]
    count = 0
    assert grants.look([ours, theirs], booted.calls(grants.JOURNAL.seen), __name__) == [], "so far the nodes' own calls"
    for cluster, other in ((ours, theirs), (theirs, ours)):
        for instance, row in cluster.instances().items():
            role = {t["Key"]: t["Value"] for t in row["Tags"]}["timonel:role"]
            foreign = [*state_of(other), *managers_of(other)]
            if role == "worker":
                foreign += managers_of(cluster)  # a worker's role cannot reach the managers' part of its own cluster
            said = attempt(cluster, instance, foreign)
            let_in = [(a, s) for a, s in zip(foreign, said, strict=True) if s not in DENIED]
            assert let_in == [], f"a {role} of {cluster.id} against {other.id}"
            own = [("secretsmanager", "get_secret_value", {"SecretId": cluster.arns["workers"]})]
            assert attempt(cluster, instance, own) == ["done"], "the same credentials reach their own"
            assert_the_policy_says_so(cluster, other, role)
            count += len(foreign)
    tried = booted.calls(grants.JOURNAL.seen)
    denied = [c for c in tried if c["error"] in DENIED and ":assumed-role/" in c["caller"]]
    assert len(denied) >= count, "13: CloudTrail has each with its caller, here the sandbox's journal"
    grants.JOURNAL.seen = tried[-1]["number"]  # the calls of this test are not the agents'
    assert theirs.s3.list_object_versions(Bucket=theirs.id, Prefix=RECORD)["Versions"] == before
    assert ours.why_not_whole() == "" and theirs.why_not_whole() == "", "both live on"
    note = f"{count} calls with credentials of the other cluster, or of its own workers, all refused"
    say("11 two clusters in one account and region", time.monotonic() - began, note=note)


def attempt(cluster: Lab, instance: str, attempts: list[Attempt]) -> list[str]:
    """Make calls on a host, with its role's credentials; "done" or AWS's error code of each."""
    script = f"set -a; . /etc/environment; python3 -c '{TRY}' <<'END'\n{json.dumps(attempts)}\nEND"
    done = cluster.host(instance).run("bash", "-c", script, timeout=120)
    assert done.returncode == 0, done.stderr
    said: list[str] = json.loads(done.stdout)
    return said


def state_of(cluster: Lab) -> list[Attempt]:
    """What all nodes of a cluster share."""
    return [
        ("s3", "get_object", {"Bucket": cluster.id, "Key": cluster.artefact.key}),
        ("s3", "list_objects_v2", {"Bucket": cluster.id, "Prefix": "closing"}),
        ("s3", "put_object", {"Bucket": cluster.id, "Key": "closing"}),
        ("secretsmanager", "get_secret_value", {"SecretId": cluster.arns["workers"]}),
        ("logs", "create_log_stream", {"logGroupName": cluster.id, "logStreamName": "foreign"}),
    ]


def managers_of(cluster: Lab) -> list[Attempt]:
    """The managers' part of a cluster."""
    group, instance = next(iter(cluster.groups.values())), next(iter(cluster.instances("manager")))
    hook = {"AutoScalingGroupName": group, "LifecycleHookName": "timonel-terminate", "InstanceId": instance}
    return [
        ("s3", "get_object", {"Bucket": cluster.id, "Key": RECORD}),
        ("s3", "put_object", {"Bucket": cluster.id, "Key": RECORD}),
        ("s3", "delete_object", {"Bucket": cluster.id, "Key": RECORD}),
        ("s3", "list_objects_v2", {"Bucket": cluster.id, "Prefix": "managers/"}),
        ("secretsmanager", "get_secret_value", {"SecretId": cluster.arns["ca"]}),
        ("secretsmanager", "get_secret_value", {"SecretId": cluster.arns["managers"]}),
        ("secretsmanager", "put_secret_value", {"SecretId": cluster.arns["managers"], "SecretString": "{}"}),
        ("secretsmanager", "put_secret_value", {"SecretId": cluster.arns["workers"], "SecretString": "{}"}),
        ("kms", "generate_data_key", {"KeyId": cluster.key, "KeySpec": "AES_256"}),
        ("kms", "decrypt", {"KeyId": cluster.key, "CiphertextBlob": "nothing"}),
        ("autoscaling", "complete_lifecycle_action", {**hook, "LifecycleActionResult": "CONTINUE"}),
        ("autoscaling", "record_lifecycle_action_heartbeat", hook),
        ("autoscaling", "set_instance_health", {"InstanceId": instance, "HealthStatus": "Unhealthy"}),
        ("autoscaling", "set_instance_protection", {
            "AutoScalingGroupName": group, "InstanceIds": [instance], "ProtectedFromScaleIn": False}),
        ("autoscaling", "terminate_instance_in_auto_scaling_group", {
            "InstanceId": instance, "ShouldDecrementDesiredCapacity": True}),
        ("ec2", "terminate_instances", {"InstanceIds": [instance]}),
    ]  # fmt: skip


def assert_the_policy_says_so(cluster: Lab, other: Lab, role: str) -> None:
    """Every action of the role on everything of the other cluster, by the evaluator, through any service."""
    document = cluster.iam.get_role_policy(RoleName=f"{cluster.id}-{role}", PolicyName="node")["PolicyDocument"]
    actions = {a for s in document["Statement"] for a in s["Action"] if not a.split(":")[1].startswith("Describe")}
    shared = {a for a in actions if a.split(":")[0] in {"ecr", "ssm", "ssmmessages"}}  # of the account or the instance
    bucket, place = f"arn:aws:s3:::{other.id}", f"{REGION}:{ACCOUNT}"
    resources = [
        bucket, f"{bucket}/{RECORD}", f"{bucket}/closing", f"{bucket}/{other.artefact.key}", *other.arns.values(),
        other.key, f"arn:aws:logs:{place}:log-group:{other.id}:log-stream:x", f"arn:aws:ec2:{place}:instance/i-1",
        f"arn:aws:autoscaling:{place}:autoScalingGroup:1:autoScalingGroupName/{other.worker_group}",
    ]  # fmt: skip
    for through in ("s3", "secretsmanager"):
        for their_role in ("manager", "worker"):
            context = {
                "aws:ResourceTag/timonel:cluster": [other.id], "aws:ResourceTag/timonel:role": [their_role],
                "kms:ViaService": [f"{through}.{REGION}.amazonaws.com"], "s3:prefix": ["closing"],
            }  # fmt: skip
            for action in actions - shared:
                for resource in resources:
                    found = evaluate([document], action, resource, context)
                    assert found is not Decision.ALLOW, f"{role} of {cluster.id}: {action} on {resource}"
