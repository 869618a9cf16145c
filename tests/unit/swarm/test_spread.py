"""Managers over zones: even, in groups whose names never move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.swarm.spread import ManagerGroup, manager_groups, spread, survives_zone_loss

COUNTS = st.sampled_from([1, 3, 5, 7])


def test_one_or_two_zones_share_one_group() -> None:
    assert manager_groups(3, 1) == [ManagerGroup("managers", 3, (0,))]
    assert manager_groups(3, 2) == [ManagerGroup("managers", 3, (0, 1))]


def test_from_three_zones_on_each_has_a_group_of_its_own() -> None:
    assert manager_groups(5, 3) == [
        ManagerGroup("managers-0", 2, (0,)),
        ManagerGroup("managers-1", 2, (1,)),
        ManagerGroup("managers-2", 1, (2,)),
    ]


def test_a_smaller_count_empties_groups_and_deletes_none() -> None:
    names = [group.suffix for group in manager_groups(7, 3)]
    assert [group.suffix for group in manager_groups(1, 3)] == names, "a deleted group loses its managers at once"
    assert [group.size for group in manager_groups(1, 3)] == [1, 0, 0]


@given(count=COUNTS, zones=st.integers(1, 6))
def test_the_sizes_add_up_and_differ_by_one_at_most(count: int, zones: int) -> None:
    sizes = [group.size for group in manager_groups(count, zones)]
    assert sum(sizes) == count
    assert max(spread(count, zones)) - min(spread(count, zones)) <= 1


@given(count=COUNTS, zones=st.integers(3, 6))
def test_growing_never_takes_a_manager_from_a_zone(count: int, zones: int) -> None:
    before = [group.size for group in manager_groups(count, zones)]
    after = [group.size for group in manager_groups(count + 2, zones)]
    assert all(new >= old for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("count", "zones", "survives"),
    [
        (1, 1, False),
        (1, 3, False),
        (3, 1, False),
        (3, 2, False),
        (3, 3, True),
        (5, 2, False),
        (5, 3, True),
        (7, 3, True),
    ],
)
def test_which_layouts_survive_the_loss_of_a_zone(count: int, zones: int, survives: bool) -> None:
    assert survives_zone_loss(count, zones) is survives
