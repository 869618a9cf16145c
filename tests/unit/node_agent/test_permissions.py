"""The declared permissions are exactly what the code calls."""

import ast
import re
from pathlib import Path

import node_agent
from node_agent.permissions import PERMISSIONS, for_role

SERVICES = {
    "_s3": "s3",
    "_ec2": "ec2",
    "_asg": "autoscaling",
    "_elb": "elasticloadbalancing",
    "_client": "secretsmanager",
}
NOT_CALLS = {"get_paginator", "meta"}


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def called() -> set[str]:
    """IAM actions of the boto3 methods that the agent's source names."""
    found = set()
    for path in Path(node_agent.__file__).parent.glob("*.py"):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
                service = SERVICES.get(node.value.attr)
                if service and node.attr not in NOT_CALLS:
                    found.add(f"{service}:{pascal(node.attr)}")
        for service, operation in re.findall(r"_(s3|asg)\.get_paginator\(\"(\w+)\"\)", source):
            found.add(f"{SERVICES['_' + service]}:{pascal(operation)}")
        if "ecr" in path.name and "client.get_authorization_token" in source:
            found.add("ecr:GetAuthorizationToken")
    return {action.replace("ListObjectsV2", "ListBucket") for action in found}


def test_every_call_has_a_permission_and_every_permission_a_call() -> None:
    declared = {p.action for p in PERMISSIONS if p.caller == "agent" and not p.action.startswith("kms:")}
    assert called() == declared


def test_workers_reach_nothing_of_the_managers() -> None:
    for permission in for_role("worker"):
        assert "managers" not in permission.resource and permission.resource not in {"key", "secret:ca"}
        assert permission.action != "secretsmanager:PutSecretValue"


def test_a_workers_list_is_limited_to_the_closing_mark() -> None:
    lists = [p for p in for_role("worker") if p.action == "s3:ListBucket"]
    assert [p.prefix for p in lists] == ["closing"]


def test_break_glass_is_marked() -> None:
    assert [p.action for p in PERMISSIONS if p.break_glass] == ["ec2:TerminateInstances"]
