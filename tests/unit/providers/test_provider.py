"""The provider's answers: checks, names, previews, tags, secrets, drift."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.provider.experimental import provider as sdk

from sandbox.providers import serve, values
from sandbox.providers.aws import client, configuration
from sandbox.providers.aws.hooks_autoscaling import seconds
from sandbox.providers.values import UNKNOWN
from tests.unit.providers.driver import PACKAGE, Driver, Resource

CHECKOUT = Path(__file__).parents[3]
VPC = "aws:ec2/vpc:Vpc"
ROLE = "aws:iam/role:Role"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
    }
)


@pytest.fixture
def offline() -> Driver:
    """A provider without an API: what needs one fails."""
    return Driver()


def reasons(driver: Driver, token: str, given: dict[str, Any]) -> dict[str, str]:
    answer = driver.check(Resource(driver, token, "thing"), given)
    return {item.property: item.reason for item in answer.failures or []}


@pytest.mark.parametrize(
    ("given", "name", "words"),
    [
        ({"cidrBlok": "10.0.0.0/16"}, "cidrBlok", "has no property"),
        ({"ipv4IpamPoolId": "ipam"}, "ipv4IpamPoolId", "stand-in for the AWS provider does not support"),
        ({"enableDnsSupport": "maybe"}, "enableDnsSupport", "must be of type boolean"),
        ({"tags": ["a"]}, "tags", "must be a map"),
    ],
)
def test_a_wrong_input_is_named_with_token_property_and_reason(
    offline: Driver, given: dict[str, Any], name: str, words: str
) -> None:
    found = reasons(offline, VPC, given)
    assert found.keys() == {name} and words in found[name] and VPC in found[name]


def test_a_missing_input_and_a_nested_one_are_named_by_their_path(offline: Driver) -> None:
    assert "required" in reasons(offline, "aws:ec2/subnet:Subnet", {})["vpcId"]
    group = {
        "minSize": 1,
        "maxSize": 1,
        "instanceRefresh": {"strategy": "Rolling", "preferences": {"instanceWarmpu": "1"}},
    }
    found = reasons(offline, "aws:autoscaling/group:Group", group)
    assert ".preferences.instanceWarmpu" in found["instanceRefresh"]


def test_a_nested_property_that_the_row_refuses_is_an_error_and_never_dropped(offline: Driver) -> None:
    given = {"bucket": "b", "versioningConfiguration": {"status": "Enabled", "mfaDelete": "Enabled"}}
    found = reasons(offline, "aws:s3/bucketVersioning:BucketVersioning", given)
    assert "versioningConfiguration.mfaDelete" in found["versioningConfiguration"]


def test_properties_that_exclude_each_other_are_refused(offline: Driver) -> None:
    given = {"vpcId": "v", "cidrBlock": "10.0.0.0/24", "availabilityZone": "a", "availabilityZoneId": "b"}
    assert "together" in reasons(offline, "aws:ec2/subnet:Subnet", given)["availabilityZoneId"]


def test_an_unknown_input_passes_every_check(offline: Driver) -> None:
    assert reasons(offline, "aws:ec2/subnet:Subnet", {"vpcId": UNKNOWN, "cidrBlock": UNKNOWN, "tags": UNKNOWN}) == {}


@pytest.mark.parametrize("token", ["aws:ec2/vpcc:Vpcc", "aws:rds/instance:Instance"])
def test_a_token_that_is_unknown_or_not_in_the_table_is_an_error(offline: Driver, token: str) -> None:
    with pytest.raises(serve.ProviderError, match=token):
        reasons(offline, token, {})


def test_a_physical_name_is_the_logical_one_with_seven_digits_and_stays(offline: Driver) -> None:
    resource = Resource(offline, ROLE, "node-role")
    resource.inputs = offline.checked(resource, {"assumeRolePolicy": TRUST})
    first = values.from_wire(resource.inputs)[0]
    assert first["name"].startswith("node-role-") and len(first["name"]) == len("node-role-") + 7
    again = values.from_wire(offline.checked(resource, {"assumeRolePolicy": TRUST}))[0]
    assert again["name"] == first["name"], "a second check must not invent another name"
    given = values.from_wire(offline.checked(resource, {"assumeRolePolicy": TRUST, "name": "mine"}))[0]
    assert given["name"] == "mine" and given["__defaults"] == []


def test_a_logical_name_that_leaves_no_room_is_refused(offline: Driver) -> None:
    answer = offline.check(Resource(offline, "aws:lb/targetGroup:TargetGroup", "x" * 25), {})
    assert [item.property for item in answer.failures] == ["name"], "32 characters are AWS's limit"


@pytest.mark.parametrize(("name", "before"), [({}, False), ({"name": "fixed"}, True)])
def test_a_resource_with_a_fixed_name_is_deleted_before_it_is_replaced(
    offline: Driver, name: dict[str, str], before: bool
) -> None:
    resource = Resource(offline, ROLE, "thing")
    resource.inputs = offline.checked(resource, {"assumeRolePolicy": TRUST, **name})
    resource.state = resource.inputs
    difference = offline.diff(resource, {"assumeRolePolicy": TRUST, "path": "/x/", **name})
    assert difference.replaces == ["path"] and difference.delete_before_replace is before


def test_a_preview_of_a_create_tells_what_is_known_and_needs_no_api(offline: Driver) -> None:
    resource = Resource(offline, VPC, "thing")
    inputs = offline.checked(resource, {"cidrBlock": "10.0.0.0/16", "tags": {"a": "b"}})
    answer = asyncio.run(offline.provider.create(sdk.CreateRequest(resource.urn, inputs, 0, preview=True)))
    known, _ = values.from_wire(answer.properties)
    assert known["cidrBlock"] == "10.0.0.0/16" and known["tagsAll"] == {"a": "b"}
    assert known["arn"] == UNKNOWN and "ipv4IpamPoolId" not in known


def test_a_preview_of_an_update_keeps_what_stays_and_does_not_know_what_moves(offline: Driver) -> None:
    resource = Resource(offline, "aws:ec2/launchTemplate:LaunchTemplate", "thing")
    resource.inputs = offline.checked(resource, {"instanceType": "t3.small"})
    state = {**values.from_wire(resource.inputs)[0], "latestVersion": 1, "arn": "arn:x"}
    resource.state = values.to_wire(state)
    inputs = offline.checked(resource, {"instanceType": "t3.medium"})
    request = sdk.UpdateRequest(resource.urn, "lt-1", resource.state, inputs, 0, [], preview=True)
    known, _ = values.from_wire(asyncio.run(offline.provider.update(request)).properties)
    assert known["arn"] == "arn:x" and known["latestVersion"] == UNKNOWN, "a new version gets a number that AWS decides"


def test_a_changed_file_is_a_change_though_its_path_is_the_same(offline: Driver, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_text("one")
    resource = Resource(offline, "aws:s3/bucketObjectv2:BucketObjectv2", "thing")
    given = {"bucket": "b", "source": pulumi.FileAsset(str(file))}
    resource.inputs = offline.checked(resource, given)
    resource.state = resource.inputs
    assert not offline.diff(resource, given).changes
    file.write_text("two")
    assert offline.diff(resource, given).diffs == ["source"]


def test_default_tags_are_merged_and_a_change_of_them_is_a_diff(endpoint: str) -> None:
    driver = Driver(endpoint, default_tags={"team": "a", "Name": "default"})
    resource = driver.create(VPC, {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "own"}})
    assert resource.outputs["tagsAll"] == {"team": "a", "Name": "own"}
    assert resource.outputs["tags"] == {"Name": "own"}, "the defaults are not the resource's own"
    assert (
        driver.refresh(resource)
        and not driver.diff(resource, {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "own"}}).changes
    )
    other = Driver(endpoint, default_tags={"team": "b"})
    assert other.diff(resource, {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "own"}}).diffs == ["tagsAll"]
    other.update(resource, {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "own"}})
    assert resource.outputs["tagsAll"] == {"team": "b", "Name": "own"}


def test_ignored_tags_are_neither_read_nor_removed(endpoint: str) -> None:
    driver = Driver(endpoint, ignore_tag_prefixes=("kubernetes.io/",))
    resource = driver.create(VPC, {"cidrBlock": "10.0.0.0/16", "tags": {"a": "b"}})
    tag = {"Key": "kubernetes.io/x", "Value": "y"}
    driver.api.call("ec2", "CreateTags", {"Resources": [resource.id], "Tags": [tag]})
    assert driver.refresh(resource) and resource.outputs["tagsAll"] == {"a": "b"}
    driver.update(resource, {"cidrBlock": "10.0.0.0/16", "tags": {"a": "c"}})
    found = driver.api.call("ec2", "DescribeVpcs", {"VpcIds": [resource.id]})["Vpcs"][0]["Tags"]
    assert tag in found


def test_a_change_behind_pulumi_s_back_shows_after_a_refresh(driver: Driver) -> None:
    given = {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "a"}}
    resource = driver.create(VPC, given)
    driver.api.call("ec2", "ModifyVpcAttribute", {"VpcId": resource.id, "EnableDnsSupport": {"Value": False}})
    driver.api.call("ec2", "CreateTags", {"Resources": [resource.id], "Tags": [{"Key": "new", "Value": "x"}]})
    assert driver.refresh(resource)
    difference = driver.diff(resource, given)
    assert set(difference.diffs) == {"enableDnsSupport", "tags"} and not difference.replaces
    driver.update(resource, given)
    assert resource.outputs["enableDnsSupport"] is True and resource.outputs["tagsAll"] == {"Name": "a"}


def test_a_resource_that_somebody_deleted_is_gone_after_a_refresh(driver: Driver) -> None:
    resource = driver.create(VPC, {"cidrBlock": "10.0.0.0/16"})
    driver.api.call("ec2", "DeleteVpc", {"VpcId": resource.id})
    assert not driver.refresh(resource)


def test_a_secret_input_stays_secret_and_is_in_no_error(driver: Driver) -> None:
    planted = "planted-secret-value"
    token, given = "aws:secretsmanager/secret:Secret", {"description": planted}
    resource = driver.create(token, given, secrets=("description",))
    assert resource.state["description"].is_secret
    assert (
        driver.refresh(resource)
        and resource.state["description"].is_secret
        and resource.inputs["description"].is_secret
    )
    with pytest.raises(serve.ProviderError) as caught:
        driver.create("aws:ec2/subnet:Subnet", {"vpcId": planted, "cidrBlock": "10.0.0.0/24"}, secrets=("vpcId",))
    assert planted not in str(caught.value) and "[secret]" in str(caught.value), "the API's message names the id"


def test_a_secret_tag_is_secret_in_every_output_that_repeats_it(offline: Driver) -> None:
    resource = Resource(offline, VPC, "thing")
    inputs = offline.checked(resource, {"cidrBlock": "10.0.0.0/16", "tags": {"a": "planted"}}, secrets=("tags",))
    answer = asyncio.run(offline.provider.create(sdk.CreateRequest(resource.urn, inputs, 0, preview=True)))
    assert answer.properties["tags"].is_secret and answer.properties["tagsAll"].is_secret


def test_what_was_made_but_did_not_become_whole_is_reported_with_its_id(driver: Driver) -> None:
    with pytest.raises(serve.InitError) as caught:
        driver.create("aws:ec2/internetGateway:InternetGateway", {"vpcId": "vpc-0123456789abcdef0"})
    assert caught.value.resource_id.startswith("igw-"), "else the gateway would be lost to the state"
    vpc = driver.create(VPC, {"cidrBlock": "10.0.0.0/16"})
    half = Resource(driver, "aws:ec2/internetGateway:InternetGateway", "thing")
    half.id, half.state = caught.value.resource_id, caught.value.properties
    given = {"vpcId": vpc.id}
    half.inputs = driver.checked(half, given)
    driver.update(half, given)
    assert half.outputs["vpcId"] == vpc.id, "an update without a change takes up what was left undone"


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_creates_and_deletes_survive_throttling_and_make_nothing_twice(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    import random

    chance = random.Random(7)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)

    def throttle(**_: Any) -> Any:
        if chance.random() >= rate:
            return None
        from botocore.awsrequest import AWSResponse

        error = b"<Error><Code>RequestLimitExceeded</Code><Message>slow</Message></Error>"
        body = b"<Response><Errors>" + error + b"</Errors></Response>"
        response = AWSResponse("http://x", 503, {}, None)
        response._content = body
        return response

    ec2 = driver.api.client("ec2")
    ec2.meta.events.register("before-send.ec2", throttle)
    mark = f"throttled-{rate}"
    for _ in range(5):
        resource = driver.create(VPC, {"cidrBlock": "10.0.0.0/16", "tags": {"mark": mark}})
        driver.delete(resource)
    left = driver.api.call("ec2", "DescribeVpcs", {"Filters": [{"Name": "tag:mark", "Values": [mark]}]})["Vpcs"]
    assert left == []


def test_a_create_without_a_token_of_its_own_gets_one(driver: Driver) -> None:
    sent: list[dict[str, Any]] = []
    ec2 = driver.api.client("ec2")
    ec2.meta.events.register("provide-client-params.ec2.CreateLaunchTemplate", lambda params, **_: sent.append(params))
    driver.create("aws:ec2/launchTemplate:LaunchTemplate", {"instanceType": "t3.small"})
    assert sent[0]["ClientToken"], "a repeated call then gives the first one's template"


@pytest.mark.parametrize("name", ["assumeRoles", "allowedAccountIds", "useFipsEndpoint"])
def test_a_provider_setting_that_the_stand_in_does_not_follow_is_refused(name: str) -> None:
    assert configuration.check({"region": "us-east-1", name: ["x"]})[0][0] == name
    with pytest.raises(serve.ProviderError, match=name):
        configuration.settings({"region": "us-east-1", name: '[{"roleArn": "x"}]'}, {})


def test_the_settings_come_from_the_config_and_the_region_also_from_the_environment() -> None:
    given = {"defaultTags": '{"tags": {"a": "b"}}', "ignoreTags": '{"keyPrefixes": ["k8s/"]}'}
    settings = configuration.settings(given, {"AWS_REGION": "eu-west-1"})
    assert (settings.region, settings.default_tags, settings.ignore_tag_prefixes) == (
        "eu-west-1",
        {"a": "b"},
        ("k8s/",),
    )
    with pytest.raises(serve.ProviderError, match="no region"):
        configuration.settings({}, {})


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("10m", 600), ("1h30m", 5400), ("1.5s", 1.5)])
def test_durations_are_read_as_go_writes_them(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_a_wrong_duration_is_refused() -> None:
    with pytest.raises(serve.ProviderError, match="ten minutes"):
        seconds("ten minutes")


def test_attempts_are_enough_for_three_calls_in_ten_throttled() -> None:
    assert 0.3**client.MAX_ATTEMPTS * 1000 < 1e-4, "a thousand calls must all get through"


def test_the_plugin_starts_and_reports_the_version_of_the_sdk_package() -> None:
    plugin = CHECKOUT / "sandbox" / "providers" / "bin" / "pulumi-resource-aws"
    with subprocess.Popen([plugin, "127.0.0.1:1"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            import grpc
            from google.protobuf import empty_pb2
            from pulumi.runtime.proto import provider_pb2_grpc

            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                information = provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(
                    empty_pb2.Empty(), timeout=20
                )
        finally:
            process.terminate()
    assert information.version == PACKAGE.version


def test_the_plugin_does_not_import_the_sdk_package() -> None:
    look = "import sys, sandbox.providers.aws.__main__; print('pulumi_aws' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert found.stdout.strip() == "False", "importing it would cost seconds at every start"
