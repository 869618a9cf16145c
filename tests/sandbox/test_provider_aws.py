"""The stand-in for the AWS provider under the real engine: what the provider's own tests cannot show."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.rig import Sandbox, Stack

pytestmark = pytest.mark.sandbox

PROGRAM = """
import pulumi, pulumi_aws as aws

bucket = aws.s3.Bucket("bucket", force_destroy=True)
aws.s3.BucketVersioning("versioning", bucket=bucket.id, versioning_configuration={"status": "Enabled"})
aws.s3.BucketObject("file", bucket=bucket.id, key="file", source=pulumi.FileAsset("body"), content_type="text/plain")
vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags={"Name": "mine"})
group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id, description=pulumi.Config().get("description") or "one")
aws.vpc.SecurityGroupIngressRule(
    "ssh", security_group_id=group.id, ip_protocol="tcp", from_port=22, to_port=22, cidr_ipv4="10.0.0.0/8"
)
aws.ssm.Parameter("parameter", type="SecureString", value=pulumi.Output.secret("planted-secret-value"))
pulumi.export("vpc", vpc.id)
pulumi.export("bucket", bucket.id)
"""

Make = Callable[..., Stack]


def body(stack: Stack) -> Path:
    return Path(stack.folder) / "body"


def test_a_stack_lives_with_a_changed_file_drift_an_import_and_a_replacement(account: Sandbox, project: Make) -> None:
    stack = project(PROGRAM, {"aws:region": "us-east-1"})
    body(stack).write_bytes(bytes(range(256)) * 800)
    stack.up().ok()
    stack.preview("--expect-no-changes").ok()
    assert "planted-secret-value" not in str(stack.export()), (
        "a secret input is encrypted in the state, outputs included"
    )

    body(stack).write_bytes(bytes(reversed(range(256))) * 800)
    begun = time.monotonic()
    stack.pulumi("preview", "--diff", "-s", stack.name).ok()
    assert time.monotonic() - begun < 120, "the engine must not compare the file as text, which takes it minutes"
    assert {step["type"] for step in stack.up().ok().steps if step["op"] == "update"} == {
        "aws:s3/bucketObject:BucketObject"
    }
    stack.preview("--expect-no-changes").ok()

    ec2 = account.client("ec2")
    vpc = stack.outputs()["vpc"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "somebody's"}])
    stack.refresh().ok()
    drift = stack.preview().ok()
    assert {(step["op"], step["type"]) for step in drift.steps if step["op"] != "same"} == {
        ("update", "aws:ec2/vpc:Vpc")
    }
    stack.up().ok()

    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    # Without --generate-code=false the engine asks the language host for program text, which ours does not write.
    flags = ["--yes", "--protect=false", "--generate-code=false", "-s", stack.name]
    stack.pulumi("import", "aws:ec2/vpc:Vpc", "other", other, *flags).ok()
    (imported,) = [item for item in stack.resources("aws:ec2/vpc:Vpc") if item["id"] == other]
    assert imported["inputs"]["cidrBlock"] == "10.9.0.0/16" and imported["outputs"]["arn"].endswith(other)
    stack.up().ok()
    assert ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"] == [], "not in the program"
    stack.destroy().ok()
    assert account.client("s3").list_buckets()["Buckets"] == [], "forceDestroy empties all versions"
