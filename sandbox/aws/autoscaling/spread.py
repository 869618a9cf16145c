"""Which zone gets the next instance, and which instance goes first. Pure.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html#arch-AutoScalingMultiAZ: a launch goes
to the zone with the fewest instances; where there is no capacity, to another zone.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html: Default takes the zone
with the most instances, in it those of the oldest launch template, then the one nearest to the next billing hour (here:
the oldest).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """What choosing needs to know of an instance.

    Attributes:
        id: instance id.
        zone: its zone.
        launched: when; any number that grows.
        template_version: number of its launch template.
        protected: whether it may not be scaled in.
    """

    id: str
    zone: str
    launched: float
    template_version: int = 0
    protected: bool = False


def zones_for_launch(zones: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """The zones in the order in which a launch tries them: fewest instances first, ties in the group's order."""
    return sorted(dict.fromkeys(zones), key=lambda zone: counts.get(zone, 0))


def victims(members: Iterable[Member], count: int, policies: Sequence[str] = ("Default",)) -> list[str]:
    """Ids of the instances that a scale-in of `count` terminates, in order; fewer when too many are protected."""
    left = [m for m in members if not m.protected]
    every = list(members)
    chosen: list[str] = []
    while left and len(chosen) < count:
        sizes: dict[str, int] = {}
        for member in every:
            sizes[member.zone] = sizes.get(member.zone, 0) + 1
        most = max(sizes[m.zone] for m in left)
        candidates = [m for m in left if sizes[m.zone] == most]
        victim = min(candidates, key=lambda m: _rank(m, policies))
        chosen.append(victim.id)
        left.remove(victim)
        every.remove(victim)
    return chosen


def _rank(member: Member, policies: Sequence[str]) -> tuple[float, ...]:
    rank: list[float] = []
    for policy in policies or ("Default",):
        if policy == "OldestInstance":
            rank.append(member.launched)
        elif policy == "NewestInstance":
            rank.append(-member.launched)
        elif policy in {"OldestLaunchTemplate", "OldestLaunchConfiguration"}:
            rank.append(member.template_version)
        else:
            rank += [member.template_version, member.launched]
    return (*rank, member.launched)
