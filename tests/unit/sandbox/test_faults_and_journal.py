"""Faults in every wire protocol, the journal, and who may do what."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.state import read_json
from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.world import Account

pytestmark = pytest.mark.sandbox


def unretried(aws: Sandbox, service: str) -> Any:
    import boto3

    keys = read_json(aws.state.credentials)
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        config=Config(retries={"total_max_attempts": 1}),
    )


CALLS = [
    ("ec2", lambda c: c.describe_vpcs(), "RequestLimitExceeded"),
    ("autoscaling", lambda c: c.describe_auto_scaling_groups(), "Throttling"),
    ("elbv2", lambda c: c.describe_load_balancers(), "Throttling"),
    ("iam", lambda c: c.list_roles(), "Throttling"),
    ("secretsmanager", lambda c: c.list_secrets(), "ThrottlingException"),
    ("ssm", lambda c: c.describe_parameters(), "ThrottlingException"),
    ("s3", lambda c: c.list_buckets(), "SlowDown"),
    ("eks", lambda c: c.list_clusters(), "ThrottlingException"),
    ("route53", lambda c: c.list_hosted_zones(), "ThrottlingException"),
]


@pytest.mark.parametrize(("service", "call", "code"), CALLS, ids=[c[0] for c in CALLS])
def test_every_protocol_says_throttled_so_that_its_sdk_understands(
    aws: Sandbox, service: str, call: Any, code: str
) -> None:
    aws.control("PUT", "faults", {"throttle": 1.0})
    with pytest.raises(ClientError) as caught:
        call(unretried(aws, service))
    assert caught.value.response["Error"]["Code"] == code
    assert "sandbox" in caught.value.response["Error"]["Message"]


def test_the_same_seed_gives_the_same_faults(aws: Sandbox) -> None:
    def outcomes() -> list[bool]:
        aws.control("PUT", "faults", {"throttle": 0.5, "seed": 3, "services": ["ec2"]})
        client, found = unretried(aws, "ec2"), []
        for _ in range(20):
            try:
                client.describe_vpcs()
                found.append(True)
            except ClientError:
                found.append(False)
        return found

    first = outcomes()
    assert first == outcomes() and len(set(first)) == 2


def test_faults_reach_only_whom_they_name(aws: Sandbox) -> None:
    aws.control("PUT", "faults", {"error": 1.0, "services": ["ec2"], "actions": ["DescribeSubnets"]})
    client = unretried(aws, "ec2")
    client.describe_vpcs()
    with pytest.raises(ClientError, match="InternalError"):
        client.describe_subnets()
    aws.control("PUT", "faults", {"error": 1.0, "callers": ["assumed-role/node/"]})
    client.describe_subnets()
    aws.control("PUT", "faults", {"outage": ["s3"]})
    client.describe_subnets()
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        unretried(aws, "s3").list_buckets()


def test_empty_and_stale_answers_are_old_truths(aws: Sandbox) -> None:
    account = Account(aws)
    account.group(size=1)
    account.settled(1)
    ec2 = unretried(aws, "ec2")
    aws.control("PUT", "faults", {"empty": 1.0})
    assert ec2.describe_instances()["Reservations"] == []
    aws.control("PUT", "faults", {"stale": 1.0})
    before = ec2.describe_instances()["Reservations"]
    account.asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=2)
    assert len(ec2.describe_instances()["Reservations"]) == len(before) == 1
    time.sleep(1.2)
    ec2.describe_instances()
    time.sleep(1.2)
    assert len(ec2.describe_instances()["Reservations"]) == 2


def test_unknown_faults_and_rates_are_refused(aws: Sandbox) -> None:
    with pytest.raises(AssertionError, match="unknown"):
        aws.control("PUT", "faults", {"throtle": 0.1})
    with pytest.raises(AssertionError, match="0 to 1"):
        aws.control("PUT", "faults", {"throttle": 10})


def role_client(aws: Sandbox, role: str, service: str, session: str = "i-0123") -> Any:
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName=session)["Credentials"]
    return aws.client(
        service,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_the_journal_names_caller_action_and_resource_and_no_secret(aws: Sandbox) -> None:
    account = Account(aws)
    arn = aws.client("secretsmanager").create_secret(Name="s", SecretString="do-not-write-this")["ARN"]
    statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.iam.put_role_policy(RoleName="node", PolicyName="p", PolicyDocument=document)
    role_client(aws, account.role, "secretsmanager").get_secret_value(SecretId="s")
    call = aws.calls()[-1]
    assert (call["service"], call["action"], call["status"]) == ("secretsmanager", "GetSecretValue", 200)
    assert call["caller"] == "arn:aws:sts::123456789012:assumed-role/node/i-0123"
    assert call["needed"] == [{"action": statement["Action"], "resource": arn, "tags": {}, "decision": "allow"}]
    assert "do-not-write-this" not in json.dumps(aws.calls())


def test_a_role_may_do_what_its_policies_say_and_no_more(aws: Sandbox) -> None:
    account = Account(aws)
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="state-bucket")
    for key in ("artefacts/a", "managers/record.json"):
        s3.put_object(Bucket="state-bucket", Key=key, Body=b"x")
    statements = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::state-bucket/artefacts/*"},
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::state-bucket",
            "Condition": {"StringEquals": {"s3:prefix": "closing"}},
        },
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    account.iam.put_role_policy(RoleName="node", PolicyName="p", PolicyDocument=document)
    worker = role_client(aws, account.role, "s3")
    assert worker.get_object(Bucket="state-bucket", Key="artefacts/a")["Body"].read() == b"x"
    assert worker.list_objects_v2(Bucket="state-bucket", Prefix="closing")["KeyCount"] == 0
    with pytest.raises(ClientError, match="AccessDenied"):
        worker.get_object(Bucket="state-bucket", Key="managers/record.json")
    with pytest.raises(ClientError, match="AccessDenied"):
        worker.list_objects_v2(Bucket="state-bucket")
    assert aws.calls()[-1]["needed"][0]["decision"] == "neutral"


def test_a_bucket_policys_conditions_count(aws: Sandbox) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="state-bucket")
    key = "s3:x-amz-server-side-encryption"
    resource = "arn:aws:s3:::state-bucket/managers/*"
    common = {"Effect": "Deny", "Principal": "*", "Resource": resource}
    statements = [
        {**common, "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {**common, "Action": "s3:PutObject", "Condition": {"StringNotEquals": {key: "aws:kms"}}},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    s3.put_bucket_policy(Bucket="state-bucket", Policy=policy)
    s3.put_object(Bucket="state-bucket", Key="artefacts/a", Body=b"x")
    with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
        s3.put_object(Bucket="state-bucket", Key="managers/a", Body=b"x")
    s3.put_object(Bucket="state-bucket", Key="managers/a", Body=b"x", ServerSideEncryption="aws:kms")


def test_machines_are_no_callers(aws: Sandbox) -> None:
    import boto3

    keys = read_json(aws.state.credentials)
    client = boto3.client(
        "ec2",
        region_name="us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        config=Config(user_agent_extra="timonel-machines", retries={"total_max_attempts": 1}),
    )
    aws.control("PUT", "faults", {"throttle": 1.0})
    before = len(aws.calls())
    client.describe_instances()
    assert len(aws.calls()) == before


def test_conditional_writes_have_one_winner(aws: Sandbox) -> None:
    from concurrent.futures import ThreadPoolExecutor

    s3 = aws.client("s3")
    s3.create_bucket(Bucket="state-bucket")

    def put(number: int) -> bool:
        try:
            s3.put_object(Bucket="state-bucket", Key=f"r{number // 8}", Body=b"x", IfNoneMatch="*")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        winners = list(pool.map(put, range(80)))
    assert [sum(winners[i * 8 : i * 8 + 8]) for i in range(10)] == [1] * 10
