"""Settings that cannot work fail at preview with key, value, rule and reason, and nothing is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.rig import Sandbox, Stack
from tests.sandbox.shapes import PREINSTALLED_IMAGE, closed_network, dev

pytestmark = pytest.mark.sandbox


def _typo() -> dict[str, Any]:
    return dev() | {"timonel:netwrok": {"zones": 3}}


def _few_endpoints() -> dict[str, Any]:
    network = closed_network()
    network["interfaceEndpoints"] = network["interfaceEndpoints"][1:]
    return dev(network=network, cluster={"image": PREINSTALLED_IMAGE})


BAD: dict[str, tuple[Callable[[], dict[str, Any]], list[str]]] = {
    # what is wrong: (config, words that the message must hold)
    "an even number of managers": (
        lambda: dev(cluster={"managers": {"count": 4}}),
        ["cluster.managers.count", "4", "1, 3, 5"],
    ),
    "managers on spot": (lambda: dev(cluster={"managers": {"purchase": "spot"}}), ["cluster.managers", "purchase"]),
    "a VPC that meets Swarm's address pool": (
        lambda: dev(cluster={"addressPools": ["10.20.0.0/16"]}),
        ["addressPools", "10.20.0.0/16"],
    ),
    "a VPC that meets docker0": (lambda: dev(network={"cidr": "172.17.0.0/16"}), ["cidr", "172.17.0.0/16", "docker0"]),
    "a VPC that meets docker_gwbridge": (
        lambda: dev(network={"cidr": "172.18.0.0/16"}),
        ["cidr", "172.18.0.0/16", "docker_gwbridge"],
    ),
    "a CIDR too small for its zones": (
        lambda: dev(network={"cidr": "10.20.0.0/27", "zones": 3}),
        ["network.cidr", "10.20.0.0/27"],
    ),
    "an unknown key": (lambda: dev(cluster={"managres": {}}), ["cluster.managres", "managers"]),
    "a misspelt top-level key": (_typo, ["netwrok", "network"]),
    "the Docker API open to the world": (
        lambda: dev(cluster={"operatorCidrs": ["0.0.0.0/0"]}),
        ["operatorCidrs", "0.0.0.0/0"],
    ),
    "an image of another architecture": (
        lambda: dev(cluster={"image": {"architecture": "arm64"}, "managers": {"instanceType": "t3.small"}}),
        ["managers.instanceType", "t3.small", "arm64"],
    ),
    "no NAT and no endpoints": (
        lambda: dev(network={"nat": "none"}, cluster={"image": PREINSTALLED_IMAGE}),
        ["interfaceEndpoints"],
    ),
    "no NAT and an endpoint too few": (_few_endpoints, ["interfaceEndpoints"]),
    "no NAT and an image that would have to install": (
        lambda: dev(network=closed_network()),
        ["image.preinstalled"],
    ),
}


@pytest.mark.parametrize("wrong", BAD)
def test_a_setting_that_cannot_work_fails_at_preview_and_makes_nothing(
    wrong: str, account: Sandbox, checkout_stack: Callable[..., Stack]
) -> None:
    config, words = BAD[wrong]
    stack = checkout_stack(config())
    said = stack.pulumi("preview", "-s", stack.name).failed().text
    for word in words:
        assert word in said, f"the message must name {word!r}\n{said}"
    assert "Traceback" not in said, f"a message, not a stack trace\n{said}"
    assert "must" in said, f"the message names the rule\n{said}"


@pytest.mark.parametrize("wrong", ["an even number of managers", "an image of another architecture"])
def test_an_up_that_skips_the_preview_makes_nothing_either(
    wrong: str, account: Sandbox, checkout_stack: Callable[..., Stack]
) -> None:
    config, _ = BAD[wrong]
    stack = checkout_stack(config())
    stack.up().finished.failed()
    made = [r for r in stack.resources() if r["type"].startswith(("aws:", "timonel:index:"))]
    assert made == [], f"found by a pure rule or by a lookup, it is found before anything is made: {made}"


def test_zones_that_lose_quorum_are_a_warning_not_an_error(
    account: Sandbox, checkout_stack: Callable[..., Stack]
) -> None:
    stack = checkout_stack(dev())
    said = stack.pulumi("preview", "-s", stack.name).ok().text
    assert "majority" in said, f"two zones: the loss of one can take the majority\n{said}"
