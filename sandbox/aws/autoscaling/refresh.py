"""Instance refresh: every member replaced, never fewer in service than the preferences allow.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html. MinHealthyPercentage 90 and
MaxHealthyPercentage 100 by default; above 100 a replacement is in service and warm before an old one goes; min = max =
100 replaces one at a time. ScaleInProtectedInstances: Refresh replaces them, Ignore leaves them, Wait (default) waits
an hour, then the refresh fails. Status: InProgress, Successful, Failed, Cancelled. Here: the desired configuration is
the group's from the start (AWS: at the end); three failed launches fail the refresh (AWS: an hour without success);
warm-up is cut to `Settings.warmup`. Refused, since not modelled: AutoRollback, checkpoints, alarms, bake time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil, floor
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState

from sandbox.aws.autoscaling.model import Refresh, active, group_life, member_life, suspended
from sandbox.aws.autoscaling.spread import Member, victims
from sandbox.aws.world import WORLD

WAIT_FOR_PROTECTED = 3600
FAILED_LAUNCHES = 3
UNSUPPORTED = ("AutoRollback", "CheckpointPercentages", "CheckpointDelay", "AlarmSpecification", "BakeTime")

Terminate = Callable[[InstanceState, str], None]


def current(group: FakeAutoScalingGroup) -> Refresh | None:
    """The refresh under way."""
    refreshes = group_life(group).refreshes
    return refreshes[0] if refreshes and refreshes[0].status == "InProgress" else None


def surge(group: FakeAutoScalingGroup) -> int:
    """How many members above the desired capacity the refresh wants now."""
    refresh = current(group)
    return refresh.surge if refresh else 0


def leaving(group: FakeAutoScalingGroup) -> list[str]:
    """The members whose replacements are launched first: these go to their zones."""
    refresh = current(group)
    return refresh.leaving if refresh else []


def end(refresh: Refresh, status: str, reason: str | None = None) -> None:
    """End a refresh."""
    refresh.status, refresh.reason, refresh.surge, refresh.leaving = status, reason, 0, []
    refresh.ended = datetime.now(UTC)
    if status == "Successful":
        refresh.percentage = 100


def to_replace(group: FakeAutoScalingGroup, preferences: dict[str, Any], version: str | None) -> list[str]:
    """Ids of the members that a refresh has to replace."""
    members = active(group)
    if preferences.get("ScaleInProtectedInstances") == "Ignore":
        members = [m for m in members if not m.protected_from_scale_in]
    if preferences.get("SkipMatching"):
        members = [m for m in members if str((member_life(m).template or {}).get("Version")) != version]
    return [m.instance.id for m in members]


def step(group: FakeAutoScalingGroup, terminate: Terminate) -> None:
    """One tick of the refresh under way, if there is one."""
    refresh = current(group)
    if refresh is None or suspended(group, "InstanceRefresh"):
        return
    members = active(group)
    old = [m for m in members if m.instance.id in refresh.todo]
    new = [m for m in members if m.instance.id not in refresh.todo]
    ready = [m for m in new if _warm(m, refresh)]
    refresh.todo = [m.instance.id for m in old]
    refresh.percentage = floor(100 * (refresh.total - len(old)) / refresh.total) if refresh.total else 100
    if _failed_launches(group, refresh) >= FAILED_LAUNCHES:
        end(refresh, "Failed", f"{FAILED_LAUNCHES} replacement instances could not be launched or were abandoned.")
        return
    desired = int(group.desired_capacity or 0)
    if len(ready) < len(new) or len(members) < desired + refresh.surge:
        return
    if not old:
        end(refresh, "Successful")
        return
    _next(group, refresh, old, len(members), terminate)


def _next(
    group: FakeAutoScalingGroup, refresh: Refresh, old: list[InstanceState], present: int, terminate: Terminate
) -> None:
    """All that was begun is in service: begin the next replacement."""
    free = [m for m in old if not m.protected_from_scale_in] if _waits(refresh) else old
    if not free:
        if time.monotonic() - refresh.begun > WAIT_FOR_PROTECTED:
            end(refresh, "Failed", "Instances are protected from scale in.")
        return
    desired = int(group.desired_capacity or 0)
    least = ceil(desired * int(refresh.preferences.get("MinHealthyPercentage") or 90) / 100)
    most = floor(desired * int(refresh.preferences.get("MaxHealthyPercentage") or 100) / 100)
    if int(refresh.preferences.get("MaxHealthyPercentage") or 100) > 100:
        most = max(most, desired + 1)
    if most > desired and not refresh.leaving:
        refresh.surge = min(most - desired, len(free))
        refresh.leaving = _first(group, free, refresh.surge)
        return
    chosen = refresh.leaving or _first(group, free, max(1, present - least))
    refresh.surge, refresh.leaving = 0, []
    for member in [m for m in free if m.instance.id in chosen]:
        terminate(member, "an instance was taken out of service in response to an instance refresh")


def _first(group: FakeAutoScalingGroup, free: list[InstanceState], count: int) -> list[str]:
    """Which old members go first: of the fullest zone, the oldest, so that the spread over zones stays."""
    replaceable = {m.instance.id for m in free}
    members = [
        Member(
            m.instance.id,
            str(m.instance.placement.zone),
            m.instance.launch_time.timestamp(),
            protected=m.instance.id not in replaceable,
        )
        for m in active(group)
    ]
    return victims(members, count)


def _waits(refresh: Refresh) -> bool:
    return bool(refresh.preferences.get("ScaleInProtectedInstances", "Wait") == "Wait")


def _warm(member: InstanceState, refresh: Refresh) -> bool:
    since = member_life(member).in_service
    asked = refresh.preferences.get("InstanceWarmup")
    warmup = WORLD.settings.warmup if asked is None else min(float(asked), WORLD.settings.warmup)
    if member.lifecycle_state != "InService" or since is None:
        return False
    return time.monotonic() - since >= warmup


def _failed_launches(group: FakeAutoScalingGroup, refresh: Refresh) -> int:
    return sum(
        a["StatusCode"] in {"Failed", "Cancelled"}
        and a["StartTime"] >= refresh.started
        and a["Description"].startswith("Launching")
        for a in group_life(group).activities
    )


def shown(refresh: Refresh, name: str) -> dict[str, Any]:
    """The refresh as DescribeInstanceRefreshes gives it."""
    result: dict[str, Any] = {
        "InstanceRefreshId": refresh.id,
        "AutoScalingGroupName": name,
        "Status": refresh.status,
        "StartTime": refresh.started,
        "PercentageComplete": refresh.percentage,
        "InstancesToUpdate": len(refresh.todo),
        "Preferences": {"MinHealthyPercentage": 90, "SkipMatching": False, **refresh.preferences},
    }
    if refresh.reason:
        result["StatusReason"] = refresh.reason
    if refresh.ended:
        result["EndTime"] = refresh.ended
    if refresh.desired:
        result["DesiredConfiguration"] = refresh.desired
    return result
