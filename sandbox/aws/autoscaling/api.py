"""Auto Scaling's calls on the models: what moto lacks, and what it does at once that takes AWS time."""

from __future__ import annotations

import uuid
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState, LifecycleHook
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from sandbox.aws.autoscaling import engine, hooks, refresh
from sandbox.aws.autoscaling.model import Refresh, active, group_life, member_life

EXTRA = {
    "DefaultInstanceWarmup": "default_instance_warmup",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
    "DefaultCooldown": "default_cooldown",
    "TerminationPolicies": "termination_policies",
    "CapacityRebalance": "capacity_rebalance",
    "PlacementGroup": "placement_group",
    "DesiredCapacityType": "desired_capacity_type",
    "Context": "context",
}
"""Fields that moto drops on create or update; AWS gives them back as they are."""


def group_of(backend: AutoScalingBackend, name: str) -> FakeAutoScalingGroup:
    """A group by name.

    Raises:
        ValidationError: as AWS.
    """
    if name not in backend.autoscaling_groups:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return backend.autoscaling_groups[name]


def _member(backend: AutoScalingBackend, instance_id: str) -> tuple[FakeAutoScalingGroup, InstanceState]:
    for group in backend.autoscaling_groups.values():
        for member in group.instance_states:
            if member.instance.id == instance_id:
                return group, member
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _check_sizes(minimum: int | None, maximum: int | None, desired: int | None) -> None:
    if minimum is not None and maximum is not None and minimum > maximum:
        raise ValidationError(f"Min bound, {minimum}, must be less than or equal to max bound, {maximum}")
    if desired is not None and not int(minimum or 0) <= desired <= int(maximum or 0):
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and max size:{maximum}"
        )


class Calls:
    """Methods put onto moto's AutoScalingResponse."""

    autoscaling_backend: AutoScalingBackend
    _get_param: Any
    _get_params: Any
    _get_bool_param: Any
    _get_int_param: Any

    def create_auto_scaling_group(self) -> ActionResult:
        """CreateAutoScalingGroup."""
        name = self._get_param("AutoScalingGroupName")
        if name in self.autoscaling_backend.autoscaling_groups:
            raise AutoscalingClientError("AlreadyExists", f"AutoScalingGroup by this name already exists - {name}")
        minimum, maximum = self._get_int_param("MinSize"), self._get_int_param("MaxSize")
        _check_sizes(minimum, maximum, self._get_int_param("DesiredCapacity"))
        result: ActionResult = _ORIGINAL["create"](self)
        group = self.autoscaling_backend.autoscaling_groups[name]
        _extra(self, group)
        for hook in self._get_param("LifecycleHookSpecificationList", None) or []:
            _put_hook(self.autoscaling_backend, name, hook)
        engine.reconcile(group)
        return result

    def update_auto_scaling_group(self) -> ActionResult:
        """UpdateAutoScalingGroup."""
        group = group_of(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        minimum = self._get_int_param("MinSize", group.min_size)
        maximum = self._get_int_param("MaxSize", group.max_size)
        desired = self._get_int_param("DesiredCapacity")
        _check_sizes(minimum, maximum, desired)
        if desired is None:
            desired = max(int(minimum or 0), min(int(maximum or 0), int(group.desired_capacity or 0)))
        group._set_azs_and_vpcs(
            self._get_param("AvailabilityZones", []), self._get_param("VPCZoneIdentifier"), update=True
        )
        group.min_size, group.max_size, group.desired_capacity = minimum, maximum, desired
        template, mixed = self._get_param("LaunchTemplate", None), self._get_param("MixedInstancesPolicy", None)
        if template or mixed:
            group.mixed_instances_policy = mixed
            group._set_launch_configuration(None, template, mixed)  # type: ignore[arg-type]
        if (grace := self._get_int_param("HealthCheckGracePeriod")) is not None:
            group.health_check_grace_period = grace
        if (kind := self._get_param("HealthCheckType")) is not None:
            group.health_check_type = kind
        protect = self._get_bool_param("NewInstancesProtectedFromScaleIn", None)
        if protect is not None:
            group.new_instances_protected_from_scale_in = protect
        _extra(self, group)
        engine.reconcile(group)
        return EmptyResult()

    def delete_auto_scaling_group(self) -> ActionResult:
        """DeleteAutoScalingGroup. Forced, its hooks are left out, and the group is described until its last instance
        ends.

        https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html
        """
        backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
        group = group_of(backend, name)
        if not group.instance_states:
            backend.autoscaling_groups.pop(name)
            _forget_hooks(backend, name)
            return EmptyResult()
        if not self._get_bool_param("ForceDelete", False):
            raise AutoscalingClientError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
            )
        group_life(group).deleting = True
        group.status = "Delete in progress"  # type: ignore[attr-defined]
        group.min_size = group.desired_capacity = 0
        _forget_hooks(backend, name)
        for member in list(group.instance_states):
            if member.lifecycle_state.startswith("Terminating"):
                member_life(member).actions = []
                hooks.proceed(member)
            engine.terminate(group, member, "the group is deleted", with_hooks=False)
        engine.advance(group)
        return EmptyResult()

    def put_lifecycle_hook(self) -> ActionResult:
        """PutLifecycleHook."""
        name = self._get_param("AutoScalingGroupName")
        group_of(self.autoscaling_backend, name)
        _put_hook(self.autoscaling_backend, name, self._get_params())
        return EmptyResult()

    def complete_lifecycle_action(self) -> ActionResult:
        """CompleteLifecycleAction."""
        member = self._action()
        hooks.complete(member, self._get_param("LifecycleHookName"), self._get_param("LifecycleActionResult"))
        engine.advance(member.auto_scaling_group)
        return ActionResult({})

    def record_lifecycle_action_heartbeat(self) -> ActionResult:
        """RecordLifecycleActionHeartbeat."""
        hooks.heartbeat(self._action(), self._get_param("LifecycleHookName"))
        return ActionResult({})

    def _action(self) -> InstanceState:
        return hooks.find(
            self.autoscaling_backend,
            self._get_param("AutoScalingGroupName"),
            self._get_param("LifecycleHookName"),
            self._get_param("InstanceId"),
            self._get_param("LifecycleActionToken"),
        )

    def set_instance_health(self) -> ActionResult:
        """SetInstanceHealth. ShouldRespectGracePeriod (default true) keeps a young instance."""
        group, member = _member(self.autoscaling_backend, self._get_param("InstanceId"))
        status = self._get_param("HealthStatus")
        if status not in {"Healthy", "Unhealthy"}:
            raise ValidationError("Valid instance health states are: [Healthy, Unhealthy]")
        respect = self._get_bool_param("ShouldRespectGracePeriod", True)
        if status == "Unhealthy" and respect and engine.in_grace(group, member):
            return EmptyResult()
        member.health_status = status
        engine.advance(group)
        return EmptyResult()

    def terminate_instance_in_auto_scaling_group(self) -> ActionResult:
        """TerminateInstanceInAutoScalingGroup."""
        group, member = _member(self.autoscaling_backend, self._get_param("InstanceId"))
        if self._get_bool_param("ShouldDecrementDesiredCapacity", False):
            if int(group.desired_capacity or 0) <= int(group.min_size or 0):
                raise ValidationError(
                    "Currently, desiredSize equals minSize. Terminating instance without replacement will violate "
                    "group's min size constraint."
                )
            group.desired_capacity = int(group.desired_capacity or 0) - 1
        engine.terminate(group, member, "an instance was taken out of service in response to a user request")
        activity = member_life(member).activity
        engine.advance(group)
        return ActionResult({"Activity": activity})

    def describe_scaling_activities(self) -> ActionResult:
        """DescribeScalingActivities."""
        name = self._get_param("AutoScalingGroupName")
        groups = self.autoscaling_backend.autoscaling_groups.values()
        activities = [a for g in groups if name in {None, g.name} for a in group_life(g).activities]
        wanted = self._get_param("ActivityIds", [])
        limit = self._get_int_param("MaxRecords", 100)
        return ActionResult({"Activities": [a for a in activities if not wanted or a["ActivityId"] in wanted][:limit]})

    def start_instance_refresh(self) -> ActionResult:
        """StartInstanceRefresh."""
        group = group_of(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        if refresh.current(group):
            raise AutoscalingClientError(
                "InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution."
            )
        preferences = dict(self._get_param("Preferences", None) or {})
        for name in refresh.UNSUPPORTED:
            if preferences.get(name):
                raise ValidationError(f"the sandbox does not model {name} of an instance refresh")
        desired = self._get_param("DesiredConfiguration", None) or None
        if desired:
            mixed, template = desired.get("MixedInstancesPolicy"), desired.get("LaunchTemplate")
            group.mixed_instances_policy = mixed
            group._set_launch_configuration(None, template, mixed)  # type: ignore[arg-type]
        version = None
        if group.ec2_launch_template is not None:
            version = str(group.ec2_launch_template.get_version(group.launch_template_version).number)
        todo = refresh.to_replace(group, preferences, version)
        started = Refresh(str(uuid.uuid4()), preferences, desired, todo, len(todo))
        group_life(group).refreshes.insert(0, started)
        return ActionResult({"InstanceRefreshId": started.id})

    def describe_instance_refreshes(self) -> ActionResult:
        """DescribeInstanceRefreshes."""
        name = self._get_param("AutoScalingGroupName")
        wanted = self._get_param("InstanceRefreshIds", [])
        found = group_life(group_of(self.autoscaling_backend, name)).refreshes
        shown = [refresh.shown(r, name) for r in found if not wanted or r.id in wanted]
        return ActionResult({"InstanceRefreshes": shown})

    def cancel_instance_refresh(self) -> ActionResult:
        """CancelInstanceRefresh."""
        group = group_of(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
        running = refresh.current(group)
        if running is None:
            raise AutoscalingClientError(
                "ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found."
            )
        refresh.end(running, "Cancelled", "Cancelled by user")
        return ActionResult({"InstanceRefreshId": running.id})


def _extra(response: Any, group: FakeAutoScalingGroup) -> None:
    parameters = response._get_params()
    for parameter, attribute in EXTRA.items():
        if parameters.get(parameter) is not None:
            setattr(group, attribute, parameters[parameter])


def _put_hook(backend: AutoScalingBackend, group: str, parameters: dict[str, Any]) -> None:
    """Make or change a hook; what a change leaves out keeps its value."""
    name = parameters["LifecycleHookName"]
    former = backend.lifecycle_hooks.get(f"{group}_{name}")
    timeout = parameters.get("HeartbeatTimeout") or (former.heartbeat_timeout if former else None)
    if timeout is not None and not hooks.SHORTEST_HEARTBEAT <= int(timeout) <= hooks.LONGEST_HEARTBEAT:
        raise ValidationError(f"Heartbeat timeout {timeout} must be between 30 and 7200 seconds")
    hook = LifecycleHook(
        name,
        group,
        parameters.get("LifecycleTransition") or (former.lifecycle_transition if former else None),
        int(timeout) if timeout else None,
        parameters.get("DefaultResult") or (former.default_result if former else None),
    )
    hook.role_arn = parameters.get("RoleARN")  # type: ignore[assignment]
    hook.notification_target_arn = parameters.get("NotificationTargetARN")  # type: ignore[assignment]
    hook.notification_metadata = parameters.get("NotificationMetadata")  # type: ignore[attr-defined]
    hook.global_timeout = min(hooks.LONGEST, 100 * hook.heartbeat_timeout)
    backend.lifecycle_hooks[f"{group}_{name}"] = hook


def _forget_hooks(backend: AutoScalingBackend, group: str) -> None:
    for key in [k for k, h in backend.lifecycle_hooks.items() if h.auto_scaling_group_name == group]:
        del backend.lifecycle_hooks[key]


def _delete_hook(self: AutoScalingBackend, as_name: str, name: str) -> None:
    """DeleteLifecycleHook also ends its running actions, with ABANDON at launch and CONTINUE at termination."""
    if f"{as_name}_{name}" not in self.lifecycle_hooks:
        raise ValidationError("No Lifecycle Hook found")
    del self.lifecycle_hooks[f"{as_name}_{name}"]
    for member in self.autoscaling_groups[as_name].instance_states if as_name in self.autoscaling_groups else ():
        if any(a.hook == name for a in member_life(member).actions):
            hooks.complete(member, name, "ABANDON" if member.lifecycle_state == "Pending:Wait" else "CONTINUE")


def _set_desired(self: FakeAutoScalingGroup, new_capacity: int | None) -> None:
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity
    if self.name in self.autoscaling_backend.autoscaling_groups:
        engine.reconcile(self)


def _set_desired_capacity(self: AutoScalingBackend, group_name: str, desired_capacity: int | None) -> None:
    group = group_of(self, group_name)
    if desired_capacity is not None:
        if desired_capacity > int(group.max_size or 0):
            raise ValidationError(
                f"New SetDesiredCapacity value {desired_capacity} is above max value {group.max_size} "
                "for the AutoScalingGroup."
            )
        if desired_capacity < int(group.min_size or 0):
            raise ValidationError(
                f"New SetDesiredCapacity value {desired_capacity} is below min value {group.min_size} "
                "for the AutoScalingGroup."
            )
    group.set_desired_capacity(desired_capacity)


def _launch_template(self: InstanceState) -> dict[str, Any] | None:
    return member_life(self).template


def _attached_target_groups(self: AutoScalingBackend, group_name: str) -> None:
    group = self.autoscaling_groups[group_name]
    for member in group.instance_states:
        if member.lifecycle_state == "InService":
            engine.register(self, group, member)


def _suspend(self: AutoScalingBackend, group_name: str, scaling_processes: list[str]) -> None:
    group = group_of(self, group_name)
    group._suspended_processes = sorted({*group._suspended_processes, *(scaling_processes or PROCESSES)})


def _resume(self: AutoScalingBackend, group_name: str, scaling_processes: list[str]) -> None:
    group = group_of(self, group_name)
    group._suspended_processes = sorted({*group._suspended_processes} - {*(scaling_processes or PROCESSES)})


PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
_ORIGINAL: dict[str, Any] = {}


def install() -> None:
    """Patch moto's Auto Scaling."""
    if _ORIGINAL:
        return
    _ORIGINAL["create"] = AutoScalingResponse.create_auto_scaling_group
    for name, method in vars(Calls).items():
        if callable(method):
            setattr(AutoScalingResponse, name, method)
    FakeAutoScalingGroup.set_desired_capacity = _set_desired  # type: ignore[method-assign]
    FakeAutoScalingGroup.active_instances = active  # type: ignore[method-assign,assignment]
    InstanceState.launch_template = property(_launch_template)  # type: ignore[assignment,method-assign]
    AutoScalingBackend.set_desired_capacity = _set_desired_capacity  # type: ignore[method-assign]
    AutoScalingBackend.delete_lifecycle_hook = _delete_hook  # type: ignore[method-assign]
    AutoScalingBackend.update_attached_target_groups = _attached_target_groups  # type: ignore[method-assign]
    AutoScalingBackend.notify_terminate_instances = lambda *_: None  # type: ignore[method-assign]
    AutoScalingBackend.suspend_processes = _suspend  # type: ignore[method-assign]
    AutoScalingBackend.resume_processes = _resume  # type: ignore[method-assign]
