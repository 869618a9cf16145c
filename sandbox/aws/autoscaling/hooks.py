"""Lifecycle hooks: instances wait, heartbeats prolong, results or time-outs let them go.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html: HeartbeatTimeout 30 to 7200 s, 3600 by
default; DefaultResult ABANDON by default; an action lasts at most 48 h or 100 times the heartbeat. ABANDON at launch
terminates the instance and another is launched; at termination both results let it go. CompleteLifecycleAction without
an action under way is a ValidationError. A launch action begins with the launch. An instance that somebody else
terminated still goes through Terminating:Wait, though nothing on it can complete the action. Not modelled:
notifications (SNS, SQS, EventBridge). Without machines nobody would complete anything, so the API does after
`Settings.hook` (switch: auto_complete_hooks).
"""

from __future__ import annotations

import time
import uuid

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, InstanceState

from sandbox.aws.autoscaling.model import HookAction, member_life
from sandbox.aws.world import WORLD

LONGEST = 48 * 3600
SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT = 30, 7200


def begin(backend: AutoScalingBackend, member: InstanceState, transition: str) -> bool:
    """Begin every hook of a transition for a member; whether there is any."""
    now = time.monotonic()
    hooks = backend.describe_lifecycle_hooks(member.auto_scaling_group_name)
    member_life(member).actions = [
        HookAction(
            hook=hook.name,
            token=str(uuid.uuid4()),
            begun=now,
            heartbeat=hook.heartbeat_timeout,
            default_result=hook.default_result,
            deadline=now + hook.heartbeat_timeout,
            last_deadline=now + min(LONGEST, 100 * hook.heartbeat_timeout),
        )
        for hook in hooks
        if hook.lifecycle_transition == transition
    ]
    return bool(member_life(member).actions)


def find(backend: AutoScalingBackend, group: str, hook: str, instance: str | None, token: str | None) -> InstanceState:
    """The member with this running action.

    Raises:
        ValidationError: as AWS: no such group, neither instance nor token, or no such action.
    """
    if group not in backend.autoscaling_groups:
        raise ValidationError("AutoScalingGroup name not found - null")
    if not instance and not token:
        raise ValidationError("Either LifecycleActionToken or InstanceId must be specified")
    for member in backend.autoscaling_groups[group].instance_states:
        for action in member_life(member).actions:
            if action.hook == hook and (action.token == token if token else member.instance.id == instance):
                return member
    raise ValidationError(
        f"No active Lifecycle Action found with {'token ' + token if token else 'instance ID ' + str(instance)}"
    )


def heartbeat(member: InstanceState, hook: str) -> None:
    """Prolong an action by its heartbeat time-out, never beyond its last deadline."""
    for action in member_life(member).actions:
        if action.hook == hook:
            action.deadline = min(time.monotonic() + action.heartbeat, action.last_deadline)


def complete(member: InstanceState, hook: str, result: str) -> None:
    """End an action. The member goes on when it was the last one, at once when the result is ABANDON."""
    life = member_life(member)
    life.actions = [a for a in life.actions if a.hook != hook]
    if result == "ABANDON":
        life.actions = []
        if member.lifecycle_state == "Pending:Wait":
            member.lifecycle_state = "Pending:Abandoned"
            return
    if not life.actions:
        proceed(member)


def proceed(member: InstanceState) -> None:
    """Leave the wait state."""
    if member.lifecycle_state.endswith(":Wait"):
        member.lifecycle_state = member.lifecycle_state.replace(":Wait", ":Proceed")


def expire(member: InstanceState) -> None:
    """End the actions whose time is over with their default result; without machines those too that nobody will end."""
    now = time.monotonic()
    alone = WORLD.controller is None and WORLD.settings.auto_complete_hooks
    for action in list(member_life(member).actions):
        if alone and now - action.begun >= WORLD.settings.hook:
            complete(member, action.hook, "CONTINUE")
        elif now >= action.deadline:
            complete(member, action.hook, action.default_result)
