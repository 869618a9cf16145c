"""Names and types as they are read from the SDK package's source."""

import json
import re
from pathlib import Path

import pytest

from sandbox.providers.schema import Package, UnknownTokenError, snake_case


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package(cache=tmp_path_factory.mktemp("schema"))


def test_inputs_outputs_and_what_is_required_are_told_apart(package: Package) -> None:
    vpc = package.resource("aws:ec2/vpc:Vpc")
    assert vpc["inputs"]["cidrBlock"] == {"type": {"kind": "string"}, "required": False}
    assert "arn" not in vpc["inputs"] and vpc["outputs"]["arn"]["required"], "AWS computes the arn"
    assert package.resource("aws:ec2/subnet:Subnet")["inputs"]["vpcId"]["required"]


def test_an_output_that_aws_may_fill_is_told_from_one_that_is_only_the_program_s(package: Package) -> None:
    outputs = package.resource("aws:autoscaling/group:Group")["outputs"]
    assert outputs["desiredCapacity"]["required"], "AWS has a size when the program gives none"
    assert not outputs["suspendedProcesses"]["required"]


def test_nested_types_keep_their_wire_names(package: Package) -> None:
    group = package.resource("aws:autoscaling/group:Group")["inputs"]
    preferences = group["instanceRefresh"]["type"]["properties"]["preferences"]["type"]
    assert preferences["properties"]["scaleInProtectedInstances"]["type"] == {"kind": "string"}
    mappings = package.resource("aws:ec2/launchTemplate:LaunchTemplate")["inputs"]["blockDeviceMappings"]["type"]
    assert mappings["kind"] == "list" and "ebs" in mappings["of"]["properties"]


def test_a_policy_may_be_text_or_an_object_and_a_role_is_its_name(package: Package) -> None:
    policy = package.resource("aws:iam/policy:Policy")["inputs"]["policy"]["type"]
    assert policy == {"kind": "string", "also": "object"}
    attachment = package.resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment")["inputs"]
    assert attachment["role"]["type"]["kind"] == "string"


def test_functions_have_arguments_and_results(package: Package) -> None:
    zones = package.function("aws:index/getAvailabilityZones:getAvailabilityZones")
    assert zones["inputs"]["filters"]["type"]["of"]["properties"].keys() == {"name", "values"}
    assert zones["outputs"]["names"]["type"] == {"kind": "list", "of": {"kind": "string"}}


@pytest.mark.parametrize("token", ["aws:ec2/vpcc:Vpcc", "aws:nowhere/vpc:Vpc", "gcp:ec2/vpc:Vpc", "Vpc"])
def test_an_unknown_token_is_named(package: Package, token: str) -> None:
    with pytest.raises(UnknownTokenError, match=token):
        package.resource(token)


def test_what_was_read_is_kept_by_version_and_a_broken_cache_is_read_anew(tmp_path: Path) -> None:
    first = Package(cache=tmp_path).resource("aws:ec2/vpc:Vpc")
    files = list(tmp_path.rglob("*.json"))
    assert len(files) == 1 and Package().version in files[0].parent.name
    assert json.loads(files[0].read_text()) == first
    files[0].write_text("{half")
    assert Package(cache=tmp_path).resource("aws:ec2/vpc:Vpc") == first


@pytest.mark.parametrize(
    ("wire", "python"), [("bucketObjectv2", "bucket_objectv2"), ("getAmi", "get_ami"), ("vpcEndpoint", "vpc_endpoint")]
)
def test_wire_names_are_spelled_as_pulumi_spells_its_files(wire: str, python: str) -> None:
    assert snake_case(wire) == python


def test_the_package_schema_has_every_resource_and_no_dangling_type() -> None:
    from sandbox.providers.aws import table
    from sandbox.providers.aws.package_schema import package_schema

    text = package_schema(Package())
    schema = json.loads(text)
    assert set(schema["resources"]) == set(table.tokens())
    named = set(re.findall(r'"#/types/([^"]+)"', text))
    assert named and named <= set(schema["types"])
    assert "ipv4IpamPoolId" not in schema["resources"]["aws:ec2/vpc:Vpc"]["inputProperties"], "not supported"
