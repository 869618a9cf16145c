"""A cluster whose workers serve behind a load balancer, a client that counts failures, and a watch on the quorum."""

from __future__ import annotations

import http.client
import threading
import time
from typing import Any

from components.hosts.group import BATCH_REFRESH, QUORUM_REFRESH
from components.swarm.balancer import DEREGISTRATION_SECONDS
from sandbox.machines import controller, names
from tests.sandbox.agent.lab import Lab

PORT = 8080
SERVICE = "web"


class ServedLab(Lab):
    """A lab with a network load balancer for the workers, set as the component sets it."""

    def _state(self) -> None:
        super()._state()
        elb = self.session.client("elbv2", endpoint_url=self.endpoint)
        vpc = self.ec2.describe_subnets(SubnetIds=list(self.subnets.values()))["Subnets"][0]["VpcId"]
        balancer = elb.create_load_balancer(Name=self.id, Type="network", Subnets=list(self.subnets.values()))
        made = balancer["LoadBalancers"][0]
        group = elb.create_target_group(
            Name=self.id, Protocol="TCP", Port=PORT, VpcId=vpc, TargetType="instance", HealthCheckProtocol="TCP",
            HealthCheckPort="traffic-port", HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2, UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        attributes = {
            "deregistration_delay.timeout_seconds": str(DEREGISTRATION_SECONDS),
            "deregistration_delay.connection_termination.enabled": "true",
        }
        elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": k, "Value": v} for k, v in attributes.items()]
        )
        elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"], Protocol="TCP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )  # fmt: skip
        self.elb, self.dns, self.target_groups = elb, made["DNSName"].lower(), [group]

    def serve(self, replicas: int) -> None:
        """Start the service, one replica a worker at most, and wait until the balancer finds all of them healthy."""
        self.docker(
            "service", "create", "-d", "--name", SERVICE, "--replicas", str(replicas), "--constraint",
            "node.role==worker", "--publish", f"mode=host,target={PORT},published={PORT}", "timonel/echo",
        )  # fmt: skip
        self.wait(lambda: self.healthy() == replicas, 120, lambda: str(self.targets()))

    def targets(self) -> dict[str, str]:
        """What the balancer says of each target."""
        found = self.elb.describe_target_health(TargetGroupArn=self.target_groups[0])["TargetHealthDescriptions"]
        return {t["Target"]["Id"]: t["TargetHealth"]["State"] for t in found}

    def healthy(self) -> int:
        """Targets that get requests."""
        return sum(state == "healthy" for state in self.targets().values())

    def address(self) -> str:
        """The balancer's address on this machine."""
        lines = (controller.folder(self.state) / names.HOSTS_FILE).read_text().splitlines()
        return next(line.split()[0] for line in lines if line.split()[1:] == [self.dns])

    def replace(self, group: str) -> str:
        """A new version of a group's launch template and the instance refresh that the stack's group starts for it."""
        found = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
        template = found["LaunchTemplate"]["LaunchTemplateId"]
        version = self.ec2.create_launch_template_version(
            LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.medium"}
        )["LaunchTemplateVersion"]["VersionNumber"]
        self.asg.update_auto_scaling_group(
            AutoScalingGroupName=group, LaunchTemplate={"LaunchTemplateId": template, "Version": str(version)}
        )
        least, most = BATCH_REFRESH if group == self.worker_group else QUORUM_REFRESH
        return str(self.asg.start_instance_refresh(AutoScalingGroupName=group, Preferences={
            "MinHealthyPercentage": least, "MaxHealthyPercentage": most, "InstanceWarmup": 30,
            "ScaleInProtectedInstances": "Refresh", "StandbyInstances": "Terminate", "SkipMatching": True,
        })["InstanceRefreshId"])  # fmt: skip

    def refreshes(self, groups: list[str]) -> dict[str, str]:
        """Status of the newest refresh of each group."""
        found = {g: self.asg.describe_instance_refreshes(AutoScalingGroupName=g)["InstanceRefreshes"] for g in groups}
        return {g: f"{r[0]['Status']} {r[0].get('PercentageComplete')}" for g, r in found.items() if r}


class Background:
    """Something done every so often until its block ends; what it raises fails the block."""

    every = 1.0

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: BaseException | None = None

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.every):
                self.once()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self._error = error

    def once(self) -> None:
        """One look."""
        raise NotImplementedError


class Client(Background):
    """Asks the service ten times a second, each time by a new connection, and notes every request that failed."""

    every = 0.1

    def __init__(self, cluster: ServedLab) -> None:
        super().__init__()
        self.address = cluster.address()
        self.count = 0
        self.failures: list[tuple[float, str]] = []
        self.outage = 0.0
        """The longest time without any answer, seconds."""
        self._answered = time.monotonic()
        self.answered_by: set[str] = set()

    def once(self) -> None:
        """One request."""
        self.count += 1
        connection = http.client.HTTPConnection(self.address, 80, timeout=5)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            self.answered_by.add(answer.read().decode().strip())
            if answer.status != 200:
                raise http.client.HTTPException(f"status {answer.status}")
            now = time.monotonic()
            self.outage, self._answered = max(self.outage, now - self._answered), now
        except (OSError, http.client.HTTPException) as error:
            self.failures.append((time.time(), repr(error)))
        finally:
            connection.close()

    def told(self) -> str:
        """The count in words."""
        longest = f", longest without an answer {self.outage:.1f} s" if self.failures else ""
        return f"{len(self.failures)} of {self.count} requests failed{longest}"


class Watch(Background):
    """Asks docker for its managers again and again: how many it has, how many it reaches, how long nobody answers."""

    every = 1.0

    def __init__(self, cluster: Lab) -> None:
        super().__init__()
        self.cluster = cluster
        self.looks = 0
        self.lost: list[str] = []
        """Looks that saw no majority reachable."""
        self.fewest = 99
        self.most = 0
        self.silence = 0.0
        """The longest time that no manager answered, seconds: an election, or a lost quorum."""
        self._heard = time.monotonic()
        self._asked: list[str] = []

    def once(self) -> None:
        """One look, by whichever manager answers first; the one that answered last is asked first."""
        known = list(self.cluster.instances("manager", ("running",)))
        for instance in sorted(known, key=lambda i: i not in self._asked):
            states = self._ask(instance)
            if states:
                self._asked = [instance]
                break
        else:
            return
        self.looks += 1
        self.silence = max(self.silence, time.monotonic() - self._heard)
        self._heard = time.monotonic()
        reached = sum(state in {"Leader", "Reachable"} for state in states)
        self.fewest, self.most = min(self.fewest, reached), max(self.most, len(states))
        if 2 * reached <= len(states):
            self.lost.append(f"{reached} of {len(states)}")

    def _ask(self, instance: str) -> list[str]:
        try:
            done = self.cluster.host(instance).run(
                "timeout", "5", "docker", "node", "ls", "--format", "{{.ManagerStatus}}", timeout=15
            )
        except Exception:  # noqa: BLE001 - a host that comes or goes answers in many ways, none of them counts
            return []
        return [line for line in done.stdout.splitlines() if line] if done.returncode == 0 else []
