"""Stand-ins for well-known images on a booted host: their names, any tag, and what they say they are."""

import json
from collections.abc import Iterator

import pytest

from sandbox.machines.host import Host
from tests.sandbox.machines.rig import Machines, one_host, shell, until

pytestmark = pytest.mark.machines

PULLED = {
    "prom/prometheus:v9.9.9": "prometheus, version",
    "prom/alertmanager:v9.9.9": "alertmanager, version",
    "prom/node-exporter:v9.9.9": "node_exporter, version",
    "ghcr.io/google/cadvisor:9.9.9": "cAdvisor version",
}


@pytest.fixture(scope="module")
def host(machines: Machines) -> Iterator[Host]:
    """One host with Docker started."""
    with one_host(machines, "systemctl start docker") as found:
        yield found


@pytest.mark.parametrize("image", PULLED)
def test_a_stand_in_answers_for_a_real_name_and_any_tag_and_says_what_it_is(host: Host, image: str) -> None:
    shell(host, f"docker pull -q {image}", 400)  # the first time on a machine it is made
    said = shell(host, f"docker run --rm {image} --version")
    labels = json.loads(shell(host, f"docker inspect -f '{{{{json .Config.Labels}}}}' {image}"))
    assert PULLED[image] in said, "the program behind the entry point runs"
    assert labels["org.opencontainers.image.version"] in said, "the label has the true version, not the tag's"
    assert "in place of" in labels["timonel.standin"]


def test_an_image_of_another_registry_is_not_found_on_docker_hub(host: Host) -> None:
    assert host.run("docker", "pull", "google/cadvisor:1").returncode != 0
    assert host.run("docker", "pull", "ghcr.io/prom/prometheus:v3").returncode != 0
    assert host.run("docker", "pull", "quay.io/prometheus/prometheus:v3").returncode != 0, "an unknown registry"


def test_a_digest_of_the_real_image_is_refused(host: Host) -> None:
    assert host.run("docker", "pull", f"prom/prometheus@sha256:{'0' * 64}").returncode != 0


def test_prometheus_runs_with_its_volume_and_without_root(host: Host) -> None:
    shell(host, "docker run -d --name prom -p 9090:9090 -v data:/prometheus prom/prometheus:v3", 120)
    ready = "curl -sf http://127.0.0.1:9090/-/ready"
    until("Prometheus is ready", lambda: host.run("sh", "-c", ready).returncode == 0)
    assert shell(host, "docker exec prom id -u") == "65534", "the real image runs as nobody"
    assert "wal" in shell(host, "docker exec prom ls /prometheus"), "nobody may write into a new volume"
    shell(host, "docker rm -f prom")


def test_cadvisor_sees_the_containers_of_a_host(host: Host) -> None:
    mounts = "-v /:/rootfs:ro -v /var/run:/var/run:ro -v /sys:/sys:ro -v /var/lib/docker:/var/lib/docker:ro"
    shell(host, f"docker run -d --name cadvisor -p 8080:8080 {mounts} ghcr.io/google/cadvisor:1 -docker_only=true", 120)
    asked = "curl -sf http://127.0.0.1:8080/metrics | grep container_memory_working_set_bytes"
    seen = until("memory of a container", lambda: host.run("sh", "-c", asked).stdout)
    assert 'name="cadvisor"' in seen, seen
    shell(host, "docker rm -f cadvisor")


def test_a_hosts_own_node_exporter_leaves_the_port_to_the_stacks(host: Host) -> None:
    listening = shell(host, "ss -Hltn 'sport = :9100'")
    assert not listening, f"Debian's node_exporter must not be there as well: {listening}"
