"""Hooks of Auto Scaling: capacity, instance refresh, draining."""

import re
from typing import Any

from sandbox.providers.aws.client import ApiError
from sandbox.providers.aws.hooks import hook
from sandbox.providers.aws.run import Run
from sandbox.providers.aws.table import Call
from sandbox.providers.serve import ProviderError

_BATCH = 50
"""Most instances that one SetInstanceProtection call takes (Auto Scaling API reference)."""
_DRAIN_SECONDS = 600
"""How long the genuine provider waits for a group to become empty."""
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(text: str) -> float:
    """Read a duration in Go's spelling: ``10m``, ``1h30m``, ``0``."""
    if text in {"", "0"}:
        return 0.0
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ProviderError(f"waitForCapacityTimeout: got {text!r}, but it must be a duration such as 10m or 0")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _group(run: Run) -> dict[str, Any] | None:
    groups = run.call("DescribeAutoScalingGroups", {"AutoScalingGroupNames": [run.id]})["AutoScalingGroups"]
    return dict(groups[0]) if groups else None


@hook
def wait_for_capacity(run: Run, _call: Call) -> None:
    """Wait until as many instances as desired are healthy and in service, unless the timeout is 0."""
    limit = seconds(str(run.inputs.get("waitForCapacityTimeout", "10m")))
    if limit == 0:
        return
    pauses = run.pauses(limit)
    while True:
        group = _group(run) or {"Instances": [], "DesiredCapacity": 0}
        wanted = int(group["DesiredCapacity"])
        ready = [
            item
            for item in group["Instances"]
            if (item["LifecycleState"], item["HealthStatus"]) == ("InService", "Healthy")
        ]
        if len(ready) >= wanted:
            return
        if not pauses.rest(f"waiting for capacity: {len(ready)} of {wanted} instances in service"):
            why = _last_failure(run)
            raise ProviderError(f"{len(ready)} of {wanted} instances in service after {pauses.elapsed:.0f} s{why}")


def _last_failure(run: Run) -> str:
    activities = run.call("DescribeScalingActivities", {"AutoScalingGroupName": run.id}).get("Activities") or []
    failed = [item for item in activities if item.get("StatusCode") in {"Failed", "Cancelled"}]
    return f"; last failed activity: {failed[0].get('StatusMessage') or failed[0].get('Description')}" if failed else ""


@hook
def start_instance_refresh(run: Run, _call: Call) -> None:
    """Start a refresh where the group has ``instanceRefresh`` and what it launches has changed; wait for nothing.

    A refresh that is under way is cancelled first, as the genuine provider does it.
    """
    refresh = run.inputs.get("instanceRefresh")
    if not refresh:
        return
    watched = {"launchTemplate", "mixedInstancesPolicy", "launchConfiguration", *(refresh.get("triggers") or [])}
    watched |= {"tags"} & set(refresh.get("triggers") or [])
    if not watched & run.changed:
        return
    arguments = {"AutoScalingGroupName": run.id, "Strategy": refresh["strategy"], "Preferences": _preferences(refresh)}
    pauses = run.pauses(900)
    while True:
        try:
            run.call("StartInstanceRefresh", arguments)
        except ApiError as error:
            if not error.among(("InstanceRefreshInProgress", "InstanceRefreshInProgressFault")):
                raise
            _cancel_refresh(run)
            if not pauses.rest("waiting for the earlier instance refresh to be cancelled"):
                raise ProviderError(f"the earlier instance refresh of {run.id} is still being cancelled") from None
        else:
            return


def _preferences(refresh: dict[str, Any]) -> dict[str, Any] | None:
    given = dict(refresh.get("preferences") or {})
    # Pulumi has some numbers as strings, in which nothing given is empty.
    return {key: value for key, value in given.items() if value != ""} or None


def _cancel_refresh(run: Run) -> None:
    try:
        run.call("CancelInstanceRefresh", {"AutoScalingGroupName": run.id})
    except ApiError as error:
        if not error.among(("ActiveInstanceRefreshNotFound", "ActiveInstanceRefreshNotFoundFault")):
            raise


@hook
def drain_group(run: Run, _call: Call) -> None:
    """Bring the group to no instances before it is deleted, unless ``forceDelete`` is given."""
    if run.state.get("forceDelete"):
        return
    group = _group(run)
    if group is None:
        return
    zero = {"AutoScalingGroupName": run.id, "MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0}
    run.call("UpdateAutoScalingGroup", zero)
    held = [item["InstanceId"] for item in group["Instances"] if item.get("ProtectedFromScaleIn")]
    for start in range(0, len(held), _BATCH):
        run.call(
            "SetInstanceProtection",
            {
                "AutoScalingGroupName": run.id,
                "InstanceIds": held[start : start + _BATCH],
                "ProtectedFromScaleIn": False,
            },
        )
    pauses = run.pauses(_DRAIN_SECONDS)
    while group is not None and group["Instances"]:
        states = sorted({item["LifecycleState"] for item in group["Instances"]})
        count = len(group["Instances"])
        if not pauses.rest(f"waiting for {count} instances of {run.id} to end: {', '.join(states)}"):
            raise ProviderError(
                f"{run.id} still has {count} instances ({', '.join(states)}) after {pauses.elapsed:.0f} s"
            )
        group = _group(run)
