"""The network as arguments of a cluster of any kind, before it is made and after."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.network.component import Network

_SHARED = ("cidr", "zones", "has_internet_egress", "interface_endpoints")
"""Known of a network before it is made, and named alike by both."""


def planned_args(network: Mapping[str, Any]) -> dict[str, Any]:
    """What is known before it is made; its ids are not."""
    return {key: network[key] for key in _SHARED}


def made_args(network: "Network") -> dict[str, Any]:
    """What every kind of cluster takes of a network that is made."""
    return {
        "vpc_id": network.vpc_id,
        "private_subnet_ids": network.private_subnet_ids,
        **{key: getattr(network, key) for key in _SHARED},
    }
