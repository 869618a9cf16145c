"""What is a change, what replaces, and what a read means for the inputs: no API behind these."""

import json
from typing import Any

import pytest

from sandbox.providers.aws import compare, table
from sandbox.providers.values import UNKNOWN
from tests.unit.providers.driver import PACKAGE


def changed(
    token: str, old: dict[str, Any], new: dict[str, Any], state: dict[str, Any] | None = None
) -> dict[str, bool]:
    """The changed properties, and whether each replaces."""
    row = table.row(token)
    assert row is not None
    found = compare.changes(row, PACKAGE.resource(token), old, new, state or old)
    return {item.name: item.replaces for item in found}


VPC, GROUP, BALANCER = "aws:ec2/vpc:Vpc", "aws:autoscaling/group:Group", "aws:lb/loadBalancer:LoadBalancer"
TEMPLATE, SECRET = "aws:ec2/launchTemplate:LaunchTemplate", "aws:secretsmanager/secret:Secret"


@pytest.mark.parametrize(
    ("token", "old", "new", "expected"),
    [
        (VPC, {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.1.0.0/16"}, {"cidrBlock": True}),
        (VPC, {"enableDnsSupport": True}, {"enableDnsSupport": False}, {"enableDnsSupport": False}),
        (VPC, {"region": "us-east-1"}, {"region": "us-west-2"}, {"region": True}),
        (GROUP, {"name": "a"}, {"name": "b"}, {"name": True}),
        (GROUP, {"maxSize": 1}, {"maxSize": 2}, {"maxSize": False}),
        (
            GROUP,
            {"launchTemplate": {"id": "lt-1", "version": "1"}},
            {"launchTemplate": {"id": "lt-1", "version": "2"}},
            {"launchTemplate": False},
        ),
        (
            GROUP,
            {"initialLifecycleHooks": []},
            {"initialLifecycleHooks": [{"name": "a", "lifecycleTransition": "x"}]},
            {"initialLifecycleHooks": True},
        ),
        (TEMPLATE, {"instanceType": "t3.small"}, {"instanceType": "t3.medium"}, {"instanceType": False}),
        (TEMPLATE, {"name": "a"}, {"name": "b"}, {"name": True}),
        (SECRET, {"description": "a"}, {"description": "b"}, {"description": False}),
        (SECRET, {"name": "a"}, {"name": "b"}, {"name": True}),
    ],
)
def test_a_change_updates_or_replaces_as_aws_has_it(
    token: str, old: dict[str, Any], new: dict[str, Any], expected: dict[str, bool]
) -> None:
    assert changed(token, old, new) == expected


@pytest.mark.parametrize(
    ("kind", "old", "new", "replaces"),
    [
        ("network", ["a"], ["a", "b"], False),
        ("network", ["a", "b"], ["a"], True),
        ("application", ["a", "b"], ["a"], False),
    ],
)
def test_a_network_load_balancer_is_replaced_when_it_loses_a_subnet_only(
    kind: str, old: list[str], new: list[str], replaces: bool
) -> None:
    sides = ({"loadBalancerType": kind, "subnets": subnets} for subnets in (old, new))
    assert changed(BALANCER, *sides) == {"subnets": replaces}


def test_the_order_of_a_set_is_no_change_and_that_of_a_list_is() -> None:
    sets = ({"vpcZoneIdentifiers": ["a", "b"]}, {"vpcZoneIdentifiers": ["b", "a"]})
    assert changed(GROUP, *sets) == {}
    lists = (
        {"terminationPolicies": ["OldestInstance", "Default"]},
        {"terminationPolicies": ["Default", "OldestInstance"]},
    )
    assert changed(GROUP, *lists) == {"terminationPolicies": False}


def test_a_property_that_is_no_longer_given_is_left_to_aws_where_aws_fills_it() -> None:
    assert changed(GROUP, {"desiredCapacity": 3}, {}) == {}, "AWS decides the size then"
    assert changed(GROUP, {"suspendedProcesses": ["AZRebalance"]}, {}) == {"suspendedProcesses": False}


def test_nothing_and_an_empty_value_are_the_same_unless_the_state_says_otherwise() -> None:
    assert changed(GROUP, {}, {"suspendedProcesses": []}, {}) == {}
    assert changed(GROUP, {}, {"desiredCapacity": 0}, {"desiredCapacity": 2}) == {"desiredCapacity": False}


def test_an_unknown_value_is_a_change_and_replaces_where_any_change_would() -> None:
    assert changed("aws:ec2/subnet:Subnet", {"vpcId": "vpc-1"}, {"vpcId": UNKNOWN}) == {"vpcId": True}
    assert changed(GROUP, {"vpcZoneIdentifiers": ["a"]}, {"vpcZoneIdentifiers": [UNKNOWN]}) == {
        "vpcZoneIdentifiers": False
    }


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": ["b", "a"], "Principal": {"AWS": "123456789012"}}
    ],
}
SAME_POLICY = {
    "Statement": {
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Resource": ["a", "b"],
        "Action": "s3:Get*",
        "Effect": "Allow",
    },
    "Version": "2012-10-17",
}


def test_policies_of_equal_meaning_are_equal_and_others_are_not() -> None:
    one, other = json.dumps(POLICY, indent=2), json.dumps(SAME_POLICY)
    assert compare.canonical_policy(one) == compare.canonical_policy(other)
    assert compare.canonical_policy(one) != compare.canonical_policy(one.replace("Allow", "Deny"))
    assert compare.canonical_policy("not json") == "not json"


def refreshed(token: str, name: str, given: Any, actual: Any, state: Any) -> Any:
    row = table.row(token)
    assert row is not None
    kind = PACKAGE.resource(token)["inputs"][name]["type"]
    return compare.refreshed(row, name, kind, given=given, actual=actual, state=state)


def test_what_aws_fills_in_beside_the_given_parts_is_no_drift() -> None:
    given = {"id": "lt-1", "version": "1"}
    filled = {**given, "name": "made-up"}
    assert refreshed(GROUP, "launchTemplate", given, filled, filled) == given


def test_a_part_that_moved_is_drift_whether_it_was_given_or_not() -> None:
    given = {"id": "lt-1", "version": "1"}
    before = {**given, "name": "made-up"}
    assert refreshed(GROUP, "launchTemplate", given, {**before, "version": "2"}, before) == {
        "id": "lt-1",
        "version": "2",
    }
    moved = refreshed(GROUP, "launchTemplate", given, {**before, "name": "other"}, before)
    assert moved == {**given, "name": "other"}


def test_elements_of_a_set_of_objects_are_matched_by_likeness() -> None:
    given = [
        {"key": "a", "value": "1", "propagateAtLaunch": True},
        {"key": "b", "value": "2", "propagateAtLaunch": True},
    ]
    actual = [given[1], {**given[0], "value": "changed"}]
    assert refreshed(GROUP, "tags", given, actual, given) == [{**given[0], "value": "changed"}, given[1]]
