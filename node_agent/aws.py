"""AWS by boto3: the state bucket, the secrets, EC2, Auto Scaling and load balancers.

Conditional writes are HTTP headers added by hand: the boto3 of Ubuntu 24.04 and Debian 12 has no parameters for them.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from node_agent.config import AgentConfig
from node_agent.imds import GROUP_TAG, Imds
from node_agent.ports import AwayError, ConflictError, Group, Identity, Versioned
from node_agent.world import TERMINATE

T = TypeVar("T")
RETRIES = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 6})
ABSENT = frozenset({"404", "NoSuchKey", "NotFound", "ResourceNotFoundException"})
CHANGED = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict", "409"})
"""412: the ETag differs; 409: two conditional writes at once. After either, read again."""


def code_of(error: ClientError) -> str:
    """AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def ask(what: str, call: Callable[[], T]) -> T:
    """Calls AWS; whatever is not the caller's to handle becomes AwayError, so that a pass is tried again."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) in ABSENT | CHANGED:
            raise
        raise AwayError(f"{what}: {code_of(error)}: {error}") from error
    except BotoCoreError as error:
        raise AwayError(f"{what}: {error}") from error


class S3Store:
    """The state bucket."""

    def __init__(self, bucket: str, region: str, kms_key: str | None = None, client: Any = None) -> None:
        self._bucket = bucket
        self._s3 = client or boto3.client("s3", region_name=region, config=RETRIES)
        self._kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        self._headers: dict[str, str] = {}
        for operation in ("PutObject", "DeleteObject"):
            self._s3.meta.events.register(f"before-call.s3.{operation}", self._condition)

    def _condition(self, params: dict[str, Any], **_: Any) -> None:
        params["headers"].update(self._headers)

    def _with(self, headers: dict[str, str], call: Callable[[], T]) -> T:
        self._headers = headers
        try:
            return call()
        finally:
            self._headers = {}

    def get(self, key: str) -> Versioned | None:
        """One JSON object."""
        try:
            answer = ask(f"get {key}", lambda: self._s3.get_object(Bucket=self._bucket, Key=key))
        except ClientError:
            return None
        body = json.loads(answer["Body"].read())
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Versioned(body, answer["ETag"], (now - answer["LastModified"]).total_seconds())

    def put(self, key: str, body: dict[str, Any], etag: str | None) -> str:
        """Writes if unchanged. A write whose answer was lost is found again by its nonce."""
        nonce = uuid.uuid4().hex
        data = json.dumps({**body, "nonce": nonce}).encode()
        condition = {"If-Match": etag} if etag else {"If-None-Match": "*"}
        try:
            answer = ask(f"put {key}", lambda: self._with(condition, lambda: self._put(key, data)))
        except (ClientError, AwayError) as error:
            found = self.get(key)
            if found is not None and found.body.get("nonce") == nonce:
                return found.etag
            if isinstance(error, ClientError):
                raise ConflictError(f"{key}: {code_of(error)}") from error
            raise
        return str(answer["ETag"])

    def write(self, key: str, body: dict[str, Any]) -> None:
        """Writes, whatever was there."""
        ask(f"write {key}", lambda: self._put(key, json.dumps(body).encode()))

    def delete(self, key: str, etag: str) -> None:
        """Deletes if unchanged."""
        try:
            ask(f"delete {key}", lambda: self._with(
                {"If-Match": etag}, lambda: self._s3.delete_object(Bucket=self._bucket, Key=key)))  # fmt: skip
        except ClientError as error:
            if code_of(error) in ABSENT:
                return
            raise ConflictError(f"{key}: {code_of(error)}") from error

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix, sorted."""

        def listing() -> list[str]:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return sorted(row["Key"] for page in pages for row in page.get("Contents", ()))

        return ask(f"list {prefix}", listing)

    def put_bytes(self, key: str, data: bytes) -> None:
        """Writes a blob."""
        ask(f"put {key}", lambda: self._put(key, data))

    def get_bytes(self, key: str) -> bytes:
        """Reads a blob; empty when it is absent."""
        try:
            answer = ask(f"get {key}", lambda: self._s3.get_object(Bucket=self._bucket, Key=key))
        except ClientError:
            return b""
        return bytes(answer["Body"].read())

    def remove(self, key: str) -> None:
        """Deletes, whatever is there."""
        ask(f"remove {key}", lambda: self._s3.delete_object(Bucket=self._bucket, Key=key))

    def _put(self, key: str, data: bytes) -> Any:
        return self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, **self._kms)


class SecretsManager:
    """The cluster's secrets."""

    def __init__(self, config: AgentConfig) -> None:
        self._client = boto3.client("secretsmanager", region_name=config.region, config=RETRIES)
        arns = {"ca": config.secrets.ca, "managers": config.secrets.managers, "workers": config.secrets.workers}
        self._arns = {name: arn for name, arn in arns.items() if arn}

    def get(self, name: str) -> dict[str, Any] | None:
        """The current value; None before the first."""
        try:
            answer = ask(f"secret {name}", lambda: self._client.get_secret_value(SecretId=self._arns[name]))
        except ClientError:
            return None
        value = json.loads(answer["SecretString"] or "{}")
        return value if isinstance(value, dict) and value else None

    def put(self, name: str, value: dict[str, Any]) -> None:
        """A new current value."""
        text = json.dumps(value)
        ask(f"secret {name}", lambda: self._client.put_secret_value(SecretId=self._arns[name], SecretString=text))


class AwsCloud:
    """EC2, Auto Scaling, load balancers, and the notices of the instance's metadata."""

    def __init__(self, config: AgentConfig, me: Identity, imds: Imds) -> None:
        self._config, self._me, self._imds = config, me, imds
        self._ec2: Any = boto3.client("ec2", region_name=config.region, config=RETRIES)
        self._asg: Any = boto3.client("autoscaling", region_name=config.region, config=RETRIES)
        self._elb: Any = boto3.client("elbv2", region_name=config.region, config=RETRIES)
        self._group: str | None = None

    def instance_states(self, ids: set[str]) -> dict[str, str]:
        """EC2's word on each id, asked by id: a filter's empty answer would prove nothing."""
        wanted, states = sorted(ids), dict[str, str]()
        while wanted:
            try:
                answer = ask("instances", lambda w=wanted: self._ec2.describe_instances(InstanceIds=w))  # type: ignore[misc]
            except AwayError as error:
                unknown = [i for i in wanted if re.search(rf"{i}\b", str(error))]
                if "InvalidInstanceID.NotFound" not in str(error) or not unknown:
                    raise
                states |= dict.fromkeys(unknown, "not-found")
                wanted = [i for i in wanted if i not in unknown]
                continue
            found = [i for r in answer["Reservations"] for i in r["Instances"]]
            return states | {i["InstanceId"]: i["State"]["Name"] for i in found}
        return states

    def groups(self) -> list[Group]:
        """The cluster's groups, by tag."""

        def call() -> list[dict[str, Any]]:
            pages = self._asg.get_paginator("describe_auto_scaling_groups").paginate(
                Filters=[{"Name": "tag:timonel:cluster", "Values": [self._config.cluster]}]
            )
            return [group for page in pages for group in page["AutoScalingGroups"]]

        return [_group(raw) for raw in ask("groups", call)]

    def set_unhealthy(self, instance: str) -> None:
        """Asks Auto Scaling to replace the instance, whatever its grace period."""
        ask("unhealthy", lambda: self._asg.set_instance_health(
            InstanceId=instance, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False))  # fmt: skip

    def unprotect(self, instance: str) -> None:
        """Lifts the scale-in protection."""
        if group := self._group_of(instance):
            ask("unprotect", lambda: self._asg.set_instance_protection(
                InstanceIds=[instance], AutoScalingGroupName=group, ProtectedFromScaleIn=False))  # fmt: skip

    def release(self, instance: str) -> None:
        """Lets the termination of another manager go on."""
        if group := self._group_of(instance):
            self._lifecycle(TERMINATE, self._continue, group, instance)

    def _group_of(self, instance: str) -> str | None:
        return next((g.name for g in self.groups() if instance in g.instances), None)

    def complete(self, hook: str) -> None:
        """Lets this instance's lifecycle go on."""
        if group := self._own_group():
            self._lifecycle(hook, self._continue, group, self._me.instance)

    def heartbeat(self, hook: str) -> None:
        """Holds this instance's lifecycle action."""
        if group := self._own_group():
            self._lifecycle(hook, self._asg.record_lifecycle_action_heartbeat, group, self._me.instance)

    def _continue(self, **named: str) -> Any:
        return self._asg.complete_lifecycle_action(LifecycleActionResult="CONTINUE", **named)

    def _lifecycle(self, hook: str, call: Callable[..., Any], group: str, instance: str) -> None:
        named = {"LifecycleHookName": hook, "AutoScalingGroupName": group, "InstanceId": instance}
        try:
            ask(hook, lambda: call(**named))
        except AwayError as error:
            if "ValidationError" not in str(error):  # no active lifecycle action is not an error here
                raise

    def _own_group(self) -> str | None:
        if self._group is None:
            self._group = self._imds.get(GROUP_TAG)
        return self._group

    def leaving(self) -> str | None:
        """``hook`` when Auto Scaling takes this instance out, ``spot`` on an interruption notice."""
        if self._imds.get("autoscaling/target-lifecycle-state") == "Terminated":
            return "hook"
        return "spot" if self._imds.get("spot/instance-action") else None

    def announce_leaving(self) -> None:
        """A spot notice: the group takes the instance out through its hook, and starts another."""
        ask("announce", lambda: self._asg.terminate_instance_in_auto_scaling_group(
            InstanceId=self._me.instance, ShouldDecrementDesiredCapacity=False))  # fmt: skip

    def deregister(self, instance: str) -> None:
        """Takes the instance out of the services' target groups."""
        for arn in self._config.target_groups:
            ask("deregister", lambda a=arn: self._elb.deregister_targets(TargetGroupArn=a, Targets=[{"Id": instance}]))  # type: ignore[misc]

    def in_service(self, instance: str) -> bool:
        """Whether a target group still sends to the instance, or lets its connections end."""
        for arn in self._config.target_groups:
            answer = ask("targets", lambda a=arn: self._elb.describe_target_health(TargetGroupArn=a))  # type: ignore[misc]
            rows = [(r["Target"]["Id"], r["TargetHealth"]["State"]) for r in answer["TargetHealthDescriptions"]]
            if any(i == instance and state != "unused" for i, state in rows):
                return True
        return False

    def terminate(self, instances: list[str]) -> None:
        """Break-glass: ends instances (``recover --fence``)."""
        ask("terminate", lambda: self._ec2.terminate_instances(InstanceIds=instances))


def _group(raw: dict[str, Any]) -> Group:
    tags = {t["Key"]: t["Value"] for t in raw.get("Tags", ())}
    rows = raw.get("Instances", ())
    return Group(
        raw["AutoScalingGroupName"], tags.get("timonel:role", ""), raw["DesiredCapacity"],
        {i["InstanceId"]: i["LifecycleState"] for i in rows},
        frozenset(i["InstanceId"] for i in rows if i.get("ProtectedFromScaleIn")),
        frozenset(i["InstanceId"] for i in rows if i.get("HealthStatus") == "Unhealthy"),
    )  # fmt: skip
