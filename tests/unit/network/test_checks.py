"""Arguments that cannot work are refused before anything is looked up or made."""

from typing import Any

import pytest

from components.errors import InputError
from components.network.args import NatStrategy, NetworkArgs
from components.network.checks import check, known, nat_zone, new_vpc

EXISTING = {"vpc_id": "vpc-0123456789abcdef0", "private_subnet_ids": ["subnet-0123456789abcdef0"]}


@pytest.mark.parametrize(
    ("args", "path", "rule"),
    [
        ({"cidr": "10.20.0.0"}, "cidr", "be an IPv4 range"),
        ({"cidr": "10.20.0.0/12"}, "cidr", "be an IPv4 range"),
        ({"cidr": "10.16.0.0/12"}, "cidr", "be between a /16 and a /24"),
        ({"cidr": "10.20.0.0/24", "zone_count": 5}, "cidr", "be at least a /23 for 5 zones"),
        ({"zone_count": 0}, "zone_count", "be 1 to 6"),
        ({"zone_count": 7}, "zone_count", "be 1 to 6"),
        ({"zone_count": 2.5}, "zone_count", "be a whole number"),
        ({"zone_names": ["a", "b"], "zone_count": 3}, "zone_names", "name at least 3 zones"),
        ({"zone_names": ["a", "b", "a"]}, "zone_names[2]", "be named once only"),
        ({"nat": "double"}, "nat", "be one of none, single, per-zone"),
        ({"enable_public_subnets": False}, "enable_public_subnets", "be true with nat 'single'"),
        ({"interface_endpoints": ["ssm", "ssm"]}, "interface_endpoints[1]", "be named once only"),
        ({"interface_endpoints": ["s3"]}, "interface_endpoints[0]", "not be s3 or dynamodb"),
        ({"interface_endpoints": ["com.amazonaws.us-east-1.ssm"]}, "interface_endpoints[0]", "be a short name"),
        ({"interface_endpoints": ["SSM"]}, "interface_endpoints[0]", "be a short name"),
        ({"flow_log_retention_days": 15}, "flow_log_retention_days", "be one of 1, 3, 5"),
        ({"tags": {"aws:x": "y"}}, "tags['aws:x']", "not start with"),
        ({"existing": EXISTING, "cidr": "10.0.0.0/16"}, "cidr", "be left out with existing"),
        ({"existing": EXISTING, "interface_endpoints": []}, "interface_endpoints", "be left out with existing"),
        ({"existing": EXISTING, "nat": NatStrategy.NONE}, "nat", "be left out with existing"),
        ({"existing": {**EXISTING, "vpc_id": "main"}}, "existing.vpc_id", "be an id such as vpc-"),
        ({"existing": {**EXISTING, "private_subnet_ids": []}}, "existing.private_subnet_ids", "name 1 to 6 subnets"),
        (
            {"existing": {**EXISTING, "private_subnet_ids": ["subnet-0123456789abcdef0", "a"]}},
            "existing.private_subnet_ids[1]",
            "be an id such as subnet-",
        ),
        (
            {"existing": {**EXISTING, "private_subnet_ids": EXISTING["private_subnet_ids"] * 2}},
            "existing.private_subnet_ids[1]",
            "be named once only",
        ),
        (
            {"existing": {**EXISTING, "public_subnet_ids": EXISTING["private_subnet_ids"]}},
            "existing.public_subnet_ids[0]",
            "not be a private subnet too",
        ),
        (
            {"existing": {**EXISTING, "interface_endpoints": ["dynamodb"]}},
            "existing.interface_endpoints[0]",
            "not be s3 or dynamodb",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_path_value_rule_and_reason(args: Any, path: str, rule: str) -> None:
    with pytest.raises(InputError) as refused:
        check(args)
    assert refused.value.path == path
    assert refused.value.rule.startswith(rule)
    assert refused.value.reason.endswith("."), "a reason is a sentence"


def test_every_default_is_filled_in() -> None:
    plan = new_vpc({})
    assert (str(plan.cidr), plan.zone_count, plan.nat, plan.has_public_subnets) == (
        "10.20.0.0/16",
        2,
        NatStrategy.SINGLE,
        True,
    )
    assert (plan.interface_endpoints, plan.enable_flow_logs, plan.flow_log_retention_days) == ((), False, 14)


def test_named_zones_say_how_many_there_are_and_may_be_more_than_are_used() -> None:
    assert new_vpc({"zone_names": ["x", "y", "z"]}).zone_count == 3
    fewer = new_vpc({"zone_names": ["x", "y", "z"], "zone_count": 2})
    assert fewer.zone_names == ("x", "y"), "a stack may name its next zone before it uses it"


def test_numbers_and_choices_may_come_as_a_component_host_gives_them() -> None:
    plan = new_vpc({"zone_count": 3.0, "nat": "per-zone", "flow_log_retention_days": 7.0})  # type: ignore[typeddict-item]
    assert (plan.zone_count, plan.nat, plan.flow_log_retention_days) == (3, NatStrategy.PER_ZONE, 7)
    assert isinstance(plan.zone_count, int)


@pytest.mark.parametrize(
    ("nat", "served_by"),
    [(NatStrategy.NONE, [None, None]), (NatStrategy.SINGLE, [0, 0]), (NatStrategy.PER_ZONE, [0, 1])],
)
def test_the_strategy_says_whose_gateway_serves_a_zone(nat: NatStrategy, served_by: list[int | None]) -> None:
    assert [nat_zone(nat, zone) for zone in range(2)] == served_by


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, ([], 2, True, True, [])),
        ({"nat": NatStrategy.NONE, "interface_endpoints": ["ssm", "ec2"]}, ([], 2, False, True, ["ec2", "ssm"])),
        ({"nat": NatStrategy.NONE, "enable_public_subnets": False}, ([], 2, False, False, [])),
        ({"zone_names": ["x", "y", "z"]}, (["x", "y", "z"], 3, True, True, [])),
        ({"existing": {**EXISTING, "interface_endpoints": ["ssm"]}}, ([], 1, True, False, ["ssm"])),
    ],
)
def test_what_is_known_before_aws_is_asked(args: NetworkArgs, expected: tuple[Any, ...]) -> None:
    keys = ("zones", "zone_count", "has_internet_egress", "has_public_subnets", "interface_endpoints")
    assert known(args) == {
        "cidr": "" if "existing" in args else "10.20.0.0/16",
        **dict(zip(keys, expected, strict=True)),
    }
