"""What a group and its members carry beyond moto's models."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
ACTIVITIES_KEPT = 200


@dataclass
class HookAction:
    """One running lifecycle action. Times are monotonic seconds."""

    hook: str
    token: str
    begun: float
    heartbeat: float
    default_result: str
    deadline: float
    last_deadline: float


@dataclass
class MemberLife:
    """A member beyond moto.

    Attributes:
        template: {LaunchTemplateId, LaunchTemplateName, Version} that it was launched from.
        actions: lifecycle actions that it waits for.
        in_service: monotonic time since when it is in service.
        off_since: since when its instance is seen not running.
        activity: the launch or termination under way.
    """

    template: dict[str, Any] | None = None
    actions: list[HookAction] = field(default_factory=list)
    in_service: float | None = None
    off_since: float | None = None
    activity: dict[str, Any] | None = None
    terminate_sent: bool = False


@dataclass
class Refresh:
    """An instance refresh; see refresh.py."""

    id: str
    preferences: dict[str, Any]
    desired: dict[str, Any] | None
    todo: list[str]
    total: int
    status: str = "InProgress"
    reason: str | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    begun: float = field(default_factory=time.monotonic)
    surge: int = 0
    leaving: list[str] = field(default_factory=list)
    percentage: int = 0


@dataclass
class GroupLife:
    """A group beyond moto.

    Attributes:
        activities: newest first, as DescribeScalingActivities gives them.
        refreshes: newest first.
        launch_after: no launch before this monotonic time (one failed).
        deleting: a forced delete is under way.
    """

    activities: list[dict[str, Any]] = field(default_factory=list)
    refreshes: list[Refresh] = field(default_factory=list)
    launch_after: float = 0.0
    deleting: bool = False


def group_life(group: FakeAutoScalingGroup) -> GroupLife:
    """The group's record."""
    if not hasattr(group, "timonel"):
        group.timonel = GroupLife()  # type: ignore[attr-defined]
    life: GroupLife = group.timonel  # type: ignore[attr-defined]
    return life


def member_life(member: InstanceState) -> MemberLife:
    """The member's record."""
    if not hasattr(member, "timonel"):
        member.timonel = MemberLife()  # type: ignore[attr-defined]
    life: MemberLife = member.timonel  # type: ignore[attr-defined]
    return life


def active(group: FakeAutoScalingGroup) -> list[InstanceState]:
    """The members that count against the desired capacity: on their way in, or in service."""
    return [
        m for m in group.instance_states if m.lifecycle_state.startswith("Pending") or m.lifecycle_state == "InService"
    ]


def suspended(group: FakeAutoScalingGroup, process: str) -> bool:
    """Whether a process of the group is suspended."""
    return process in group._suspended_processes


def note(group: FakeAutoScalingGroup, description: str, cause: str, status: str, message: str = "") -> dict[str, Any]:
    """Add an activity to the group's history and return it."""
    now = datetime.now(UTC)
    activity: dict[str, Any] = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": f"At {now:%Y-%m-%dT%H:%M:%SZ} {cause}",
        "StartTime": now,
        "StatusCode": status,
        "Progress": 100 if status in {"Failed", "Successful"} else 30,
        "Details": "{}",
    }
    if message:
        activity["StatusMessage"] = message
    if status in {"Failed", "Successful"}:
        activity["EndTime"] = now
    history = group_life(group).activities
    history.insert(0, activity)
    del history[ACTIVITIES_KEPT:]
    return activity


def finish(activity: dict[str, Any] | None, status: str, message: str = "") -> None:
    """End an activity."""
    if activity is not None and "EndTime" not in activity:
        activity |= {"StatusCode": status, "Progress": 100, "EndTime": datetime.now(UTC)}
        if message:
            activity["StatusMessage"] = message
