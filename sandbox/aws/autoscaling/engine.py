"""The group's own will: it launches, watches, replaces and lets go, a little on every tick.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html: Pending, Pending:Wait,
Pending:Proceed, InService, Terminating, Terminating:Wait, Terminating:Proceed. Members on their way out do not count,
so a replacement starts at once. https://docs.aws.amazon.com/autoscaling/ec2/userguide/health-checks-overview.html: an
instance that is not running, has an impaired status check or was called Unhealthy is replaced, unless HealthCheck or
ReplaceUnhealthy is suspended. Target groups get a member when it is in service and lose it when it begins to terminate.
Not modelled: AZRebalance of a running group, ELB health checks, warm pools, capacity rebalancing, cooldowns, weights,
maximum lifetime, scheduled actions and scaling policies (they are stored).
"""

from __future__ import annotations

import time
from typing import Any

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState, autoscaling_backends
from moto.core.exceptions import ServiceException
from moto.elbv2.exceptions import TargetGroupNotFoundError

from sandbox.aws.autoscaling import hooks
from sandbox.aws.autoscaling.model import (
    LAUNCHING,
    TERMINATING,
    active,
    finish,
    group_life,
    member_life,
    note,
    suspended,
)
from sandbox.aws.autoscaling.refresh import leaving, surge
from sandbox.aws.autoscaling.refresh import step as refresh_step
from sandbox.aws.autoscaling.spread import Member, victims, zones_for_launch
from sandbox.aws.ec2.launch import NoCapacityError, associate_profile
from sandbox.aws.ec2.states import life as instance_life
from sandbox.aws.world import WORLD

ASG_TAG = "aws:autoscaling:groupName"


def tick() -> None:
    """One tick of every group."""
    for account in list(autoscaling_backends.values()):
        for backend in list(account.values()):
            for group in list(backend.autoscaling_groups.values()):
                advance(group)


def advance(group: FakeAutoScalingGroup) -> None:
    """One tick of a group."""
    backend = group.autoscaling_backend
    for member in list(group.instance_states):
        _advance_member(backend, group, member)
    if group_life(group).deleting:
        if not group.instance_states:
            backend.autoscaling_groups.pop(group.name, None)
        return
    refresh_step(group, lambda member, cause: terminate(group, member, cause))
    reconcile(group)


def reconcile(group: FakeAutoScalingGroup) -> None:
    """Launch or scale in until as many members are there as wanted."""
    if group_life(group).deleting:
        return
    wanted = int(group.desired_capacity or 0) + surge(group)
    missing = wanted - len(active(group))
    if missing > 0 and not suspended(group, "Launch") and time.monotonic() >= group_life(group).launch_after:
        for _ in range(missing):
            if not _launch(group):
                group_life(group).launch_after = time.monotonic() + WORLD.settings.launch_retry
                break
    elif missing < 0 and not suspended(group, "Terminate"):
        chosen = victims([describe(m) for m in active(group)], -missing, group.termination_policies)
        for member in [m for m in active(group) if m.instance.id in chosen]:
            terminate(group, member, "an instance was taken out of service to shrink the capacity")


def describe(member: InstanceState) -> Member:
    """What choosing needs to know."""
    template = member_life(member).template or {}
    return Member(
        id=member.instance.id,
        zone=str(member.instance.placement.zone),
        launched=member.instance.launch_time.timestamp(),
        template_version=int(template.get("Version") or 0),
        protected=bool(member.protected_from_scale_in),
    )


def _advance_member(backend: AutoScalingBackend, group: FakeAutoScalingGroup, member: InstanceState) -> None:
    hooks.expire(member)
    life, state = member_life(member), member.lifecycle_state
    if state == "Pending:Abandoned":
        message = "Lifecycle Action completed with ABANDON Result"
        finish(life.activity, "Cancelled", message)
        terminate(group, member, message, with_hooks=False)
    elif state in {"Pending", "Pending:Proceed"} and member.instance._state.name == "running":
        member.lifecycle_state = "InService"
        life.in_service = time.monotonic()
        finish(life.activity, "Successful")
        if not suspended(group, "AddToLoadBalancer"):
            register(backend, group, member)
    elif state == "Terminating:Proceed":
        _leave(backend, group, member)
        return
    if member.lifecycle_state.startswith("Terminat"):
        return
    _watch(group, member)


def in_grace(group: FakeAutoScalingGroup, member: InstanceState) -> bool:
    """Whether a member is younger than the group's health check grace period."""
    since = member_life(member).in_service
    return since is None or time.monotonic() - since < float(group.health_check_grace_period or 0)


def _watch(group: FakeAutoScalingGroup, member: InstanceState) -> None:
    """Health of a member that is on its way in or in service."""
    life, now = member_life(member), time.monotonic()
    if member.instance._state.name in {"pending", "running"}:
        life.off_since = None
    elif life.off_since is None:
        life.off_since = now
    if not suspended(group, "HealthCheck"):
        if life.off_since is not None and now - life.off_since >= WORLD.settings.health_check:
            member.health_status = "Unhealthy"
        if instance_life(member.instance).status_checks == "impaired" and not in_grace(group, member):
            member.health_status = "Unhealthy"
    if member.health_status != "Unhealthy" or member.lifecycle_state == "Standby":
        return
    if not suspended(group, "ReplaceUnhealthy") and not suspended(group, "Terminate"):
        terminate(group, member, "an instance was taken out of service in response to a health check")


def terminate(group: FakeAutoScalingGroup, member: InstanceState, cause: str, *, with_hooks: bool = True) -> None:
    """Begin to let a member go: out of its target groups, then its termination hooks, then EC2."""
    if member.lifecycle_state.startswith("Terminating"):
        return
    backend = group.autoscaling_backend
    life = member_life(member)
    finish(life.activity, "Cancelled")
    life.activity = note(group, f"Terminating EC2 instance: {member.instance.id}", cause, "InProgress")
    life.actions = []
    member.lifecycle_state = "Terminating"
    deregister(backend, group, member)
    if with_hooks and hooks.begin(backend, member, TERMINATING):
        member.lifecycle_state = "Terminating:Wait"
        return
    member.lifecycle_state = "Terminating:Proceed"
    _leave(backend, group, member)


def _leave(backend: AutoScalingBackend, group: FakeAutoScalingGroup, member: InstanceState) -> None:
    """End the instance; the member is gone from the group when the instance is terminated."""
    life, instance = member_life(member), member.instance
    if not life.terminate_sent:
        life.terminate_sent = True
        if instance._state.name not in {"shutting-down", "terminated"}:
            instance.disable_api_termination = False
            backend.ec2_backend.terminate_instances([instance.id])
    if instance._state.name == "terminated":
        finish(life.activity, "Successful")
        group.instance_states = [m for m in group.instance_states if m is not member]


def _launch(group: FakeAutoScalingGroup) -> bool:
    """Launch one instance in the best zone that has capacity; whether it worked."""
    ec2 = group.autoscaling_backend.ec2_backend
    counts: dict[str, int] = {}
    for member in [m for m in active(group) if m.instance.id not in leaving(group)]:
        zone = str(member.instance.placement.zone)
        counts[zone] = counts.get(zone, 0) + 1
    subnets: dict[str, str | None] = dict.fromkeys(group.availability_zones)
    if group.vpc_zone_identifier:
        found = ec2.describe_subnets(subnet_ids=group.vpc_zone_identifier.split(","))
        subnets = {subnet.availability_zone: subnet.id for subnet in reversed(list(found))}
    for zone in zones_for_launch(list(group.availability_zones), counts):
        try:
            instance, template = _run(group, zone, subnets.get(zone))
        except NoCapacityError as error:
            note(group, "Launching a new EC2 instance.", "an instance was started", "Failed", error.message)
            continue
        except ServiceException as error:
            note(group, "Launching a new EC2 instance.", "an instance was started", "Failed", str(error))
            return False
        _join(group, instance, template)
        return True
    return False


def _run(group: FakeAutoScalingGroup, zone: str, subnet: str | None) -> tuple[Any, dict[str, Any] | None]:
    ec2 = group.autoscaling_backend.ec2_backend
    tags = {**group.get_propagated_tags(), ASG_TAG: group.name}
    kind, spot = _kind(group)
    if group.ec2_launch_template is None:
        arguments: dict[str, Any] = {
            "security_group_names": group.security_groups,
            "launch_config": group.launch_config,
        }
        template, data, image, user_data = None, {}, group.image_id, group.user_data
    else:
        version = group.ec2_launch_template.get_version(group.launch_template_version)
        template = {
            "LaunchTemplateId": group.ec2_launch_template.id,
            "LaunchTemplateName": group.ec2_launch_template.name,
            "Version": str(version.number),
        }
        data, image, user_data = version.data, version.image_id, version.user_data
        arguments = {
            "security_group_names": data.get("SecurityGroups") or [],
            "security_group_ids": data.get("SecurityGroupIds") or [],
            "launch_template": {"LaunchTemplateId": template["LaunchTemplateId"], "Version": version.number},
            "key_name": data.get("KeyName"),
        }
    reservation = ec2.run_instances(
        image,
        1,
        user_data,
        arguments.pop("security_group_names"),
        instance_type=kind or group.instance_type,
        is_instance_type_default=False,
        region_name=group.region,
        placement=zone,
        subnet_id=subnet,
        associate_public_ip=None,
        tags={"instance": tags},
        metadata_options={},
        instance_market_options="spot" if spot else None,
        **arguments,
    )
    instance = reservation.instances[0]
    associate_profile(ec2, instance, data)
    return instance, template


def _kind(group: FakeAutoScalingGroup) -> tuple[str | None, bool]:
    """Instance type and whether spot, for the next launch of a mixed group: first override, on-demand base first.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/allocation-strategies.html; always the "prioritized" strategy
    here.
    """
    policy = group.mixed_instances_policy
    if not policy:
        return None, False
    overrides = (policy.get("LaunchTemplate") or {}).get("Overrides") or [{}]
    distribution = policy.get("InstancesDistribution") or {}
    base = int(distribution.get("OnDemandBaseCapacity") or 0)
    share = distribution.get("OnDemandPercentageAboveBaseCapacity")
    share = 100 if share is None else int(share)
    members = active(group)
    on_demand = sum(m.instance.lifecycle != "spot" for m in members)
    wanted = min(base, len(members) + 1)
    wanted += -(-max(0, len(members) + 1 - base) * share // 100)
    return overrides[0].get("InstanceType"), on_demand >= wanted


def _join(group: FakeAutoScalingGroup, instance: Any, template: dict[str, Any] | None) -> None:
    instance.autoscaling_group = group
    member = InstanceState(
        instance, lifecycle_state="Pending", protected_from_scale_in=group.new_instances_protected_from_scale_in
    )
    life = member_life(member)
    life.template = template
    description = f"Launching a new EC2 instance: {instance.id}"
    life.activity = note(
        group, description, "an instance was started in response to the desired capacity", "InProgress"
    )
    group.instance_states.append(member)
    if hooks.begin(group.autoscaling_backend, member, LAUNCHING):
        member.lifecycle_state = "Pending:Wait"


def register(backend: AutoScalingBackend, group: FakeAutoScalingGroup, member: InstanceState) -> None:
    """Put a member into the group's target groups; deleted ones are skipped."""
    for arn in group.target_group_arns:
        try:
            [target_group] = backend.elbv2_backend.describe_target_groups(None, [arn], None)
            target = {"Id": member.instance.id, "Port": target_group.port}
            backend.elbv2_backend.register_targets(arn, [target])
        except TargetGroupNotFoundError:
            continue


def deregister(backend: AutoScalingBackend, group: FakeAutoScalingGroup, member: InstanceState) -> None:
    """Take a member out of the group's target groups."""
    for arn in group.target_group_arns:
        try:
            backend.elbv2_backend.deregister_targets(arn, [{"Id": member.instance.id}])
        except ServiceException:
            continue
