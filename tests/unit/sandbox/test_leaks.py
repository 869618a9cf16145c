"""What `leaks` finds, in which class, and that it knows every resource type of the product."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.leaks.search import GOES_WITH, LISTERS, of_token
from sandbox.state import CHECKOUT
from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.world import Account, tags

NO_RESOURCES = {"aws:index"}


def _types_of_the_product() -> dict[str, Path]:
    """Every `aws.module.Class(` of components and stacks as a Pulumi token."""
    found = {}
    for folder in ("components", "stacks"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            for module, name in re.findall(r"\baws\.([a-z0-9_]+)\.([A-Z]\w+)\(", path.read_text()):
                if not name.endswith("Args"):
                    found[f"aws:{module}/{name[0].lower()}{name[1:]}:{name}"] = path
    return found


def test_every_resource_type_of_the_product_has_a_lister_or_goes_with_one() -> None:
    kinds = {lister.kind for lister in LISTERS}
    assert set(GOES_WITH.values()) <= kinds
    unknown = {t: str(p) for t, p in _types_of_the_product().items() if of_token(t) is None and t not in GOES_WITH}
    assert unknown == {}, "add a lister to sandbox/leaks/search.py and a row to docs/sandbox.md"


def test_the_table_in_the_docs_lists_every_lister() -> None:
    text = (CHECKOUT / "docs" / "sandbox.md").read_text()
    missing = [lister.kind for lister in LISTERS if f"| {lister.kind} |" not in text]
    assert missing == []


@pytest.mark.sandbox
def test_an_empty_account_has_nothing_left(aws: Sandbox) -> None:
    finished = aws.cli("leaks").ok()
    assert "nothing left behind" in finished.out


@pytest.mark.sandbox
def test_the_three_classes_and_their_exit_codes(aws: Sandbox) -> None:
    mine = tags(**{"timonel:stack": "p/dev", "Name": "n"})
    kms, secrets = aws.client("kms"), aws.client("secretsmanager")
    key = kms.create_key(Tags=[{"TagKey": "timonel:stack", "TagValue": "p/dev"}])["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    secrets.create_secret(Name="kept", SecretString="x", Tags=[*mine, *tags(**{"timonel:keep": "yes"})])
    doomed = secrets.create_secret(Name="doomed", SecretString="x", Tags=mine)["ARN"]
    secrets.delete_secret(SecretId=doomed, RecoveryWindowInDays=7)
    quiet = aws.cli("leaks", "--stack", "p/dev").ok()
    assert "ending by itself: 2" in quiet.out and "kept by policy: 1" in quiet.out
    for region in ("us-east-1", "eu-west-1"):
        specification = [{"ResourceType": "vpc", "Tags": mine}]
        aws.client("ec2", region=region).create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification)
    report = json.loads(aws.cli("leaks", "--stack", "p/dev", "--json").failed().out)
    assert sorted((f["kind"], f["region"]) for f in report["left_behind"]) == [
        ("vpc", "eu-west-1"),
        ("vpc", "us-east-1"),
    ]
    assert {f["kind"]: f["ends"] is not None for f in report["ending"]} == {"kms key": True, "secret": True}
    aws.cli("leaks", "--stack", "p/other").ok()


@pytest.mark.sandbox
def test_a_resource_made_twice_is_named_so_and_a_groups_instances_are_not(aws: Sandbox) -> None:
    account = Account(aws)
    mine = tags(**{"timonel:stack": "p/dev", "Name": "twice"})
    account.group(size=2, Tags=[{**t, "PropagateAtLaunch": True} for t in mine])
    members = account.settled(2)
    specification = [{"ResourceType": "security-group", "Tags": mine}]
    made = [
        account.ec2.create_security_group(
            GroupName=n, Description="d", VpcId=account.vpc, TagSpecifications=specification
        )
        for n in ("a", "b")
    ]
    report: dict[str, Any] = json.loads(aws.cli("leaks", "--stack", "p/dev", "--json").failed().out)
    notes = {f["id"]: f["note"] for f in report["left_behind"]}
    first, second = (m["GroupId"] for m in made)
    assert notes[first] == f"made twice? same kind, stack and Name as {second}"
    assert all("twice" not in notes[m["InstanceId"]] for m in members)
