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


@pytest.mark.sandbox
def test_what_a_cluster_s_controllers_made_is_the_stack_s_by_its_cluster_or_its_vpc(aws: Sandbox) -> None:
    ec2 = aws.client("ec2")
    specification = [{"ResourceType": "vpc", "Tags": tags(**{"timonel:stack": "p/dev"})}]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification)["Vpc"]["VpcId"]
    made = {
        cluster: ec2.create_security_group(
            GroupName=f"k8s-{cluster}",
            Description="d",
            VpcId=vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tags(**{"elbv2.k8s.aws/cluster": cluster})}],
        )["GroupId"]
        for cluster in ("shop", "blog")
    }
    volume = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=1,
        TagSpecifications=[
            {"ResourceType": "volume", "Tags": tags(**{"kubernetes.io/cluster/shop": "owned", "CSIVolumeName": "p"})}
        ],
    )["VolumeId"]

    def left(*more: str) -> set[str]:
        report = json.loads(aws.cli("leaks", "--stack", "p/dev", "--json", *more).failed().out)
        return {finding["id"] for finding in report["left_behind"]}

    assert left() == {vpc, *made.values()}, "they lie in the stack's VPC; a volume lies in none"
    ec2.delete_security_group(GroupId=made["blog"])
    assert left("--cluster", "shop") == {vpc, made["shop"], volume}


@pytest.mark.sandbox
def test_every_lister_finds_its_kind(aws: Sandbox) -> None:
    _one_of_everything(aws)
    report = json.loads(aws.cli("leaks", "--json").failed().out)
    found = {f["kind"] for f in report["left_behind"]}
    made_by_groups = {"instance", "auto scaling group"}
    assert {lister.kind for lister in LISTERS} - made_by_groups <= found


def _one_of_everything(aws: Sandbox) -> None:
    mine = tags(**{"timonel:stack": "p/dev", "Name": "n"})

    def tagged(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": mine}]

    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam, ec2, elb, kms, s3 = (aws.client(s) for s in ("iam", "ec2", "elbv2", "kms", "s3"))
    trust = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusted, Tags=mine)
    iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(allow), Tags=mine)
    iam.create_instance_profile(InstanceProfileName="ip", Tags=mine)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.0.{i}.0/24",
            AvailabilityZone=f"us-east-1{zone}",
            TagSpecifications=tagged("subnet"),
        )["Subnet"]["SubnetId"]
        for i, zone in enumerate("ab")
    ]
    ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=tagged("volume"))
    volume = ec2.describe_volumes()["Volumes"][0]["VolumeId"]
    ec2.create_snapshot(VolumeId=volume, TagSpecifications=tagged("snapshot"))
    ec2.create_network_interface(SubnetId=subnets[0], TagSpecifications=tagged("network-interface"))
    ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))
    ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway"))
    ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table"))
    ec2.create_key_pair(KeyName="k", TagSpecifications=tagged("key-pair"))
    ec2.create_launch_template(
        LaunchTemplateName="l",
        LaunchTemplateData={"InstanceType": "t3.small"},
        TagSpecifications=tagged("launch-template"),
    )
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", TagSpecifications=tagged("vpc-endpoint")
    )
    ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc, TagSpecifications=tagged("security-group"))
    ec2.create_nat_gateway(SubnetId=subnets[0], ConnectivityType="private", TagSpecifications=tagged("natgateway"))
    aws.client("logs").create_log_group(logGroupName="lg", tags={"timonel:stack": "p/dev"})
    elb.create_load_balancer(Name="n", Type="network", Subnets=subnets, Tags=mine)
    elb.create_target_group(Name="t", Protocol="TCP", Port=1, VpcId=vpc, Tags=mine)
    listener = {"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}
    aws.client("elb").create_load_balancer(LoadBalancerName="c", Listeners=[listener], Subnets=subnets, Tags=mine)
    aws.client("eks").create_cluster(
        name="k",
        roleArn="arn:aws:iam::123456789012:role/r",
        resourcesVpcConfig={"subnetIds": subnets},
        tags={"timonel:stack": "p/dev"},
    )
    issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/1"
    iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["sts.amazonaws.com"], Tags=mine)
    key = kms.create_key(Tags=[{"TagKey": "timonel:stack", "TagValue": "p/dev"}])["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/x", TargetKeyId=key)
    s3.create_bucket(Bucket="bucket-1")
    s3.put_bucket_tagging(Bucket="bucket-1", Tagging={"TagSet": mine})
    aws.client("secretsmanager").create_secret(Name="s", SecretString="x", Tags=mine)
    aws.client("sns").create_topic(Name="t", Tags=mine)
    aws.client("ssm").put_parameter(Name="/a", Value="b", Type="String", Tags=mine)
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="a",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="n",
        Period=60,
        Threshold=1,
        Statistic="Sum",
        Tags=mine,
    )
    ec2.create_flow_logs(
        ResourceIds=[vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::bucket-1",
        TagSpecifications=tagged("vpc-flow-log"),
    )
