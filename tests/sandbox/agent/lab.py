"""A cluster made by boto3 as the stack makes it (real user data, policies, hooks, groups), on the sandbox's hosts.

No engine and no Pulumi: what is tested is the agent. The full stack on booted hosts is tested beside it.
"""

from __future__ import annotations

import base64
import datetime
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.hosts import artefact
from components.hosts.policies import Place
from components.hosts.user_data import NodeScript, render
from components.swarm import policies
from node_agent.records import CLOSING, LEDGER, RECORD, STATUS
from sandbox.machines import actions, controller, names
from sandbox.machines.host import Host
from tests.sandbox.machines.rig import PATIENCE

REGION = "us-east-1"
ACCOUNT = "123456789012"
ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]


class Lab:
    """One cluster on a running sandbox."""

    hook_seconds = 300
    """Time-out of the lifecycle hooks, as the stack sets it: so long is a node waited for that cannot answer."""

    def __init__(self, state: Path, endpoint: str, managers: int = 3, workers: int = 2, **agent: Any) -> None:
        self.state, self.endpoint, self.agent = state, endpoint, agent
        self.session = boto3.Session("test", "test", region_name=REGION)

        def client(name: str) -> Any:
            return self.session.client(name, endpoint_url=endpoint)

        self.s3, self.ec2, self.asg = client("s3"), client("ec2"), client("autoscaling")
        self.secrets, self.iam, self.kms = client("secretsmanager"), client("iam"), client("kms")
        self.logs = client("logs")
        self.id = f"lab-{uuid.uuid4().hex[:8]}"
        self.ca = authority()
        self.target_groups: list[str] = []
        """Of services that the workers run."""
        images = self.ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"]
        self.image = str(images[0]["ImageId"])
        self._network()
        self._state()
        self._roles()
        per_zone = {z: managers // 3 + (i < managers % 3) for i, z in enumerate(ZONES)}
        self.groups = {z: f"{self.id}-managers-{i}" for i, z in enumerate(ZONES)}
        self.worker_group = f"{self.id}-workers"
        for zone, size in per_zone.items():
            self._group(self.groups[zone], "manager", "managers", [zone], size)
        if workers:
            self._group(self.worker_group, "worker", "web", ZONES, workers)

    # --- making

    def _network(self) -> None:
        vpc = self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
        self.ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        self.subnets = {
            z: self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{i}.0/24", AvailabilityZone=z)["Subnet"]["SubnetId"]
            for i, z in enumerate(ZONES)
        }
        self.group_id = self.ec2.create_security_group(GroupName=self.id, Description="lab", VpcId=vpc)["GroupId"]
        self.ec2.authorize_security_group_ingress(
            GroupId=self.group_id, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.20.0.0/16"}]}]
        )

    def _state(self) -> None:
        self.logs.create_log_group(logGroupName=self.id)
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.s3.create_bucket(Bucket=self.id)
        self.s3.put_bucket_versioning(Bucket=self.id, VersioningConfiguration={"Status": "Enabled"})
        self.artefact = artefact.build()
        self.s3.put_object(Bucket=self.id, Key=self.artefact.key, Body=self.artefact.content)
        self.arns = {n: self.secrets.create_secret(Name=f"{self.id}/{n}")["ARN"] for n in ("ca", "managers", "workers")}
        self.secrets.put_secret_value(SecretId=self.arns["ca"], SecretString=json.dumps(self.ca))

    def _roles(self) -> None:
        place = Place("aws", REGION, ACCOUNT)
        state = policies.State(
            self.id, self.key, self.arns["ca"], self.arns["managers"], self.arns["workers"],
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self.id}",
        )  # fmt: skip
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                 "Principal": {"Service": "ec2.amazonaws.com"}}]}  # fmt: skip
        for role, document in (
            ("manager", policies.manager(place, state)),
            ("worker", policies.worker(place, state, self.target_groups)),
        ):
            name = f"{self.id}-{role}"
            self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
            self.iam.put_role_policy(RoleName=name, PolicyName="node", PolicyDocument=document)
            self.iam.create_instance_profile(InstanceProfileName=name)
            self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)

    def agent_config(self, role: str, pool: str) -> dict[str, Any]:
        """``agent.json`` of a role."""
        secrets = self.arns if role == "manager" else {"workers": self.arns["workers"]}
        found = {
            "version": 1, "cluster": self.id, "platform": "swarm", "role": role, "pool": pool, "region": REGION,
            "bucket": self.id, "secrets": secrets, "labels": {"tier": pool}, "log_group": self.id, **self.agent,
        }  # fmt: skip
        if role == "worker":
            return found | {"target_groups": self.target_groups}
        return found | {"kms_key": self.key, "api_names": ["lab.test"]}

    def _group(self, name: str, role: str, pool: str, zones: list[str], size: int) -> None:
        script = render(NodeScript(
            REGION, self.id, self.artefact.key, self.artefact.sha256, self.agent_config(role, pool), True))  # fmt: skip
        tags = [{"Key": k, "Value": v} for k, v in (("timonel:cluster", self.id), ("timonel:role", role),
                                                    ("timonel:pool", pool), ("Name", name))]  # fmt: skip
        template = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={
            "ImageId": self.image, "InstanceType": "t3.small",
            "UserData": base64.b64encode(script.encode()).decode(),
            "IamInstanceProfile": {"Name": f"{self.id}-{role}"}, "SecurityGroupIds": [self.group_id],
            "MetadataOptions": {"HttpTokens": "required", "InstanceMetadataTags": "enabled",
                                "HttpPutResponseHopLimit": 1},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
        })["LaunchTemplate"]["LaunchTemplateId"]  # fmt: skip
        hooks = [
            {"LifecycleHookName": f"timonel-{n}", "LifecycleTransition": f"autoscaling:EC2_INSTANCE_{transition}",
             "HeartbeatTimeout": self.hook_seconds, "DefaultResult": result}
            for n, transition, result in (("launch", "LAUNCHING", "ABANDON"), ("terminate", "TERMINATING", "CONTINUE"))
        ]  # fmt: skip
        self.asg.create_auto_scaling_group(
            AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
            MinSize=0, MaxSize=10, DesiredCapacity=size, VPCZoneIdentifier=",".join(self.subnets[z] for z in zones),
            LifecycleHookSpecificationList=hooks, NewInstancesProtectedFromScaleIn=role == "manager",
            TargetGroupARNs=self.target_groups if role == "worker" else [],
            Tags=[{**t, "PropagateAtLaunch": True, "ResourceId": name, "ResourceType": "auto-scaling-group"}
                  for t in tags],
        )  # fmt: skip

    # --- looking

    def instances(self, role: str | None = None, states: tuple[str, ...] = ("pending", "running")) -> dict[str, Any]:
        """Living instances by id."""
        filters = [{"Name": "tag:timonel:cluster", "Values": [self.id]},
                   {"Name": "instance-state-name", "Values": list(states)}]  # fmt: skip
        if role:
            filters.append({"Name": "tag:timonel:role", "Values": [role]})
        found = self.ec2.describe_instances(Filters=filters)["Reservations"]
        return {i["InstanceId"]: i for r in found for i in r["Instances"]}

    def host(self, instance: str) -> Host:
        """A booted host."""
        return Host(controller.folder(self.state), names.sandbox_key(self.state), instance)

    def object(self, key: str) -> dict[str, Any] | None:
        """A JSON object of the bucket."""
        try:
            found: dict[str, Any] = json.loads(self.s3.get_object(Bucket=self.id, Key=key)["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None
        return found

    def ledger(self) -> dict[str, dict[str, Any]]:
        """The ledger."""
        rows = self.s3.list_objects_v2(Bucket=self.id, Prefix=LEDGER).get("Contents", ())
        return {e["instance"]: e for r in rows if (e := self.object(r["Key"]))}

    def record(self) -> dict[str, Any]:
        """The record."""
        return self.object(RECORD) or {}

    def status(self) -> dict[str, Any]:
        """``status.json``."""
        return self.object(STATUS) or {}

    def docker(self, *arguments: str) -> str:
        """Docker on the leader; its output."""
        done = self.host(self.status()["leader"]).run("docker", *arguments, timeout=90)
        if done.returncode:
            raise AssertionError(f"docker {arguments[0]}: {done.stderr}")
        return str(done.stdout)

    def running(self, service: str) -> int:
        """Tasks of a service that run."""
        states = self.docker("service", "ps", service, "-f", "desired-state=running", "--format", "{{.CurrentState}}")
        return sum(line.startswith("Running") for line in states.splitlines())

    def why_not_whole(self) -> str:
        """Empty when every wanted node is ready and nothing is under way."""
        groups = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[*self.groups.values(), self.worker_group])
        wanted = {g["AutoScalingGroupName"]: g["DesiredCapacity"] for g in groups["AutoScalingGroups"]}
        managers = sum(n for g, n in wanted.items() if g != self.worker_group)
        status, record, up = self.status(), self.record(), self.instances()
        if record.get("phase") != "live" or record.get("rotate") or (record.get("redirect") and managers > 1):
            return f"record {record}"
        if status.get("epoch") != record["epoch"] or time.time() - status["updated"] > 60:
            return "status is old"
        nodes = status["nodes"]
        if sorted(n["instance_id"] for n in nodes) != sorted(up):
            return f"nodes {sorted(n['instance_id'] for n in nodes)}, instances {sorted(up)}"
        if len(up) != sum(wanted.values()) or not all(n["state"] == "ready" for n in nodes):
            return f"{len(up)} instances of {sum(wanted.values())}, {[n['state'] for n in nodes]}"
        reachable = [n for n in nodes if n["reachability"] == "reachable"]
        if len(reachable) != managers or not status["tokens_published"]:
            return f"{len(reachable)} managers reachable of {managers}"
        if any(e["state"] != "member" for e in self.ledger().values()) or len(self.ledger()) != managers:
            return f"ledger {[(e['instance'], e['state']) for e in self.ledger().values()]}"
        return ""

    def wait_whole(self, seconds: float = 240) -> float:
        """Seconds until the cluster is whole."""
        return self.wait(lambda: not self.why_not_whole(), seconds, self.why_not_whole)

    def wait(self, holds: Callable[[], bool], seconds: float, why: Callable[[], str] = lambda: "") -> float:
        """Seconds until something holds; on an idle machine it may take this many."""
        seconds *= PATIENCE
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not within {seconds:.0f} s: {why()}")
            time.sleep(1)
        return time.monotonic() - began

    def journal(self, instance: str) -> str:
        """The agent's log on a host."""
        done = self.host(instance).run("journalctl", "-u", "timonel-agent", "-o", "cat", "--no-pager", timeout=60)
        return str(done.stdout)

    # --- ending

    def close(self) -> float:
        """Destroys as the stack does: closing mark, sizes to 0; the seconds until the last instance is terminated.

        Cuts are healed first: a node that cannot reach the API lets its hook time out, which takes five minutes.
        """
        actions.heal(self.state)
        self.s3.put_object(Bucket=self.id, Key=CLOSING, Body=b"{}")
        for name in [*self.groups.values(), self.worker_group]:
            found = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
            ids = [i["InstanceId"] for g in found for i in g["Instances"]]
            if ids:
                self.asg.set_instance_protection(AutoScalingGroupName=name, InstanceIds=ids, ProtectedFromScaleIn=False)
            if found:
                self.asg.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0)
        alive = ("pending", "running", "shutting-down", "stopping", "stopped")
        return self.wait(lambda: not self.instances(states=alive), 180, lambda: str(list(self.instances(states=alive))))


def authority() -> dict[str, str]:
    """A certificate authority, as the stack's own provider makes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "timonel")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return {
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "private_key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    }
