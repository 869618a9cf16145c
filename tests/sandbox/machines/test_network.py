"""Zones and hosts can be cut from each other and healed; load balancers carry; sandboxes do not meet."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from sandbox.machines import actions, names
from sandbox.machines.host import Host
from sandbox.state import read_json
from tests.sandbox.machines.rig import IMDS, TOKEN, Machines, reaches, shell, until

pytestmark = pytest.mark.machines

WEB = """#!/bin/sh
mkdir -p /srv/web && hostname >/srv/web/index.html && echo ok >/srv/web/healthz
systemd-run --unit web --working-directory /srv/web python3 -m http.server 8080
"""
API = "curl -s -m 3 -o /dev/null http://169.254.100.1/"


@pytest.fixture(scope="module")
def trio(machines: Machines) -> Iterator[list[Host]]:
    """Two hosts in zone a and one in zone b, each with a web server: booted once for this file."""
    made = [machines.launch(WEB), machines.launch(WEB), machines.launch(WEB, "us-east-1b")]
    yield machines.booted(*made)
    machines.terminate(made)


@pytest.fixture(autouse=True)
def healed(machines: Machines) -> Iterator[None]:
    """Every test starts and ends with nothing cut."""
    actions.heal(machines.folder)
    yield
    actions.heal(machines.folder)


def ip(host: Host) -> str:
    identity = host.identity()
    assert identity
    return identity.wire.ip


def test_zones_and_hosts_are_cut_and_healed(machines: Machines, trio: list[Host]) -> None:
    a, a2, b = trio
    assert reaches(a, ip(b)), "zones are routed"
    assert reaches(a, ip(a2))
    assert shell(a, f"getent hosts {names.private_dns(ip(b), 'us-east-1')}").startswith(ip(b)), (
        "EC2's private names resolve"
    )

    actions.cut_zone(machines.folder, "us-east-1a")
    assert not reaches(a, ip(b))
    assert not reaches(b, ip(a))
    assert reaches(a, ip(a2)), "inside the zone nothing is cut"
    assert a.run("sh", "-c", API).returncode == 0, "the API is regional"
    actions.heal(machines.folder, "us-east-1a")
    assert reaches(a, ip(b))

    actions.cut_host(machines.folder, a.id)
    assert not reaches(a, ip(a2)), "a cut host loses its zone too"
    assert a.run("sh", "-c", API).returncode != 0, "and the API"
    assert (
        shell(a, f'T={TOKEN}; curl -s -m 3 -H "X-aws-ec2-metadata-token: $T" {IMDS}/meta-data/instance-id') == a.id
    ), "metadata comes from the hypervisor"
    actions.heal(machines.folder)
    assert reaches(a, ip(a2))

    actions.cut_pair(machines.folder, a.id, b.id)
    assert not reaches(a, ip(b))
    assert reaches(a2, ip(b)), "only the pair is cut"


def test_an_unknown_name_is_refused_at_once(trio: list[Host]) -> None:
    host = trio[0]
    start = time.monotonic()
    assert host.run("getent", "hosts", "images.example.com").returncode != 0
    assert time.monotonic() - start < 4.5, "nothing on a host may wait for a name server's time-out"


def get(address: str, port: int = 80) -> str:
    try:
        with urllib.request.urlopen(f"http://{address}:{port}/", timeout=5) as answer:
            return str(answer.read().decode().strip())
    except (urllib.error.URLError, OSError) as error:
        return f"error: {error}"


def test_a_load_balancer_carries_and_follows_its_targets_health(machines: Machines, trio: list[Host]) -> None:
    elb = machines.client("elbv2")
    one, _, two = trio
    subnets = [machines.subnets["us-east-1a"], machines.subnets["us-east-1b"]]
    made = elb.create_load_balancer(Name="web", Type="network", Scheme="internal", Subnets=subnets)["LoadBalancers"][0]
    group = elb.create_target_group(
        Name="web",
        Protocol="TCP",
        Port=8080,
        VpcId=machines.vpc,
        TargetType="instance",
        HealthCheckProtocol="HTTP",
        HealthCheckPath="/healthz",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one.id}, {"Id": two.id}])
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="TCP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )

    def states() -> dict[str, str]:
        found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {entry["Target"]["Id"]: entry["TargetHealth"]["State"] for entry in found}

    both = {names.hostname(ip(one)), names.hostname(ip(two))}
    try:
        record, arn = machines.folder / "machines" / "balancers.json", made["LoadBalancerArn"]
        number = until("the balancer is served", lambda: read_json(record).get(arn), 20)
        address = names.loopback(names.sandbox_key(machines.folder), number)
        until("both answer", lambda: {get(address) for _ in range(4)} == both, 40)
        until("both are healthy", lambda: set(states().values()) == {"healthy"} and len(states()) == 2)
        assert {get(address) for _ in range(6)} == both, "connections are spread over the targets"
        hosts_file = (machines.folder / "machines" / names.HOSTS_FILE).read_text()
        assert f"{address} {made['DNSName'].lower()}" in hosts_file, "commands on the VM resolve its name"
        inside = {shell(one, f"curl -s -m 5 http://{made['DNSName']}/") for _ in range(4)}
        assert inside == both, "hosts reach it by its name"

        shell(two, "rm /srv/web/healthz")
        until("the sick one is unhealthy", lambda: states()[two.id] == "unhealthy", 40)
        assert {get(address) for _ in range(6)} == {names.hostname(ip(one))}, "an unhealthy target gets nothing"
        shell(two, "echo ok >/srv/web/healthz")
        until("it is well again", lambda: states()[two.id] == "healthy", 40)

        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": one.id}])
        until("only the other answers", lambda: {get(address) for _ in range(4)} == {names.hostname(ip(two))}, 20)
        actions.cut_host(machines.folder, two.id)
        until("the one cut off is unhealthy", lambda: states().get(two.id) == "unhealthy", 40)
    finally:
        elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    until("the listener is gone", lambda: _refused(address), 20)


def _refused(address: str) -> bool:
    try:
        socket.create_connection((address, 80), 2).close()
    except ConnectionRefusedError:
        return True
    return False


def test_docker_runs_an_image_of_the_sandboxs_registry(trio: list[Host]) -> None:
    host = trio[0]
    shell(host, "systemctl start docker && docker run -d --name echo -p 8090:8080 timonel/echo", 120)
    name = shell(host, "docker inspect -f '{{.Config.Hostname}}' echo")
    until("the container answers", lambda: host.run("curl", "-sf", f"http://{ip(host)}:8090/").stdout.strip() == name)
    start = time.monotonic()
    assert "Error" in host.run("docker", "pull", "timonel/no-such-image").stderr
    assert time.monotonic() - start < 10, "an unknown image is refused at once"
