"""Arguments that cannot work are refused with path, value, rule and reason, before anything is made."""

from typing import Any

import pytest

from components.errors import InputError
from components.swarm import checks, endpoints
from tests.unit.swarm.args import arguments

OUTSIDE = {"port": 80, "cidrs": ["0.0.0.0/0"]}

BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    # (what, change, path of the error, a word of its rule or reason)
    ("two managers", {"managers": {"count": 2}}, "managers.count", "even number"),
    ("nine managers", {"managers": {"count": 9}}, "managers.count", "1, 3, 5 or 7"),
    ("no manager", {"managers": {"count": 0}}, "managers.count", "1, 3, 5 or 7"),
    ("a tiny manager disk", {"managers": {"disk_gib": 4}}, "managers.disk_gib", "between 8"),
    ("a pool without a good name", {"worker_pools": [{"name": "Web"}]}, "worker_pools[0].name", "lower-case"),
    ("a pool called managers", {"worker_pools": [{"name": "managers"}]}, "worker_pools[0].name", "another name"),
    ("two pools of one name", {"worker_pools": [{"name": "a"}, {"name": "a"}]}, "worker_pools[1].name", "differ from"),
    ("max below min", {"worker_pools": [{"name": "a", "min_size": 3, "max_size": 2}]}, "worker_pools[0].max_size", "3"),
    (
        "a pool of none",
        {"worker_pools": [{"name": "a", "min_size": 0, "max_size": 0}]},
        "worker_pools[0].max_size",
        "1",
    ),
    ("a negative pool", {"worker_pools": [{"name": "a", "min_size": -1}]}, "worker_pools[0].min_size", "between 0"),
    (
        "several types on demand",
        {"worker_pools": [{"name": "a", "instance_types": ["t3.small", "t3a.small"]}]},
        "worker_pools[0].instance_types",
        "one type",
    ),
    (
        "no type",
        {"worker_pools": [{"name": "a", "instance_types": []}]},
        "worker_pools[0].instance_types",
        "at least one",
    ),
    (
        "a type twice",
        {"worker_pools": [{"name": "a", "purchase": "spot", "instance_types": ["t3.small", "t3.small"]}]},
        "worker_pools[0].instance_types",
        "once",
    ),
    (
        "an on-demand base on spot",
        {"worker_pools": [{"name": "a", "purchase": "spot", "on_demand_base": 1}]},
        "worker_pools[0].on_demand_base",
        "mixed",
    ),
    (
        "an on-demand base above the pool",
        {"worker_pools": [{"name": "a", "purchase": "mixed", "max_size": 2, "on_demand_base": 3}]},
        "worker_pools[0].on_demand_base",
        "between 0 and 2",
    ),
    (
        "scaling of a fixed pool",
        {"worker_pools": [{"name": "a", "min_size": 2, "max_size": 2, "target_cpu_percent": 50}]},
        "worker_pools[0].target_cpu_percent",
        "cannot be scaled",
    ),
    (
        "scaling to nothing",
        {"worker_pools": [{"name": "a", "target_cpu_percent": 0}]},
        "worker_pools[0].target_cpu_percent",
        "between 10 and 90",
    ),
    (
        "a label with a space",
        {"worker_pools": [{"name": "a", "labels": {"a b": "x"}}]},
        "worker_pools[0].labels",
        "digits",
    ),
    ("our label", {"worker_pools": [{"name": "a", "labels": {"timonel.x": ""}}]}, "worker_pools[0].labels", "own"),
    (
        "a label of lines",
        {"worker_pools": [{"name": "a", "labels": {"x": "a\nb"}}]},
        "worker_pools[0].labels",
        "printable",
    ),
    (
        "a pool disk too large",
        {"worker_pools": [{"name": "a", "disk_gib": 20000}]},
        "worker_pools[0].disk_gib",
        "16384",
    ),
    ("preinstalled without an image", {"image": {"preinstalled": True}}, "image.preinstalled", "image.id"),
    ("an image that is none", {"image": {"id": "ubuntu"}}, "image.id", "ami-"),
    ("the Docker API for everyone", {"operator_cidrs": ["0.0.0.0/0"]}, "operator_cidrs[0]", "operators come from"),
    ("the same in IPv6", {"operator_cidrs": ["10.0.0.0/8", "::/0"]}, "operator_cidrs[1]", "operators come from"),
    ("an operators' port of Swarm's own", {"operator_ports": [9090, 2377]}, "operator_ports[1]", "raft"),
    ("an operators' port twice", {"operator_ports": [9090, 9090]}, "operator_ports[1]", "once"),
    ("a nodes' port that is none", {"node_ports": [0]}, "node_ports[0]", "TCP"),
    ("half the internet", {"operator_cidrs": ["0.0.0.0/1"]}, "operator_cidrs[0]", "/8 or smaller"),
    ("an operator in IPv6", {"operator_cidrs": ["2001:db8::/32"]}, "operator_cidrs[0]", "IPv4"),
    ("an operator with host bits", {"operator_cidrs": ["203.0.113.9/24"]}, "operator_cidrs[0]", "IPv4 range"),
    ("a pool in the VPC", {"address_pools": ["10.16.0.0/12"]}, "address_pools[0]", "the VPC"),
    ("a pool on docker0", {"address_pools": ["172.16.0.0/15"]}, "address_pools[0]", "docker0"),
    ("a pool on the gateway bridge", {"address_pools": ["172.18.0.0/16"]}, "address_pools[0]", "docker_gwbridge"),
    (
        "two pools that overlap",
        {"address_pools": ["10.128.0.0/12", "10.130.0.0/16"]},
        "address_pools[1]",
        "not overlap",
    ),
    ("a pool smaller than a network", {"address_pools": ["10.128.0.0/25"]}, "address_pools[0]", "/24 or larger"),
    ("too few networks", {"address_pools": ["10.128.0.0/22"]}, "address_pools", "at least 16"),
    ("networks without room", {"address_pool_prefix": 30}, "address_pool_prefix", "between 16 and 28"),
    ("a pool that is no range", {"address_pools": ["10.128.0.0"]}, "address_pools[0]", "IPv4 range"),
    ("a VPC on docker0", {"network": {"cidr": "172.17.0.0/16"}}, "network.cidr", "docker0"),
    ("a VPC on the gateway bridge", {"network": {"cidr": "172.18.64.0/20"}}, "network.cidr", "docker_gwbridge"),
    ("a VPC that is no range", {"network": {"cidr": "10.20.0.0"}}, "network.cidr", "IPv4 range"),
    ("port 0", {"published_ports": [{**OUTSIDE, "port": 0}]}, "published_ports[0].port", "between 1"),
    ("port 65536", {"published_ports": [{**OUTSIDE, "target_port": 65536}]}, "published_ports[0].target_port", "65535"),
    ("the Docker API as a service", {"published_ports": [{**OUTSIDE, "port": 2376}]}, "published_ports[0].port", "API"),
    (
        "raft as a target",
        {"published_ports": [{**OUTSIDE, "target_port": 2377}]},
        "published_ports[0].target_port",
        "raft",
    ),
    ("gossip as a service", {"published_ports": [{**OUTSIDE, "port": 7946}]}, "published_ports[0].port", "gossip"),
    (
        "a port twice",
        {"published_ports": [OUTSIDE, {**OUTSIDE, "target_port": 8080}]},
        "published_ports[1].port",
        "differ",
    ),
    ("a port for nobody", {"published_ports": [{"port": 80, "cidrs": []}]}, "published_ports[0].cidrs", "at least one"),
    (
        "a range twice",
        {"published_ports": [{"port": 80, "cidrs": ["0.0.0.0/0"] * 2}]},
        "published_ports[0].cidrs",
        "once",
    ),
    (
        "a service in IPv6",
        {"published_ports": [{"port": 80, "cidrs": ["::/0"]}]},
        "published_ports[0].cidrs[0]",
        "IPv4",
    ),
    (
        "51 ports",
        {"published_ports": [{**OUTSIDE, "port": 8000 + i} for i in range(51)]},
        "published_ports",
        "at most 50",
    ),
    ("no hop", {"metadata_hop_limit": 0}, "metadata_hop_limit", "between 1 and 2"),
    ("snapshots that never come", {"snapshot_interval_minutes": 100_000}, "snapshot_interval_minutes", "1440"),
    ("one snapshot kept", {"snapshot_keep": 1}, "snapshot_keep", "between 2"),
    ("tokens older than a year", {"token_rotation_days": 400}, "token_rotation_days", "365"),
    ("a retention that AWS does not know", {"log_retention_days": 13}, "log_retention_days", "knows no others"),
    ("fewer subnets than zones", {"network": {"private_subnet_ids": ["s"]}}, "network.private_subnet_ids", "2 subnets"),
    ("one zone twice", {"network": {"zones": ["a", "a"]}}, "network.zones", "once"),
    ("our tag", {"tags": {"timonel:x": ""}}, "tags", "not start with"),
]


@pytest.mark.parametrize(("change", "path", "word"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_cannot_work_is_refused_by_name(change: dict[str, Any], path: str, word: str) -> None:
    with pytest.raises(InputError) as caught:
        checks.check(arguments(**change))
    assert caught.value.path.startswith(path), caught.value
    assert word in str(caught.value)
    assert str(caught.value).count(". ") >= 1, "a reason follows the rule"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"managers": {"count": 1}},
        {"managers": {"count": 7.0}},
        {"worker_pools": [{"name": "a", "min_size": 0}]},
        {"worker_pools": [{"name": "a", "purchase": "mixed", "instance_types": ["m7i.large", "m7a.large"]}]},
        {"worker_pools": [{"name": "a", "labels": {"disk": "ssd", "com.example.tier": "front end, 2"}}]},
        {"operator_cidrs": ["203.0.113.7/32", "10.0.0.0/8"]},
        {"address_pools": ["10.128.0.0/20"]},
        {"published_ports": [OUTSIDE, {"port": 443, "target_port": 80, "cidrs": ["0.0.0.0/0"]}]},
        {"image": {"architecture": "arm64", "id": "ami-0123456789abcdef0", "preinstalled": True}},
        {"token_rotation_days": 0},
    ],
)
def test_what_works_passes(change: dict[str, Any]) -> None:
    checks.check(arguments(**change))


def test_no_way_out_needs_exactly_these_endpoints() -> None:
    assert endpoints.required(has_published_ports=False) == [
        "autoscaling",
        "ec2",
        "ecr.api",
        "ecr.dkr",
        "logs",
        "secretsmanager",
        "ssm",
        "ssmmessages",
    ]
    with_ports = endpoints.required(has_published_ports=True)
    assert set(with_ports) - set(endpoints.required(has_published_ports=False)) == {"elasticloadbalancing"}


@pytest.mark.parametrize("left_out", endpoints.required(has_published_ports=True))
def test_no_way_out_and_an_endpoint_missing_is_refused_by_the_endpoints_name(left_out: str) -> None:
    held = [name for name in endpoints.required(has_published_ports=True) if name != left_out]
    network = {"has_internet_egress": False, "interface_endpoints": held}
    with pytest.raises(InputError, match=rf"^network\.interface_endpoints: .* also hold {left_out}\."):
        checks.check(arguments(network=network, published_ports=[OUTSIDE]))


def test_no_way_out_needs_an_image_that_holds_everything() -> None:
    network = {"has_internet_egress": False, "interface_endpoints": endpoints.required(has_published_ports=False)}
    with pytest.raises(InputError, match=r"^image\.preinstalled: got False"):
        checks.check(arguments(network=network))
    checks.check(arguments(network=network, image={"id": "ami-0123456789abcdef0", "preinstalled": True}))


def test_what_is_not_known_yet_of_the_network_is_not_judged() -> None:
    network = {"vpc_id": "", "cidr": "", "zones": [], "private_subnet_ids": []}
    made = checks.check(arguments(network=network))
    assert checks.warnings(made) == []


@pytest.mark.parametrize(
    ("managers", "zones", "word"),
    [
        (1, 3, "managers.count is 1"),
        (3, 1, "3 managers over 1 zone"),
        (3, 2, "3 managers over 2 zone"),
        (5, 2, "5 managers"),
    ],
)
def test_a_zone_or_manager_that_must_not_be_lost_is_warned_of(managers: int, zones: int, word: str) -> None:
    (warning,) = checks.warnings(checks.check(arguments(zones, managers={"count": managers})))
    assert word in warning


@pytest.mark.parametrize("managers", [3, 5, 7])
def test_three_zones_survive_the_loss_of_one_and_no_warning_is_given(managers: int) -> None:
    assert checks.warnings(checks.check(arguments(3, managers={"count": managers}))) == []


def test_autolock_is_warned_of_since_it_does_not_heal_the_loss_of_the_majority() -> None:
    (warning,) = checks.warnings(checks.check(arguments(3, enable_autolock=True)))
    assert "majority" in warning
