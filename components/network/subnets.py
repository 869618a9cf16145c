"""Where each subnet lies in the VPC's range: pure, and the same for ever.

The place of a subnet follows from the VPC's range and the zone's number alone, never from how many zones there are,
so that a zone more or less moves no subnet. For that the range is cut for six zones from the beginning:

    | private 0 | private 1 | private 2 | private 3 | private 4 | private 5 |  public 0..5 + spare  |
    0          1/8                                                        6/8                       1

A private subnet (the nodes) has an eighth of the range. The last quarter holds the public subnets (NAT gateways and
load balancers), each a quarter of a private one, but no smaller than AWS allows.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network

from components import cidr
from components.errors import InputError

MAX_ZONES = 6
"""No region has more; us-east-1 has six. Source: AWS Global Infrastructure, "Regions and Availability Zones"."""
LARGEST_VPC, SMALLEST_VPC = 16, 24
"""Prefix lengths. AWS takes /16 to /28 for a VPC; below /24 nothing useful fits."""
SMALLEST_SUBNET = 28
"""Source: VPC User Guide, "Subnet CIDR blocks": between a /28 netmask and a /16 netmask."""

_PRIVATE_BITS = 3
_PUBLIC_BITS = 5
_PUBLIC_QUARTER = 3


@dataclass(frozen=True)
class ZoneSubnets:
    """The two subnets of a zone."""

    private: IPv4Network
    public: IPv4Network


def check_vpc(path: str, vpc: IPv4Network) -> None:
    """Refuse a range that no VPC of ours may have.

    Raises:
        InputError: larger than /16, smaller than /24, or not a private range.
    """
    if not LARGEST_VPC <= vpc.prefixlen <= SMALLEST_VPC:
        raise InputError(
            path,
            str(vpc),
            f"be between a /{LARGEST_VPC} and a /{SMALLEST_VPC}",
            f"AWS has no larger VPC than a /{LARGEST_VPC}, and below a /{SMALLEST_VPC} a subnet falls under AWS's /28.",
        )
    if not any(cidr.contains(private, vpc) for private in cidr.PRIVATE):
        raise InputError(
            path,
            str(vpc),
            f"lie in one of {', '.join(map(str, cidr.PRIVATE))}",
            "Hosts of the internet with addresses in the VPC's range could not be reached from it.",
        )


def most_zones(vpc: IPv4Network) -> int:
    """How many zones have room in the range: six from /23 up, four in a /24."""
    public = _public_prefix(vpc)
    return min(MAX_ZONES, 1 << (public - vpc.prefixlen - 2))


def lay_out(path: str, vpc: IPv4Network, zones: int) -> list[ZoneSubnets]:
    """The subnets of the first ``zones`` zones.

    Args:
        path: dotted path of the VPC's range, for the error.
        vpc: the VPC's range, /16 to /24.
        zones: 1 to 6.

    Raises:
        InputError: the range is not fit for a VPC, or has no room for so many zones.
    """
    check_vpc(path, vpc)
    if zones > most_zones(vpc):
        raise InputError(
            path,
            str(vpc),
            f"be at least a /{SMALLEST_VPC - 1} for {zones} zones",
            f"A /{vpc.prefixlen} has room for the public subnets of {most_zones(vpc)} zones: AWS has no subnet smaller "
            f"than a /{SMALLEST_SUBNET}.",
        )
    public_part = cidr.cut(vpc, vpc.prefixlen + 2, _PUBLIC_QUARTER)
    return [
        ZoneSubnets(
            private=cidr.cut(vpc, vpc.prefixlen + _PRIVATE_BITS, index),
            public=cidr.cut(public_part, _public_prefix(vpc), index),
        )
        for index in range(zones)
    ]


def _public_prefix(vpc: IPv4Network) -> int:
    return min(vpc.prefixlen + _PUBLIC_BITS, SMALLEST_SUBNET)
