"""Choosing zones and victims: pure functions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.autoscaling.spread import Member, victims, zones_for_launch

ZONES = ["a", "b", "c"]
members = st.lists(
    st.builds(
        Member,
        id=st.uuids().map(str),
        zone=st.sampled_from(ZONES),
        launched=st.floats(0, 100),
        template_version=st.integers(1, 3),
        protected=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda m: m.id,
)


def test_the_emptiest_zone_comes_first_and_ties_keep_the_groups_order() -> None:
    assert zones_for_launch(ZONES, {"a": 1, "b": 0, "c": 0}) == ["b", "c", "a"]
    assert zones_for_launch(ZONES, {}) == ["a", "b", "c"]


@given(st.integers(0, 20))
def test_launching_always_into_the_first_zone_keeps_zones_within_one(count: int) -> None:
    counts: dict[str, int] = {}
    for _ in range(count):
        zone = zones_for_launch(ZONES, counts)[0]
        counts[zone] = counts.get(zone, 0) + 1
    sizes = [counts.get(z, 0) for z in ZONES]
    assert max(sizes) - min(sizes) <= 1


@given(members, st.integers(0, 12))
def test_a_protected_member_is_never_a_victim_and_no_member_twice(group: list[Member], count: int) -> None:
    chosen = victims(group, count)
    unprotected = {m.id for m in group if not m.protected}
    assert set(chosen) <= unprotected
    assert len(chosen) == len(set(chosen)) == min(count, len(unprotected))


def test_the_fullest_zone_gives_its_oldest_template_first() -> None:
    group = [
        Member("new-a", "a", 1, template_version=2),
        Member("old-a", "a", 5, template_version=1),
        Member("only-b", "b", 0, template_version=1),
    ]
    assert victims(group, 1) == ["old-a"], (
        "zone a has two; of them the older template goes, though it was launched later"
    )
    assert victims(group, 1, ["NewestInstance"]) == ["old-a"]
    assert victims(group, 1, ["OldestInstance"]) == ["new-a"]
