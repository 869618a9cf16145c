"""What the AWS API says about instances, read with boto3, and the way back: the sandbox's control API."""

import base64
import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.state import read_json

T = TypeVar("T")
log = logging.getLogger("machines.cloud")
ON = frozenset({"pending", "running"})
OFF = frozenset({"stopping", "stopped"})
GONE = frozenset({"shutting-down", "terminated"})
API_ERRORS = (ClientError, BotoCoreError)


@dataclass(frozen=True)
class Instance:
    """One EC2 instance as DescribeInstances tells it."""

    id: str
    state: str
    type: str
    zone: str
    subnet_id: str
    vpc_id: str
    ip: str
    mac: str
    image_id: str
    profile_arn: str
    spot: bool
    launched: str
    tags: dict[str, str]
    metadata: dict[str, Any]
    security_groups: tuple[str, ...]
    public_ip: str
    reservation: str

    @property
    def group(self) -> str:
        """Name of its Auto Scaling group, empty when it is in none."""
        return self.tags.get("aws:autoscaling:groupName", "")


class Cloud:
    """The API seen from the controller. Slow facts are remembered: a subnet or a type never changes."""

    def __init__(self, state: Path, endpoint: str, region: str = "") -> None:
        kept = read_json(state / "credentials.json")
        self.endpoint = endpoint
        self.region = region or str(read_json(state / "sandbox.json").get("region") or "us-east-1")
        self._session = boto3.Session(
            aws_access_key_id=kept.get("access_key", "test"),
            aws_secret_access_key=kept.get("secret_key", "test"),
            region_name=self.region,
        )
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._subnets: dict[str, str] = {}
        self._memory: dict[str, int] = {}
        self._account = ""
        self._said: dict[str, float] = {}
        self._cache: dict[tuple[str, str], tuple[float, Any]] = {}

    def client(self, service: str) -> Any:
        """A boto3 client; injected faults must not stop the controller, so it retries patiently."""
        with self._lock:
            if service not in self._clients:
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=2, read_timeout=20
                )
                self._clients[service] = self._session.client(service, endpoint_url=self.endpoint, config=config)
            return self._clients[service]

    def instances(self) -> dict[str, Instance]:
        """Every instance that the API shows, terminated ones included."""
        found = {}
        for page in self.client("ec2").get_paginator("describe_instances").paginate():
            for reservation in page["Reservations"]:
                for entry in reservation["Instances"]:
                    if (entry.get("SubnetId") and entry.get("PrivateIpAddress")) or entry["State"]["Name"] in GONE:
                        found[entry["InstanceId"]] = _instance(entry, reservation.get("ReservationId", ""))
        return found

    def subnet_cidr(self, subnet_id: str) -> str:
        """CIDR of a subnet."""
        if subnet_id not in self._subnets:
            for subnet in self.client("ec2").describe_subnets(SubnetIds=[subnet_id])["Subnets"]:
                self._subnets[subnet["SubnetId"]] = subnet["CidrBlock"]
        return self._subnets[subnet_id]

    def memory(self, instance_type: str) -> int | None:
        """Bytes of memory of an instance type; None when the API does not know the type."""
        if instance_type not in self._memory:
            try:
                answer = self.client("ec2").describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
            except API_ERRORS:
                return None
            if not answer:
                return None
            self._memory[instance_type] = answer[0]["MemoryInfo"]["SizeInMiB"] << 20
        return self._memory[instance_type]

    def user_data(self, instance_id: str) -> bytes:
        """The instance's user data, decoded."""
        answer = self.client("ec2").describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
        return base64.b64decode(answer.get("UserData", {}).get("Value", ""))

    def account(self) -> str:
        """The account's id."""
        if not self._account:
            self._account = self.client("sts").get_caller_identity()["Account"]
        return self._account

    def role(self, profile_arn: str) -> dict[str, str]:
        """{name, arn} of an instance profile's role, empty without one. Remembered for 10 s: a role may be swapped."""
        if not profile_arn:
            return {}

        def ask() -> dict[str, str]:
            name = profile_arn.rpartition("/")[2]
            roles = self.client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
            return {"name": roles[0]["RoleName"], "arn": roles[0]["Arn"]} if roles else {}

        return self.remember("role", profile_arn, 10, ask)

    def credentials(self, instance_id: str, role_arn: str) -> dict[str, Any]:
        """Temporary credentials of a role for an instance, from STS, renewed when a quarter of an hour is left."""

        def ask() -> dict[str, Any]:
            answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=instance_id, DurationSeconds=3600)
            return dict(answer["Credentials"])

        return self.remember("credentials", f"{instance_id} {role_arn}", 2700, ask)

    def lifecycle_state(self, instance_id: str) -> str:
        """Auto Scaling's lifecycle state of an instance, empty when it is in no group. Remembered for a second."""

        def ask() -> str:
            answer = self.client("autoscaling").describe_auto_scaling_instances(InstanceIds=[instance_id])
            entries = answer["AutoScalingInstances"]
            return str(entries[0]["LifecycleState"]) if entries else ""

        return self.remember("lifecycle", instance_id, 1, ask)

    def remember(self, kind: str, key: str, seconds: float, ask: Callable[[], T]) -> T:
        """The answer to a question, asked again when it is older than some seconds."""
        with self._lock:
            kept = self._cache.get((kind, key))
        if kept and time.monotonic() - kept[0] < seconds:
            return kept[1]  # type: ignore[no-any-return]
        answer = ask()
        with self._lock:
            self._cache[kind, key] = (time.monotonic(), answer)
        return answer

    # --- the sandbox's control API

    def tell(self, path: str, body: dict[str, Any], method: str = "PUT") -> bool:
        """Send something to the control API. False when this API has none (a plain moto server) or refuses it."""
        return self._control(path, method, json.dumps(body).encode()) is not None

    def ask(self, path: str) -> dict[str, Any] | None:
        """Read from the control API; None when this API has none."""
        return self._control(path, "GET", None)

    def _control(self, path: str, method: str, body: bytes | None) -> dict[str, Any] | None:
        request = urllib.request.Request(f"{self.endpoint}/_timonel/{path}", body, method=method)  # noqa: S310  # loopback
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                content = json.loads(answer.read() or b"{}")
                return content if isinstance(content, dict) else {"answer": content}
        except urllib.error.HTTPError as error:
            if error.code != 404:  # a plain moto server has no control API
                self._warn(f"control API: {method} {path.partition('/')[0]}: {error.code} {error.reason}")
        except (urllib.error.URLError, OSError, ValueError) as error:
            self._warn(f"control API: {method} {path.partition('/')[0]}: {error}")
        return None

    def _warn(self, line: str) -> None:
        """Say something once a minute at most: the control API is asked twice a second."""
        if time.monotonic() - self._said.get(line, -60.0) >= 60:
            self._said[line] = time.monotonic()
            log.warning("%s", line)


def _instance(entry: dict[str, Any], reservation: str) -> Instance:
    interfaces = entry.get("NetworkInterfaces") or [{}]
    return Instance(
        id=entry["InstanceId"],
        state=entry["State"]["Name"],
        type=entry["InstanceType"],
        zone=entry["Placement"]["AvailabilityZone"],
        subnet_id=entry.get("SubnetId", ""),
        vpc_id=entry.get("VpcId", ""),
        ip=entry.get("PrivateIpAddress", ""),
        mac=interfaces[0].get("MacAddress", ""),
        image_id=entry["ImageId"],
        profile_arn=entry.get("IamInstanceProfile", {}).get("Arn", ""),
        spot=entry.get("InstanceLifecycle") == "spot",
        launched=entry["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        tags={tag["Key"]: tag["Value"] for tag in entry.get("Tags", [])},
        metadata=entry.get("MetadataOptions", {}),
        security_groups=tuple(group["GroupName"] for group in entry.get("SecurityGroups", [])),
        public_ip=entry.get("PublicIpAddress", ""),
        reservation=reservation,
    )
