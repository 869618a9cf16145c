"""``cluster.kind: eks`` through the whole program, with a recording engine in place of Pulumi's."""

import json
from typing import Any

import pytest

from components.errors import InputError
from tests.engine import STACK_TYPE, Engine
from tests.golden_files import assert_golden
from tests.stack.conftest import PLANTED, ROOT, run_config, stack_config

POOLS = [
    {"name": "general"},
    {
        "name": "batch",
        "architecture": "arm64",
        "capacity": "spot",
        "instanceTypes": ["m7g.large", "m6g.large"],
        "minSize": 0,
        "maxSize": 10,
        "taints": [{"key": "workload", "value": "batch", "effect": "NoSchedule"}],
    },
]
CLUSTER = {"kind": "eks", "publicAccessCidrs": ["203.0.113.0/24"], "nodePools": POOLS}


def run(engine: Engine, *, preview: bool = False, **changes: Any) -> None:
    """A stack of two zones with two pools."""
    settings = {"network": {}, "cluster": CLUSTER, "monitoring": {}, "protection": "false", **changes}
    config = {**stack_config("dev"), **{f"timonel:{key}": value for key, value in settings.items()}}
    run_config(engine, "eks", config, preview=preview)


def test_the_stack_has_exactly_the_resources_of_its_golden(engine: Engine) -> None:
    run(engine)
    assert_golden("stacks/eks.txt", "".join(f"{urn}\n" for urn in engine.urns()))


def test_a_first_preview_asks_for_the_same_resources(engine: Engine) -> None:
    run(engine, preview=True)
    assert_golden("stacks/eks.txt", "".join(f"{urn}\n" for urn in engine.urns()))


def test_every_resource_belongs_to_a_component_and_protection_comes_after_all(engine: Engine) -> None:
    run(engine, protection="true")
    top = {r.typ for r in engine.resources if STACK_TYPE in r.parent}
    assert top == {
        "timonel:index:Network",
        "timonel:index:EksCluster",
        "timonel:index:EksSystem",
        "timonel:index:Protection",
        "pulumi:providers:kubernetes",
    }
    guard = engine.one("timonel:index:Protection")
    rest = {r.urn for r in engine.resources if r.custom and r.urn != guard.urn}
    assert rest <= set(guard.depends_on), "else what is missing here is deleted before the refusal"


def test_every_resource_that_takes_tags_is_found_by_the_stack_s(engine: Engine) -> None:
    run(engine, tags={"team": "sea"})
    tagged = [r for r in engine.resources if isinstance(r.inputs.get("tags"), dict)]
    assert len(tagged) > 20
    for resource in tagged:
        assert resource.inputs["tags"].items() >= {"timonel:stack": "timonel/eks", "team": "sea"}.items(), resource.urn


def test_subnets_carry_the_tags_by_which_load_balancers_find_them(engine: Engine) -> None:
    run(engine)
    for subnet in engine.of("aws:ec2/subnet:Subnet"):
        role = "internal-elb" if "private" in subnet.name else "elb"
        assert subnet.inputs["tags"][f"kubernetes.io/role/{role}"] == "1"


def test_the_kubeconfig_is_the_one_secret_output(engine: Engine) -> None:
    run(engine)
    named = {"kubeconfig", "clusterEndpoint", "clusterName", "oidcIssuer"}
    others = {"vpcId", "privateSubnetIds", "publicSubnetIds", "nodesSecurityGroupId"}
    assert {*engine.stack_outputs} == named | others
    page = (ROOT / "docs" / "stacks.md").read_text().partition("## Outputs")[2]
    assert [name for name in named | others if f"`{name}`" not in page] == [], "the docs name every output"
    secret = {name for name, value in engine.stack_outputs.items() if PLANTED in json.dumps(value)}
    assert secret == {"kubeconfig"}
    assert "1b47061264138c4ac30d75fd1eb44270" in engine.stack_outputs["kubeconfig"].values(), "it would be printed"


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"monitoring": {"kind": "prometheus"}}, "timonel:monitoring.kind", "Kubernetes are not made yet"),
        ({"network": {"zones": 1}}, "timonel:network.zones", "at least 2"),
        ({"cluster": {"kind": "eks", "version": "1.29"}}, "timonel:cluster.version", "1.35"),
        ({"cluster": {"kind": "eks", "version": "1.33"}}, "timonel:cluster.version", "standard support ended"),
        ({"cluster": {"kind": "eks", "publicAccessCidrs": ["0.0.0.0/0"]}}, "timonel:cluster.publicAccessCidrs", "0/0"),
        ({"cluster": {"kind": "eks", "admins": []}}, "timonel:cluster.admins", "nobody"),
        ({"cluster": {"kind": "eks", "serviceCidr": "10.20.0.0/16"}}, "timonel:cluster.serviceCidr", "VPC"),
        (
            {
                "cluster": {
                    "kind": "eks",
                    "nodePools": [{"name": "a", "architecture": "arm64", "instanceTypes": ["m5.large"]}],
                }
            },
            "timonel:cluster.nodePools[0].instanceTypes[0]",
            "arm64",
        ),
        ({"cluster": {"kind": "eks", "autoMode": True, "ebsCsi": True}}, "timonel:cluster.ebsCsi", "own driver"),
        (
            {"cluster": {"kind": "eks", "system": {"teardownTimeoutSeconds": 1}}},
            "timonel:cluster.system.teardownTimeoutSeconds",
            "60",
        ),
        ({"network": {"nat": "none"}}, "timonel:network.interfaceEndpoints", "eks-auth"),
    ],
)
def test_a_setting_that_the_component_refuses_is_named_by_its_key_before_anything_is_registered(
    engine: Engine, changes: dict[str, Any], key: str, reason: str
) -> None:
    with pytest.raises(InputError) as caught:
        run(engine, **changes)
    assert str(caught.value).startswith(key), str(caught.value)
    assert reason in str(caught.value)
    assert [r.urn for r in engine.resources if r.typ != STACK_TYPE] == []
