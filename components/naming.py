"""Limits of names: what AWS calls a thing follows from what the program calls it."""

import re

from components.errors import InputError

LOAD_BALANCER_LIMIT = 32
"""Longest name of a load balancer and of a target group.
Source: Elastic Load Balancing API reference, CreateLoadBalancer and CreateTargetGroup, parameter Name."""
RANDOM_SUFFIX = 8
"""What Pulumi's auto-naming puts behind a logical name: a hyphen and seven hexadecimal digits."""
LONGEST_SUFFIX = len("-p65535")
"""Longest of the logical suffixes that load balancers and target groups carry."""
COMPONENT_LIMIT = LOAD_BALANCER_LIMIT - RANDOM_SUFFIX - LONGEST_SUFFIX

_COMPONENT = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9]))*")
_POOL = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9]))*")
_POOL_LIMIT = 32


def check_component_name(name: str) -> None:
    """Refuse a component name that would give AWS names that AWS refuses.

    Raises:
        InputError: longer than 17 characters, or other than lower-case letters, digits and single hyphens.
    """
    if len(name) > COMPONENT_LIMIT:
        raise InputError(
            "name",
            name,
            f"have at most {COMPONENT_LIMIT} characters",
            f"Load balancers have at most {LOAD_BALANCER_LIMIT}, of which auto-naming and suffixes need the rest.",
        )
    if not _COMPONENT.fullmatch(name):
        raise InputError(
            "name",
            name,
            "start with a lower-case letter and hold lower-case letters, digits and single hyphens only",
            "Names of buckets and load balancers are made from it.",
        )


def is_pool_name(name: str) -> bool:
    """Whether a worker pool may be called so: it stands in logical names, tags and node labels."""
    return len(name) <= _POOL_LIMIT and _POOL.fullmatch(name) is not None
