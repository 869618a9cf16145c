"""Least privilege: exactly what the agent says that it calls, managers and workers apart."""

import json
from typing import Any

import pytest

from components.hosts.policies import shell_access
from components.swarm import endpoints, policies
from node_agent.permissions import PERMISSIONS, for_role
from tests.unit.swarm.test_goldens import PLACE, STATE, TARGETS

BUCKET = f"arn:aws:s3:::{STATE.bucket}"
GROUPS = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/*"
RESOURCES = {
    "*": "*",
    "bucket": BUCKET,
    "key": STATE.key_arn,
    "secret:ca": STATE.ca_secret_arn,
    "secret:managers": STATE.managers_secret_arn,
    "secret:workers": STATE.workers_secret_arn,
    "group:manager": GROUPS,
    "group:worker": GROUPS,
    "instance": "arn:aws:ec2:us-east-1:123456789012:instance/*",
    "target-group": TARGETS[0],
    "log-group": f"{STATE.log_group_arn}:*",
    "repository": "arn:aws:ecr:us-east-1:123456789012:repository/*",
}
RENDER = {"manager": policies.manager, "worker": policies.worker}
SHELL = {(action, "*") for action in shell_access()["Action"]}


def statements(role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(RENDER[role](PLACE, STATE, TARGETS))["Statement"]
    return found


def granted(role: str) -> set[tuple[str, str]]:
    return {
        (action, resource)
        for statement in statements(role)
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def called(role: str) -> set[tuple[str, str]]:
    def arn(kind: str) -> str:
        return f"{BUCKET}/{kind.removeprefix('bucket/')}" if kind.startswith("bucket/") else RESOURCES[kind]

    return {(permission.action, arn(permission.resource)) for permission in for_role(role)}


@pytest.mark.parametrize("role", ["manager", "worker"])
def test_every_action_that_the_agent_calls_is_granted_on_its_resource(role: str) -> None:
    assert called(role) - granted(role) == set()


@pytest.mark.parametrize("role", ["manager", "worker"])
def test_nothing_is_granted_that_the_agent_does_not_call(role: str) -> None:
    extra = granted(role) - called(role) - SHELL
    # Managers run the services where there are no workers; then they too leave the target groups.
    services = {
        ("elasticloadbalancing:DeregisterTargets", TARGETS[0]),
        ("elasticloadbalancing:DescribeTargetHealth", "*"),
    }
    assert extra - services == set()


@pytest.mark.parametrize("role", ["manager", "worker"])
def test_no_action_has_a_wildcard_and_only_what_aws_cannot_narrow_has_any_resource(role: str) -> None:
    assert all("*" not in action for action, _ in granted(role))
    everywhere = {action for action, resource in granted(role) if resource == "*"}
    assert everywhere <= {permission.action for permission in PERMISSIONS if permission.resource == "*"} | {
        action for action, _ in SHELL
    }


@pytest.mark.parametrize("role", ["manager", "worker"])
def test_what_acts_on_groups_and_instances_acts_on_this_clusters_own_only(role: str) -> None:
    acting = [s for s in statements(role) if any("autoscaling" in r or "instance/" in r for r in s["Resource"])]
    assert acting
    for statement in acting:
        assert statement["Condition"] == {
            "StringEquals": {"aws:ResourceTag/timonel:cluster": STATE.bucket, "aws:ResourceTag/timonel:role": role}
        }


def test_a_worker_reads_nothing_of_the_managers() -> None:
    reach = {resource for _, resource in granted("worker")}
    assert not {r for r in reach if r.startswith(f"{BUCKET}/managers") or r == f"{BUCKET}/*"}
    assert not reach & {STATE.key_arn, STATE.ca_secret_arn, STATE.managers_secret_arn}


def test_a_worker_may_list_the_closing_mark_and_no_other_key() -> None:
    (listing,) = [s for s in statements("worker") if "s3:ListBucket" in s["Action"]]
    assert listing["Condition"] == {"StringEquals": {"s3:prefix": "closing"}}


def test_the_managers_key_is_used_through_s3_and_secrets_manager_only() -> None:
    (key,) = [s for s in statements("manager") if STATE.key_arn in s["Resource"]]
    assert key["Condition"] == {
        "StringEquals": {"kms:ViaService": ["s3.us-east-1.amazonaws.com", "secretsmanager.us-east-1.amazonaws.com"]}
    }


def test_without_services_no_target_group_is_touched() -> None:
    for render in RENDER.values():
        assert "elasticloadbalancing" not in render(PLACE, STATE)


def test_the_endpoints_for_a_vpc_without_a_way_out_cover_every_service_that_nodes_call() -> None:
    """S3 has a gateway endpoint; KMS is called by S3 and Secrets Manager; ECR has two endpoints."""
    services = {action.split(":")[0] for role in RENDER for action, _ in granted(role)} - {"s3", "kms", "ecr"}
    required = set(endpoints.required(has_published_ports=True))
    assert services == required - {"ecr.api", "ecr.dkr"}
