"""Settings: what is taken, and that what cannot work is named with key, value, rule and reason."""

import json
from typing import Any

import pydantic
import pytest

from components.hosts.args import Purchase
from components.network.args import NatStrategy
from stacks.descriptions import describe
from stacks.keys import key_of_argument
from stacks.settings import EksSettings, ExistingVpc, Section, SettingsError, SwarmSettings, parse

SWARM = {"kind": "swarm"}
SETTABLE: dict[type[Section], set[str]] = {
    SwarmSettings: {"managers"},
    EksSettings: {"cluster_name", "enable_auto_mode"},
    ExistingVpc: {"vpc_id"},
}
"""Settings of some sections that the platform gives to other components."""


def configuration(**settings: Any) -> dict[str, str]:
    """As Pulumi hands it over: namespaced keys, JSON for objects, bare text for scalars."""
    return {f"timonel:{k}": v if isinstance(v, str) else json.dumps(v) for k, v in settings.items()}


def failure(config: dict[str, str], secret: str = "") -> str:
    with pytest.raises(SettingsError) as caught:
        parse(config, "timonel", lambda key: key == secret)
    return str(caught.value)


def all_sections() -> list[type[Section]]:
    found, todo = [], [Section]
    while todo:
        todo += (section := todo.pop()).__subclasses__()
        found.append(section)
    return found[1:]


def test_what_a_stack_leaves_out_is_left_to_the_component() -> None:
    settings = parse(configuration(cluster=SWARM), "timonel")
    assert settings.network.to_args() == {}, "a default written here too would drift from the component's"
    assert settings.cluster.to_args() == {}
    assert settings.protection is False


def test_what_a_stack_sets_reaches_the_arguments_under_their_own_names() -> None:
    settings = parse(
        configuration(
            network={
                "zones": 3,
                "nat": "per-zone",
                "flowLogs": True,
                "existing": {"vpcId": "vpc-1", "privateSubnetIds": []},
            },
            cluster={
                **SWARM,
                "autolock": True,
                "managers": {"instanceType": "t3.large"},
                "workerPools": [{"name": "web", "purchase": "spot", "labels": {"a": "b"}}],
            },
            tags={"team": "sea"},
            protection="true",
        ),
        "timonel",
    )
    assert settings.network.to_args() == {
        "zone_count": 3,
        "nat": NatStrategy.PER_ZONE,
        "enable_flow_logs": True,
        "existing": {"vpc_id": "vpc-1", "private_subnet_ids": []},
    }
    assert settings.cluster.to_args() == {
        "enable_autolock": True,
        "managers": {"instance_type": "t3.large"},
        "worker_pools": [{"name": "web", "purchase": Purchase.SPOT, "labels": {"a": "b"}}],
    }
    assert settings.tags == {"team": "sea"}
    assert settings.protection is True


@pytest.mark.parametrize("section", all_sections(), ids=lambda s: s.__name__)
def test_a_section_has_exactly_the_fields_of_the_arguments_it_becomes(section: type[Section]) -> None:
    if section.arguments is None:
        return
    platform_gives = {
        "network", "enable_protection", "tags", "access", "operator_ports", "node_ports",
        "cluster", "address", "authority", "managers", "client_certificate_expires",
        "vpc_id", "cluster_name", "enable_auto_mode", "private_subnet_tags", "public_subnet_tags",
    } - SETTABLE.get(section, set())  # fmt: skip
    # `system` becomes another component's arguments.
    arguments = set(section.arguments.__annotations__) - platform_gives | (
        {"system"} if section is EksSettings else set()
    )
    assert set(section.model_fields) - {"kind"} == arguments - {"kind"}, (
        "a setting nobody reads, or an argument nobody can set"
    )
    required = {name for name, info in section.model_fields.items() if info.is_required()} - {"kind"}
    assert required == set(section.arguments.__required_keys__) - platform_gives - {"kind"}


@pytest.mark.parametrize("section", all_sections(), ids=lambda s: s.__name__)
def test_every_setting_says_what_it_is(section: type[Section]) -> None:
    for info in section.model_fields.values():
        assert describe(section, str(info.alias)), f"{section.__name__}.{info.alias} has no description"


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    settings = parse(configuration(cluster=SWARM), "timonel")
    with pytest.raises(pydantic.ValidationError):
        settings.protection = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "timonel:cluster: it must be given. Required."),
        ({"cluster": "swarm"}, 'timonel:cluster: got "swarm", but it must be an object'),
        ({"cluster": {}}, "timonel:cluster.kind: it must be given."),
        ({"cluster": {"kind": "nomad"}}, 'timonel:cluster.kind: got "nomad", but it must be one of swarm, eks.'),
        ({"cluster": {"kind": "eks", "nodePools": [{}]}}, "timonel:cluster.nodePools[0].name: it must be given. Req"),
        ({"cluster": {"kind": "eks", "managers": {}}}, "timonel:cluster.managers: got {}, but it must be a setting th"),
        ({"cluster": {"kind": "eks", "logTypes": ["all"]}}, 'timonel:cluster.logTypes[0]: got "all", but it must be'),
        (
            {"monitoring": {"kind": "nagios"}},
            'monitoring.kind: got "nagios", but it must be one of none, prometheus, datadog.',
        ),
        ({"clutser": SWARM}, "timonel:clutser: got {"),
        ({"clutser": SWARM}, "but it must be a setting that exists. Did you mean cluster?"),
        ({"network": {"zone_names": []}}, "timonel:network.zone_names: got [], but it must be a setting that exists."),
        ({"network": {"zone_names": []}}, "Did you mean zoneNames?"),
        ({"network": {"colour": 1}}, "There are: cidr, existing, flowLogRetentionDays"),
        ({"network": {"zones": "3"}}, 'timonel:network.zones: got "3", but it must be a whole number, without quotes.'),
        ({"network": {"zones": 2.5}}, "timonel:network.zones: got 2.5, but it must be a whole number"),
        ({"network": {"zones": True}}, "timonel:network.zones: got true, but it must be a whole number"),
        ({"network": {"zones": None}}, "timonel:network.zones: got null, but it must be a whole number"),
        ({"network": {"zones": "3"}}, "Number of availability zones, 1 to 6."),
        ({"network": {"nat": "both"}}, 'got "both", but it must be one of none, single, per-zone.'),
        ({"network": {"cidr": 10}}, "timonel:network.cidr: got 10, but it must be text"),
        ({"network": {"cidr": ""}}, 'timonel:network.cidr: got "", but it must not be empty'),
        ({"network": {"flowLogs": "yes"}}, 'got "yes", but it must be true or false, without quotes.'),
        ({"network": {"zoneNames": "us-east-1a"}}, 'got "us-east-1a", but it must be a list.'),
        ({"network": {"existing": {"vpcId": "vpc-1"}}}, "timonel:network.existing.privateSubnetIds: it must be given."),
        ({"cluster": {**SWARM, "managers": {"count": "three"}}}, 'timonel:cluster.managers.count: got "three"'),
        ({"cluster": {**SWARM, "workerPools": [{}]}}, "timonel:cluster.workerPools[0].name: it must be given."),
        (
            {"cluster": {**SWARM, "workerPools": [{"name": "a"}, {"name": "b", "purchase": "spt"}]}},
            'timonel:cluster.workerPools[1].purchase: got "spt", but it must be one of on-demand, spot, mixed.',
        ),
        (
            {"cluster": {**SWARM, "workerPools": [{"name": "a", "labels": {"x": 1}}]}},
            "timonel:cluster.workerPools[0].labels.x: got 1, but it must be text (quote it when",
        ),
        (
            {"cluster": {**SWARM, "publishedPorts": [{"port": 80}]}},
            "timonel:cluster.publishedPorts[0].cidrs: it must be",
        ),
        ({"cluster": {**SWARM, "image": {"architecture": "arm"}}}, "but it must be one of amd64, arm64."),
        ({"tags": ["a"]}, 'timonel:tags: got ["a"], but it must be an object'),
        ({"protection": "maybe"}, 'timonel:protection: got "maybe", but it must be true or false'),
    ],
)
def test_a_setting_that_cannot_work_is_named_with_value_and_rule(settings: dict[str, Any], words: str) -> None:
    wanted = {"cluster": SWARM, **settings} if settings and "clutser" not in settings else settings
    assert words in failure(configuration(**wanted))


def test_all_problems_are_told_at_once() -> None:
    text = failure(configuration(network={"zones": "a", "nat": "b"}, cluster={**SWARM, "x": 1}, y=2))
    assert text.startswith("4 settings cannot work; nothing was changed:\n")
    assert len(text.splitlines()) == 5


def test_a_wrong_kind_is_not_drowned_in_complaints_about_its_other_keys() -> None:
    text = failure(configuration(cluster={"kind": "nomad", "nodeGroups": [], "version": "1.34"}))
    assert len(text.splitlines()) == 2, text


def test_a_misspelt_namespace_is_found_and_other_namespaces_are_let_be() -> None:
    text = failure({**configuration(cluster=SWARM), "timonle:network": '{"zones": 3}', "aws:region": "us-east-1"})
    assert "timonle:network" in text
    assert "Did you mean timonel:network?" in text
    assert "aws:region" not in text


def test_a_secret_value_is_never_shown() -> None:
    config = configuration(cluster={**SWARM, "managers": {"count": "hunter2"}})
    text = failure(config, secret="timonel:cluster")
    assert "hunter2" not in text
    assert "timonel:cluster.managers.count: got a secret, but it must be a whole number" in text


def test_an_error_is_shown_without_a_stack_trace() -> None:
    import pulumi

    assert issubclass(SettingsError, pulumi.RunError)


@pytest.mark.parametrize(
    ("section", "path", "key"),
    [
        ("network", "zone_count", "timonel:network.zones"),
        ("network", "existing.vpc_id", "timonel:network.existing.vpcId"),
        ("cluster", "managers.count", "timonel:cluster.managers.count"),
        ("cluster", "worker_pools[0].min_size", "timonel:cluster.workerPools[0].minSize"),
        ("cluster", "worker_pools[my_pool].disk_gib", "timonel:cluster.workerPools[my_pool].diskGib"),
        ("cluster", "enable_overlay_encryption", "timonel:cluster.overlayEncryption"),
        ("cluster", "network.interface_endpoints", "timonel:network.interfaceEndpoints"),
        ("cluster", "network.zones", "timonel:network.zones"),
        ("cluster", "tags", "timonel:tags"),
        ("network", "tags.a_b", "timonel:tags.a_b"),
        ("cluster", "enable_protection", "timonel:protection"),
    ],
)
def test_a_component_s_argument_is_named_by_the_setting_it_came_from(section: str, path: str, key: str) -> None:
    settings = parse(configuration(cluster=SWARM), "timonel")
    assert key_of_argument(settings, "timonel", section, path) == key
