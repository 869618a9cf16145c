"""The rules that node pools must keep. Pure."""

import re
from collections.abc import Sequence

from components.eks.args import Capacity
from components.eks.plan import PoolPlan
from components.errors import InputError
from components.naming import is_pool_name

_DISK_GIB = (20, 16384)
"""The AL2023 image's snapshot has 20 GiB; gp3 volumes end at 16 TiB."""
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
"""Source: Kubernetes documentation, "Labels and Selectors", syntax and character set."""
_RESERVED = ("kubernetes.io/", "k8s.io/", "eks.amazonaws.com/")


def check(pools: Sequence[PoolPlan]) -> None:
    """Hold pools against every rule that needs no AWS.

    Raises:
        InputError: the first rule that is broken.
    """
    for index, pool in enumerate(pools):
        path = f"node_pools[{index}]"
        if not is_pool_name(pool.name):
            rule = "hold 1 to 32 lower-case letters, digits and single hyphens"
            raise InputError(f"{path}.name", pool.name, rule, "It stands in names of resources, tags and node labels.")
        if pool.name in [other.name for other in pools[:index]]:
            raise InputError(f"{path}.name", pool.name, "differ from the others", "Resources are named by it.")
        _check_types(path, pool)
        _check_sizes(path, pool)
        _check_labels(path, pool)
        _check_taints(path, pool)


def _check_types(path: str, pool: PoolPlan) -> None:
    types = pool.instance_types
    if not types or len(set(types)) != len(types):
        raise InputError(
            f"{path}.instance_types", types, "hold each type once, and at least one", "AWS launches from it."
        )
    if len(types) > 1 and pool.capacity is Capacity.ON_DEMAND:
        rule = "hold one type when capacity is on-demand"
        raise InputError(
            f"{path}.instance_types", types, rule, "Several types are for spot, where AWS takes what is there."
        )


def _check_sizes(path: str, pool: PoolPlan) -> None:
    _range(f"{path}.min_size", pool.min_size, 0, 450, "EKS takes at most 450 nodes in a group.")
    least = max(1, pool.min_size)
    _range(f"{path}.max_size", pool.max_size, least, 450, f"min_size is {pool.min_size}, and 0 is no pool.")
    _range(f"{path}.disk_gib", pool.disk_gib, *_DISK_GIB, "gp3 volumes and the image's snapshot set it.")
    _range(f"{path}.max_unavailable", pool.max_unavailable, 1, 100, "EKS takes no other number.")


def _check_labels(path: str, pool: PoolPlan) -> None:
    for key, value in pool.labels.items():
        place = f"{path}.labels[{key!r}]"
        _check_key(place, key)
        if key.startswith("timonel/"):
            raise InputError(place, key, "not start with timonel/", "Those labels are Timonel's own.")
        if not _VALUE.fullmatch(value):
            rule = "be at most 63 letters, digits, dots, hyphens and underscores, with a letter or digit at both ends"
            raise InputError(place, value, rule, "Kubernetes takes no other value.")


def _check_taints(path: str, pool: PoolPlan) -> None:
    for index, taint in enumerate(pool.taints):
        place = f"{path}.taints[{index}]"
        _check_key(f"{place}.key", taint.key)
        if not _VALUE.fullmatch(taint.value):
            rule = "be at most 63 letters, digits, dots, hyphens and underscores"
            raise InputError(f"{place}.value", taint.value, rule, "Kubernetes takes no other value.")
        if (taint.key, taint.effect) in [(other.key, other.effect) for other in pool.taints[:index]]:
            raise InputError(f"{place}.key", taint.key, "be there once for each effect", "Kubernetes refuses a second.")


def _check_key(path: str, key: str) -> None:
    if not _KEY.fullmatch(key):
        rule = "be a name of at most 63 letters, digits, dots, hyphens and underscores, with an optional DNS prefix"
        raise InputError(path, key, rule, "Kubernetes takes no other key.")
    prefix = key.partition("/")[0] + "/" if "/" in key else ""
    if prefix.endswith(_RESERVED):
        rule = f"not have a prefix that ends with {', '.join(_RESERVED)}"
        raise InputError(path, key, rule, "EKS refuses those of Kubernetes, and makes its own.")


def _range(path: str, got: int, least: int, most: int, reason: str) -> None:
    if not least <= got <= most:
        raise InputError(path, got, f"be between {least} and {most}", reason)
