"""The floors of the faults: the same hosts booted and joined by hand, without the agent, in the same run."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.machines.actions import NoHostError
from sandbox.machines.host import Host
from tests.sandbox.agent.report import floor
from tests.sandbox.machines.rig import Machines, shell, until

pytestmark = [pytest.mark.machines, pytest.mark.faults]

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
USER_DATA = "#!/bin/sh\nsystemctl start docker\n"


def test_the_floor_is_hosts_booted_and_joined_by_hand(booted: Machines) -> None:
    """Nothing waits: every join begins as soon as its host's dockerd answers, managers first."""
    booted.prepare()
    began = time.monotonic()
    five = [booted.launch(USER_DATA, zone) for zone in [*ZONES, *ZONES[:2]]]
    with ThreadPoolExecutor(len(five)) as pool:
        hosts = list(pool.map(lambda instance: with_docker(booted, instance), five))
    first = hosts[0]
    shell(first, "docker swarm init")
    tokens = {role: shell(first, f"docker swarm join-token -q {role}") for role in ("manager", "worker")}
    for number, host in enumerate(hosts[1:], 1):
        join(first, host, tokens["manager" if number < len(ZONES) else "worker"])
    until("five nodes ready", lambda: ready(first) == len(five))
    floor("five hosts by hand", time.monotonic() - began)

    began = time.monotonic()
    one = booted.launch(USER_DATA, ZONES[2])
    join(first, with_docker(booted, one), tokens["manager"])
    until("the sixth node is ready", lambda: ready(first) == len(five) + 1)
    floor("one host by hand", time.monotonic() - began)
    booted.terminate([*five, one])


def with_docker(machines: Machines, instance: str) -> Host:
    """The host once its dockerd answers."""

    def answers() -> bool:
        try:
            return machines.host(instance).run("docker", "version", timeout=20).returncode == 0
        except (NoHostError, RuntimeError):
            return False

    until(f"dockerd of {instance} answers", answers, 120)
    return machines.host(instance)


def join(first: Host, host: Host, token: str) -> None:
    """Join as the token says."""
    identity = first.identity()
    assert identity is not None, "a host that runs has an identity"
    shell(host, f"docker swarm join --token {token} {identity.wire.ip}:2377")


def ready(first: Host) -> int:
    """Nodes that are ready."""
    return shell(first, "docker node ls --format '{{.Status}}'").split().count("Ready")
