"""Which address ranges Swarm may cut its networks from."""

import ipaddress
from collections.abc import Sequence

from components.cidr import PRIVATE

DOCKER_BRIDGE = "172.17.0.1/16"
"""docker0. It does not follow Swarm's address pool (experiment in the design's protocol notes)."""
GWBRIDGE_POOL = "172.18.0.0/16"
"""docker_gwbridge; likewise."""
POOL_CANDIDATES = ("10.128.0.0/12", "10.64.0.0/12", "100.64.0.0/12", "192.168.0.0/16")
"""Tried in this order; the first that meets neither the VPC nor Docker's bridges is the default."""
LOCAL_RANGES = {
    "docker0": ipaddress.IPv4Interface(DOCKER_BRIDGE).network,
    "docker_gwbridge": ipaddress.IPv4Network(GWBRIDGE_POOL),
}


def default_pools(vpc_cidr: str) -> list[str]:
    """The default address pool beside a VPC (empty: the VPC is not known yet).

    A VPC has at most a /16, so that it never meets all candidates.
    """
    if not vpc_cidr:
        return [POOL_CANDIDATES[0]]
    vpc = ipaddress.IPv4Network(vpc_cidr)
    return [next(pool for pool in POOL_CANDIDATES if not ipaddress.IPv4Network(pool).overlaps(vpc))]


def networks_in(pools: Sequence[str], prefix: int) -> int:
    """How many networks of ``prefix`` length the pools give."""
    return sum(2 ** (prefix - ipaddress.IPv4Network(pool).prefixlen) for pool in pools)


def is_public(cidr: str) -> bool:
    """Whether a range holds addresses that come over the internet."""
    network = ipaddress.IPv4Network(cidr)
    return not any(network.subnet_of(private) for private in PRIVATE)
