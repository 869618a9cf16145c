"""Tags: one place that knows which tags every resource carries, and which tags a user may add."""

import re
from collections.abc import Mapping
from typing import TypeVar

import pulumi

from components.errors import InputError

Value = TypeVar("Value")

STACK = "timonel:stack"
CLUSTER = "timonel:cluster"
ROLE = "timonel:role"
POOL = "timonel:pool"

# Instances show their tags through the metadata service (the agent reads its group's name there), and then AWS allows
# only these characters in a key. Source: EC2 User Guide, "View tags for your EC2 instances using instance metadata".
_KEY = re.compile(r"[A-Za-z0-9+\-=.,_:@]{1,128}")
_VALUE_LIMIT = 256
_RESERVED = ("aws:", "timonel:")
_USER_LIMIT = 40
"""AWS allows 50 tags on a resource; the rest is for Timonel's own and for those that AWS adds."""


def check(path: str, tags: Mapping[str, str]) -> None:
    """Refuse tags that AWS would refuse, or that would hide Timonel's own.

    Raises:
        InputError: a reserved prefix, a character or length that AWS refuses, or too many tags.
    """
    if len(tags) > _USER_LIMIT:
        raise InputError(path, len(tags), f"hold at most {_USER_LIMIT} tags", "AWS allows 50 on a resource.")
    for key, value in tags.items():
        if key.lower().startswith(_RESERVED):
            raise InputError(
                f"{path}[{key!r}]",
                key,
                f"not start with {' or '.join(_RESERVED)}",
                "Those tags have a meaning already.",
            )
        if not _KEY.fullmatch(key):
            raise InputError(
                f"{path}[{key!r}]",
                key,
                "be 1 to 128 letters, digits or + - = . , _ : @",
                "Instances show their tags through the metadata service, which takes no other characters in a key.",
            )
        if len(value) > _VALUE_LIMIT:
            raise InputError(f"{path}[{key!r}]", value, f"have at most {_VALUE_LIMIT} characters", "AWS takes no more.")


def stack_tags(project: str, stack: str, user: Mapping[str, str]) -> dict[str, str]:
    """The user's tags and the one by which every resource of a stack is found."""
    return {**user, STACK: f"{project}/{stack}"}


def common(user: Mapping[str, str]) -> dict[str, str]:
    """``stack_tags`` for the stack that runs now."""
    return stack_tags(pulumi.get_project(), pulumi.get_stack(), user)


def named(tags: Mapping[str, Value], name: str) -> dict[str, Value | str]:
    """``tags`` with ``Name``; a ``Name`` among them is replaced, since it would be the same on everything."""
    return {**tags, "Name": name}
