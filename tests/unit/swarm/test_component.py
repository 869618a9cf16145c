"""SwarmCluster: what is made, in which order it goes, and what is refused before anything is made."""

from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.cluster import Cluster, Platform
from components.errors import InputError
from components.swarm.component import SwarmCluster
from tests.engine import Engine, Json, RefusedError
from tests.unit.swarm.args import arguments
from tests.unit.swarm.conftest import AGENT, MakeSwarm

GROUP = "aws:autoscaling/group:Group"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
MARK = "timonel:index:ClosingMark"
WEB = {"port": 80, "target_port": 8080, "cidrs": ["0.0.0.0/0"]}


def rules(engine: Engine, kind: str) -> set[tuple[str, str, str, str]]:
    """(group, protocol, port, peer) of every rule, names without what the mock puts around them."""

    def short(identity: str) -> str:
        return identity.removeprefix("swarm-security-").removesuffix("-id")

    def one(rule: Json) -> tuple[str, str, str, str]:
        port = "any" if "fromPort" not in rule else f"{rule['fromPort']:.0f}"
        assert rule.get("fromPort") == rule.get("toPort")
        peer = rule.get("cidrIpv4") or short(rule["referencedSecurityGroupId"])
        return short(rule["securityGroupId"]), rule["ipProtocol"], port, peer

    return {one(rule.inputs) for rule in engine.of(kind)}


def test_nodes_take_exactly_swarms_ports_from_each_other_and_the_api_from_its_balancer(
    engine: Engine, make_swarm: MakeSwarm
) -> None:
    make_swarm(operator_cidrs=["203.0.113.0/24"])
    assert rules(engine, INGRESS) == {
        ("nodes", "tcp", "7946", "nodes"),
        ("nodes", "udp", "7946", "nodes"),
        ("nodes", "udp", "4789", "nodes"),
        ("managers", "tcp", "2377", "nodes"),
        ("managers", "tcp", "2376", "api"),
        ("managers", "tcp", "2378", "api"),
        ("api", "tcp", "2376", "10.20.0.0/16"),
        ("api", "tcp", "2376", "203.0.113.0/24"),
    }
    assert rules(engine, EGRESS) == {
        ("nodes", "-1", "any", "0.0.0.0/0"),
        ("api", "tcp", "2376", "managers"),
        ("api", "tcp", "2378", "managers"),
    }


def test_esp_is_open_among_the_nodes_only_when_overlay_encryption_is_asked_for(
    engine: Engine, make_swarm: MakeSwarm
) -> None:
    make_swarm(enable_overlay_encryption=True)
    assert ("nodes", "50", "any", "nodes") in rules(engine, INGRESS)


def test_published_ports_reach_the_workers_through_their_balancer_only(engine: Engine, make_swarm: MakeSwarm) -> None:
    cluster = make_swarm(worker_pools=[{"name": "web"}], published_ports=[WEB, {**WEB, "port": 443}])
    found = rules(engine, INGRESS)
    assert ("services", "tcp", "80", "0.0.0.0/0") in found
    assert ("services", "tcp", "443", "0.0.0.0/0") in found
    assert {rule for rule in found if rule[2] == "8080"} == {("nodes", "tcp", "8080", "services")}, (
        "one rule, two ports"
    )
    targets = engine.one(GROUP, "swarm-workers-web-group").inputs["targetGroupArns"]
    assert [target.split(":")[-1] for target in targets] == ["swarm-p80", "swarm-p443"]
    assert len(engine.one(GROUP, "swarm-managers-group").inputs["targetGroupArns"]) == 1, "the API's alone"
    assert engine.value(cluster.services_dns).startswith("swarm-svc.")


def test_without_workers_the_managers_run_the_services(engine: Engine, make_swarm: MakeSwarm) -> None:
    make_swarm(published_ports=[WEB])
    targets = engine.one(GROUP, "swarm-managers-group").inputs["targetGroupArns"]
    assert [target.split(":")[-1] for target in targets] == ["swarm-api", "swarm-p80"]


def test_without_published_ports_there_is_no_balancer_for_them(engine: Engine, make_swarm: MakeSwarm) -> None:
    cluster = make_swarm()
    assert [balancer.name for balancer in engine.of(BALANCER)] == ["swarm-api"]
    assert engine.value(cluster.services_dns) == ""


@pytest.mark.parametrize(
    ("operators", "has_public_subnets", "is_internal"),
    [
        ([], True, True),
        (["10.9.0.0/16"], True, True),
        (["203.0.113.0/24"], False, True),
        (["203.0.113.0/24"], True, False),
    ],
)
def test_the_docker_api_faces_the_internet_only_for_operators_who_come_from_there(
    engine: Engine, make_swarm: MakeSwarm, operators: list[str], has_public_subnets: bool, is_internal: bool
) -> None:
    args: Any = arguments(2, operator_cidrs=operators)
    if not has_public_subnets:
        del args["network"]["public_subnet_ids"]
    engine.run(lambda: SwarmCluster("swarm", args))
    balancer = engine.one(BALANCER).inputs
    assert balancer["internal"] is is_internal
    place = "private" if is_internal else "public"
    assert balancer["subnets"] == [f"subnet-{place}-0", f"subnet-{place}-1"]
    assert balancer["securityGroups"] == ["swarm-security-api-id"], "AWS takes them at creation only"


def test_a_manager_without_a_leader_gets_no_traffic(engine: Engine, make_swarm: MakeSwarm) -> None:
    make_swarm()
    check = engine.one("aws:lb/targetGroup:TargetGroup").inputs["healthCheck"]
    assert (check["protocol"], check["port"], check["path"]) == ("HTTP", "2378", "/healthz")
    listener = engine.one("aws:lb/listener:Listener").inputs
    assert (listener["port"], listener["protocol"]) == (2376, "TCP"), "TLS passes through to dockerd unopened"


def test_three_zones_have_a_manager_group_each_in_its_own_subnet(engine: Engine, make_swarm: MakeSwarm) -> None:
    cluster = make_swarm(3, managers={"count": 5})
    groups = {group.name: group.inputs for group in engine.of(GROUP)}
    assert {name: (group["desiredCapacity"], group["vpcZoneIdentifiers"]) for name, group in groups.items()} == {
        "swarm-managers-0-group": (2, ["subnet-private-0"]),
        "swarm-managers-1-group": (2, ["subnet-private-1"]),
        "swarm-managers-2-group": (1, ["subnet-private-2"]),
    }
    assert engine.value(cluster.manager_group_names) == list(groups)


def test_a_resize_of_managers_changes_no_user_data(make_swarm: MakeSwarm, engine: Engine) -> None:
    def user_data(count: int) -> str:
        engine.resources.clear()
        make_swarm(3, managers={"count": count})
        return str(engine.one("aws:ec2/launchTemplate:LaunchTemplate", "swarm-managers-0-template").inputs["userData"])

    assert user_data(3) == user_data(5), "it would replace every manager"


def test_destroy_sets_the_closing_mark_before_it_touches_groups_hooks_or_the_bucket(
    engine: Engine, make_swarm: MakeSwarm
) -> None:
    make_swarm(3, worker_pools=[{"name": "web"}])
    before = set(engine.one(MARK).depends_on)
    needed = [
        *engine.of(GROUP),
        *engine.of("aws:autoscaling/lifecycleHook:LifecycleHook"),
        *engine.of("aws:s3/bucketPolicy:BucketPolicy"),
        *engine.of("aws:s3/bucket:Bucket"),
    ]
    assert {resource.urn for resource in needed} <= before


def test_the_gate_is_made_unless_told_otherwise_and_nothing_hangs_on_it(engine: Engine, make_swarm: MakeSwarm) -> None:
    make_swarm(readiness={"enabled": False})
    assert engine.of("timonel:index:ReadyCluster") == []
    engine.resources.clear()
    make_swarm(worker_pools=[{"name": "web"}], readiness={"timeout_seconds": 60.0})
    gate = engine.one("timonel:index:ReadyCluster")
    assert gate.inputs["managerGroups"] == ["swarm-managers-group"]
    assert gate.inputs["workerGroups"] == ["swarm-workers-web-group"]
    assert gate.inputs["timeoutSeconds"] == 60
    assert gate.inputs["triggers"]["group 0"] == "swarm-managers-template-id/1", "a refresh is waited for"
    assert engine.one(MARK).urn in gate.depends_on, "an up that fails in the gate can still be destroyed in order"
    assert not [found.name for found in engine.resources if gate.urn in found.depends_on]


def test_it_is_a_cluster_as_the_rest_of_the_program_knows_it(engine: Engine, make_swarm: MakeSwarm) -> None:
    engine.computed["timonel:index:CertificateAuthority"] = {"certificate": "CA", "fingerprint": "f"}
    engine.computed["timonel:index:ClientCertificate"] = {"certificate": "CERT", "privateKey": "KEY"}
    cluster: Cluster = make_swarm()
    assert cluster.platform is Platform.SWARM
    found = {key: engine.value(value) for key, value in cluster.provider_args.items()}
    endpoint = "tcp://swarm-api.lb.us-east-1.amazonaws.com:2376"
    assert found == {"host": endpoint, "ca_material": "CA", "cert_material": "CERT", "key_material": "KEY"}
    assert engine.is_secret(pulumi.Output.from_input(cluster.provider_args["key_material"]))
    assert engine.value(cluster.nodes_security_group_id) == "swarm-security-nodes-id"
    assert engine.value(cluster.lifeline.urn) == engine.one("aws:s3/bucket:Bucket").urn


def test_the_managers_part_is_under_their_key_and_workers_can_fetch_the_agent(
    engine: Engine, make_swarm: MakeSwarm
) -> None:
    make_swarm()
    key = engine.one("aws:kms/key:Key")
    assert key.inputs["enableKeyRotation"] is True
    secrets = {secret.name.split("-")[-1]: secret.inputs for secret in engine.of("aws:secretsmanager/secret:Secret")}
    assert secrets["ca"]["kmsKeyId"] == secrets["managers"]["kmsKeyId"] == key.outputs["arn"]
    assert "kmsKeyId" not in secrets["workers"]
    agent = engine.one("aws:s3/bucketObject:BucketObject").inputs
    assert (agent["key"], agent["serverSideEncryption"]) == (AGENT.key, "AES256")


def test_a_stack_without_protection_goes_without_flags_and_at_once(engine: Engine, make_swarm: MakeSwarm) -> None:
    make_swarm()
    assert engine.one("aws:s3/bucket:Bucket").inputs["forceDestroy"] is True
    assert {secret.inputs["recoveryWindowInDays"] for secret in engine.of("aws:secretsmanager/secret:Secret")} == {0}
    assert not [found.name for found in engine.resources if found.protect]


def test_protection_keeps_what_holds_data_and_the_balancers(engine: Engine, make_swarm: MakeSwarm) -> None:
    make_swarm(enable_protection=True, published_ports=[WEB])
    assert engine.one("aws:s3/bucket:Bucket").inputs["forceDestroy"] is False
    assert all(balancer.inputs["enableDeletionProtection"] for balancer in engine.of(BALANCER))
    assert {found.name for found in engine.resources if found.protect} == {
        "swarm-api",
        "swarm-svc",
        "swarm-state-bucket",
        "swarm-state-key",
        "swarm-state-ca",
        "swarm-state-managers",
        "swarm-state-workers",
    }


UNTAGGABLE = (
    "timonel:",
    "aws:autoscaling/",  # groups have a list of tags, looked at apart
    "aws:iam/rolePolicy:",
    "aws:s3/bucketVersioning:",
    "aws:s3/bucketServerSideEncryptionConfiguration:",
    "aws:s3/bucketPublicAccessBlock:",
    "aws:s3/bucketPolicy:",
    "aws:s3/bucketLifecycleConfiguration:",
    "aws:s3/bucketObject:",  # an object takes 10 tags at most, and is found by its bucket
)


def test_everything_that_takes_tags_has_the_users_and_the_stacks(engine: Engine, make_swarm: MakeSwarm) -> None:
    make_swarm(tags={"team": "infra"}, worker_pools=[{"name": "web"}], published_ports=[WEB])
    tagged = [found for found in engine.resources if not found.typ.startswith(UNTAGGABLE)]
    assert len(tagged) > 30
    for found in tagged:
        own = found.inputs["tags"]
        assert own["team"] == "infra", found.name
        assert own["timonel:stack"] == "timonel/test", found.name
        assert own["Name"].startswith("swarm"), found.name
    for group in engine.of(GROUP):
        own = {tag["key"]: tag["value"] for tag in group.inputs["tags"]}
        assert own["timonel:cluster"] == "swarm-state-bucket-id", "IAM conditions and agents look for it"
        assert (own["timonel:role"], own["timonel:pool"]) in {("manager", "managers"), ("worker", "web")}


def test_every_resource_is_a_descendant_and_follows_the_given_provider(engine: Engine, make_swarm: MakeSwarm) -> None:
    def program() -> None:
        west = aws.Provider("west", region="us-west-2")
        SwarmCluster("swarm", arguments(3), pulumi.ResourceOptions(provider=west))

    engine.run(program)
    made = [found for found in engine.resources if not found.typ.startswith("pulumi:providers")]
    assert all("timonel:index:SwarmCluster" in found.urn for found in made)
    assert all("::west::" in found.provider for found in made if found.typ.startswith("aws:"))
    assert all("::west::" in call.provider for call in engine.invokes)
    parents: dict[str, int] = {}
    for found in made:
        parents[found.parent] = parents.get(found.parent, 0) + 1
    assert max(parents.values()) <= 30, "a reader of the tree sees groups, not a list"


def test_what_the_checks_refuse_is_refused_before_anything_is_registered(engine: Engine, make_swarm: MakeSwarm) -> None:
    with pytest.raises(InputError, match=r"^managers\.count: got 2"):
        make_swarm(managers={"count": 2})
    with pytest.raises(InputError, match=r"^name: got"):
        engine.run(lambda: SwarmCluster("Swarm", arguments()))
    assert engine.resources == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"image": {"architecture": "arm64", "id": "ami-0123456789abcdef0"}}, "image.id"),
        ({"managers": {"instance_type": "t4g.small"}}, "managers.instance_type"),
        (
            {"worker_pools": [{"name": "a"}, {"name": "b", "instance_types": ["m7g.large"]}]},
            "worker_pools[1].instance_types[0]",
        ),
        ({"image": {"architecture": "arm64"}, "managers": {"instance_type": "t3.small"}}, "managers.instance_type"),
    ],
)
def test_an_image_and_instance_types_of_two_architectures_are_refused_with_nothing_made(
    engine: Engine, make_swarm: MakeSwarm, change: dict[str, Any], path: str
) -> None:
    with pytest.raises(InputError) as caught:
        make_swarm(**change)
    assert caught.value.path == path
    assert [found.typ for found in engine.resources if found.custom] == []


def test_arm64_needs_no_more_than_its_name(engine: Engine, make_swarm: MakeSwarm) -> None:
    engine.answers["aws:ec2/getAmi:getAmi"] = {"architecture": "arm64", "rootDeviceName": "/dev/sda1"}
    make_swarm(image={"architecture": "arm64"}, worker_pools=[{"name": "web"}])
    templates = engine.of("aws:ec2/launchTemplate:LaunchTemplate")
    assert {template.inputs["instanceType"] for template in templates} == {"t4g.small"}
    (call,) = engine.invoked("aws:ec2/getAmi:getAmi")
    assert call.args["owners"] == ["099720109477"], "a pinned image must be Canonical's"
    assert call.args["filters"] == [{"name": "image-id", "values": [templates[0].inputs["imageId"]]}]


def test_an_image_that_aws_does_not_know_is_refused_by_its_id(engine: Engine, make_swarm: MakeSwarm) -> None:
    def nothing(_: Json) -> Json:
        raise RefusedError("your query returned no results")

    engine.answers["aws:ec2/getAmi:getAmi"] = nothing
    with pytest.raises(InputError, match=r"^image\.id: got 'ami-0123456789abcdef0'.*returned no results"):
        make_swarm(image={"id": "ami-0123456789abcdef0"})


def test_a_region_without_a_pinned_image_is_refused_with_the_command(engine: Engine, make_swarm: MakeSwarm) -> None:
    engine.answers["aws:index/getRegion:getRegion"] = {"region": "xx-nowhere-1", "name": "xx-nowhere-1"}
    with pytest.raises(InputError, match=r"components\.versions refresh xx-nowhere-1"):
        make_swarm()


def test_one_manager_is_warned_of_and_made(engine: Engine, make_swarm: MakeSwarm) -> None:
    make_swarm(managers={"count": 1})
    assert any("managers.count is 1" in warning for warning in engine.warnings)
    assert engine.one(GROUP).inputs["desiredCapacity"] == 1


def test_a_preview_of_nothing_yet_works_with_every_output_unknown(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.hosts import artefact

    monkeypatch.setattr(artefact, "build", lambda: AGENT)
    args = arguments(3, worker_pools=[{"name": "web"}], published_ports=[WEB], readiness={"enabled": True})
    engine.run(lambda: SwarmCluster("swarm", args), preview=True)
    assert len(engine.of(GROUP)) == 4


def test_operators_ports_go_the_docker_api_s_way_to_the_managers_and_nodes_ports_stay_among_nodes(
    engine: Engine, make_swarm: MakeSwarm
) -> None:
    make_swarm(operator_cidrs=["203.0.113.0/24"], operator_ports=[9090], node_ports=[9100])
    entering = rules(engine, INGRESS)
    assert {peer for group, _, port, peer in entering if (group, port) == ("api", "9090")} == {
        peer for group, _, port, peer in entering if (group, port) == ("api", "2376")
    }, "the same people reach both"
    assert ("managers", "tcp", "9090", "api") in entering
    assert {peer for _, _, port, peer in entering if port == "9100"} == {"nodes"}, "scraped from inside only"
    listeners = {listener.inputs["port"] for listener in engine.of("aws:lb/listener:Listener")}
    assert listeners == {2376, 9090}
    for group in engine.of(GROUP):
        expected = 2 if "managers" in group.name else 0
        assert len(group.inputs.get("targetGroupArns", [])) == expected, group.name
