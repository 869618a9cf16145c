"""One booted host that is a swarm of its own, and a provider that talks to it."""

import json
from collections.abc import Iterator

import pytest

from sandbox.machines.host import Host
from sandbox.providers.docker.provider import DockerProvider
from sandbox.providers.schema import Package
from tests.sandbox.machines.rig import Machines, booted, one_host, shell
from tests.unit.providers.plain_driver import Engine


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A sandbox with machines for the session, its VPC made."""
    with booted(tmp_path_factory.mktemp("providers")) as running:
        running.prepare()
        yield running


@pytest.fixture(scope="session")
def manager(machines: Machines) -> Iterator[Host]:
    """A host that is the only manager of a swarm."""
    with one_host(machines, "systemctl start docker && docker swarm init --advertise-addr eth0") as host:
        yield host


@pytest.fixture
def engine(manager: Host) -> Engine:
    """The engine with a provider at the host's own socket, which is reached through the host's root."""
    leader = manager.leader()
    assert leader is not None
    return Engine(DockerProvider(Package("docker")), {"host": f"unix:///proc/{leader.pid}/root/run/docker.sock"})


@pytest.fixture(autouse=True)
def nothing_left(manager: Host) -> Iterator[None]:
    """Every test ends with an empty swarm."""
    yield
    for what in ("service", "config", "secret"):
        assert not shell(manager, f"docker {what} ls -q"), f"a {what} is left"
    networks = shell(manager, "docker network ls --filter driver=overlay --format '{{json .Name}}'").split()
    assert [json.loads(name) for name in networks] == ["ingress"]
