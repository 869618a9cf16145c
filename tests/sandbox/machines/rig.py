"""A sandbox with machines for tests: a VPC with three zones, instances by plain boto3, hosts to look into."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.machines import actions, controller
from sandbox.machines.host import Host
from tests.sandbox.rig import Sandbox

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
IMDS = "http://169.254.169.254/latest"
TOKEN = f"$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {IMDS}/api/token)"


PATIENCE = 3.0
"""Times that a wait may take what it takes on an idle machine: tests run side by side, wherever CI runs them."""


def until(what: str, look: Callable[[], Any], seconds: float = 90, pause: float = 0.3) -> Any:
    """Wait until a look is true and return it; the failure says what was waited for and what was seen last.

    Args:
        what: is waited for, in words.
        look: tells whether it is there.
        seconds: that it may take on an idle machine.
        pause: between looks, seconds.
    """
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}; last seen: {seen!r}"
        time.sleep(pause)
    return seen


class Machines(Sandbox):
    """A sandbox whose instances boot."""

    def __init__(self, folder: Path, cidr: str = "10.40.0.0/16") -> None:
        super().__init__(folder)
        self.cidr = cidr
        self.subnets: dict[str, str] = {}
        self.vpc = ""
        self._image = ""

    @property
    def folder(self) -> Path:
        """The state folder."""
        return self.state.folder

    def prepare(self) -> None:
        """Make the VPC, one subnet per zone, and the instance profile `node`."""
        ec2, iam = self.client("ec2"), self.client("iam")
        self.vpc = ec2.create_vpc(CidrBlock=self.cidr)["Vpc"]["VpcId"]
        start = self.cidr.rsplit(".", 2)[0]
        for number, zone in enumerate(("us-east-1a", "us-east-1b", "us-east-1c")):
            made = ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"{start}.{number}.0/24", AvailabilityZone=zone)
            self.subnets[zone] = made["Subnet"]["SubnetId"]
        iam.create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.create_instance_profile(InstanceProfileName="node")
        iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")

    def launch(self, user_data: str = "", zone: str = "us-east-1a", **options: Any) -> str:
        """Launch one instance."""
        answer = self.client("ec2").run_instances(
            ImageId=options.pop("image", "") or self.any_image(),
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.small",
            SubnetId=self.subnets[zone],
            UserData=user_data,
            IamInstanceProfile={"Name": "node"},
            **options,
        )
        return str(answer["Instances"][0]["InstanceId"])

    def any_image(self) -> str:
        """An AMI that the API has (all are described, so it is asked once)."""
        if not self._image:
            self._image = str(self.client("ec2").describe_images()["Images"][0]["ImageId"])
        return self._image

    def state_of(self, instance_id: str) -> str:
        """EC2's state of an instance."""
        answer = self.client("ec2").describe_instances(InstanceIds=[instance_id])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def checks_of(self, instance_id: str) -> str:
        """EC2's instance status check."""
        answer = self.client("ec2").describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)
        return str(answer["InstanceStatuses"][0]["InstanceStatus"]["Status"])

    def host(self, instance_id: str) -> Host:
        """The host of an instance."""
        return actions.host(self.folder, instance_id)

    def booted(self, *instances: str) -> list[Host]:
        """Wait until hosts have booted, user data included."""

        def up() -> bool:
            return all(self._system(i) in ("running", "degraded") for i in instances)

        until(f"{instances} booted", up, 120)
        return [self.host(i) for i in instances]

    def _system(self, instance_id: str) -> str:
        try:
            return self.host(instance_id).system_state()
        except actions.NoHostError:
            return "none"

    def terminate(self, instances: Iterable[str]) -> None:
        """Terminate instances and wait until they are."""
        ids = list(instances)
        if ids:
            self.client("ec2").terminate_instances(InstanceIds=ids)
            until(f"{ids} terminated", lambda: all(self.state_of(i) == "terminated" for i in ids))

    def traces(self) -> dict[str, list[str]]:
        """What the machines have in the kernel."""
        return controller.traces(self.folder)


def shell(host: Host, script: str, seconds: float = 60) -> str:
    """Run a shell script on a host and return what it printed; its failure fails the test."""
    done = host.run("sh", "-c", script, timeout=seconds * PATIENCE)
    assert done.returncode == 0, f"{host.id}: {script}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def reaches(host: Host, address: str) -> bool:
    """Whether a host's ping to an address is answered."""
    return host.run("ping", "-c1", "-W1", address).returncode == 0


@contextmanager
def one_host(machines: Machines, prepare: str) -> Iterator[Host]:
    """One booted host on which a script has run; it is terminated in the end."""
    instance = machines.launch()
    (host,) = machines.booted(instance)
    shell(host, prepare, 120)
    yield host
    machines.terminate([instance])


@contextmanager
def booted(folder: Path) -> Iterator[Machines]:
    """A sandbox with machines; its end must leave nothing in the kernel. Skips the test where hosts cannot boot."""
    reason = controller.supported()
    if reason:
        pytest.skip(f"hosts cannot boot here: {reason}")
    running = Machines(folder)
    try:
        running.up("--machines")
        yield running
    finally:
        running.down()
    left = {what: found for what, found in running.traces().items() if found}
    assert not left, f"down left something behind: {left}"
