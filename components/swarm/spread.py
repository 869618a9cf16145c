"""How managers are spread over groups and zones."""

from dataclasses import dataclass

GROUP_PER_ZONE_FROM = 3
"""From so many zones on, each zone has a manager group of its own: a group over several zones may put a replacement
anywhere, and with three zones the place decides whether the loss of one costs the quorum."""


@dataclass(frozen=True)
class ManagerGroup:
    """One Auto Scaling group of managers."""

    suffix: str
    """Logical suffix, frozen: ``managers`` or ``managers-<index of the zone>``."""
    size: int
    """Managers in it; 0 keeps a group whose zone gets none at this count, so that a smaller count empties a group and
    does not delete it (the agent lets managers go one at a time, a deletion all at once)."""
    zones: tuple[int, ...]
    """Indexes of the zones that it covers."""


def manager_groups(count: int, zone_count: int) -> list[ManagerGroup]:
    """The manager groups for ``count`` managers over ``zone_count`` zones."""
    if zone_count < GROUP_PER_ZONE_FROM:
        return [ManagerGroup("managers", count, tuple(range(zone_count)))]
    sizes = spread(count, zone_count)
    return [ManagerGroup(f"managers-{zone}", size, (zone,)) for zone, size in enumerate(sizes)]


def spread(count: int, places: int) -> list[int]:
    """``count`` over ``places`` as evenly as it goes; the first ones get what is over."""
    share, over = divmod(count, places)
    return [share + (place < over) for place in range(places)]


def survives_zone_loss(count: int, zone_count: int) -> bool:
    """Whether the managers keep their majority when the fullest zone is lost."""
    return count - max(spread(count, zone_count)) > count // 2
