"""What stands between a cluster and "ready": pure judgements on what AWS and the managers' own record say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

FRESH = timedelta(minutes=3)
"""The steward writes its status every few seconds; an older one says nothing about now."""

REFRESH_RUNS = frozenset({"Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking"})
REFRESH_FAILED = frozenset({"Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"})
"""States of an instance refresh: AWS's API reference of Auto Scaling, InstanceRefresh."""


@dataclass(frozen=True)
class Group:
    """One Auto Scaling group as AWS describes it."""

    name: str
    description: Mapping[str, Any] | None
    """An entry of DescribeAutoScalingGroups; None when there is none."""
    refresh: Mapping[str, Any] | None = None
    """The latest entry of DescribeInstanceRefreshes; None when there never was one."""

    @property
    def instances(self) -> Sequence[Mapping[str, Any]]:
        """Its instances."""
        return self.description["Instances"] if self.description else []

    @property
    def outdated(self) -> list[str]:
        """Ids of the instances made from another launch template version than the group's."""
        wanted = str(_template(self.description or {}).get("Version", ""))
        if not wanted.isdigit():
            return []
        return [
            str(instance["InstanceId"])
            for instance in self.instances
            if str(instance.get("LaunchTemplate", {}).get("Version", wanted)) != wanted
        ]


@dataclass(frozen=True)
class Look:
    """One look at the cluster."""

    manager_groups: Sequence[Group]
    worker_groups: Sequence[Group]
    status: Mapping[str, Any] | None
    """``managers/status.json``, written by the steward (node_agent/manager.py); None while nobody has written it."""


@dataclass(frozen=True)
class Verdict:
    """What a look says."""

    waiting: list[str] = field(default_factory=list)
    """What is not as it should be, and may still become so."""
    fatal: list[str] = field(default_factory=list)
    """What waiting does not mend."""


def judge(look: Look, managers: int, now: datetime) -> Verdict:
    """Hold one look against what is expected; both lists empty means ready."""
    waiting: list[str] = []
    fatal: list[str] = []
    for group in (*look.manager_groups, *look.worker_groups):
        waiting += _group_waiting(group)
        fatal += _group_fatal(group)
    return Verdict(waiting + _cluster_waiting(look, managers, now), fatal)


def _group_waiting(group: Group) -> list[str]:
    if group.description is None:
        return [f"group {group.name} does not exist yet"]
    found = []
    desired = int(group.description["DesiredCapacity"])
    serving = [i for i in group.instances if i["LifecycleState"] == "InService" and i["HealthStatus"] == "Healthy"]
    if len(serving) != desired or len(group.instances) != desired:
        others = [i for i in group.instances if i not in serving]
        shown = ", ".join(f"{i['InstanceId']} {i['LifecycleState']} {i['HealthStatus']}" for i in others)
        found.append(f"group {group.name}: {len(serving)} of {desired} in service" + (f" ({shown})" if shown else ""))
    if group.refresh and group.refresh["Status"] in REFRESH_RUNS:
        done = group.refresh.get("PercentageComplete", 0)
        found.append(f"group {group.name}: instance refresh {group.refresh['Status']}, {done} % done")
    elif group.outdated:
        found.append(f"group {group.name}: {', '.join(group.outdated)} not yet replaced by the new launch template")
    return found


def _group_fatal(group: Group) -> list[str]:
    refresh = group.refresh
    # A refresh that failed long ago is history once every instance is of the version that the group wants.
    if refresh and refresh["Status"] in REFRESH_FAILED and group.outdated:
        reason = refresh.get("StatusReason", "AWS gives no reason")
        return [f"group {group.name}: instance refresh {refresh['InstanceRefreshId']} {refresh['Status']}: {reason}"]
    return []


def _cluster_waiting(look: Look, managers: int, now: datetime) -> list[str]:
    status = look.status
    if status is None:
        return ["no manager has written the cluster's status yet"]
    age = now - datetime.fromtimestamp(status["updated"], UTC)
    if age > FRESH:
        return [f"the managers' last word is {age.total_seconds():.0f} s old"]
    found = []
    if status.get("redirect"):
        found.append("a recovery is under way: nodes still reach a lost manager's address by redirect")
    if not status.get("leader"):
        found.append("the swarm has no leader")
    if not status.get("tokens_published"):
        found.append("the join tokens are not published yet")
    nodes = list(status.get("nodes", []))
    reachable = [n for n in nodes if n["role"] == "manager" and _ready(n) and _is(n, "reachability", "reachable")]
    if len(reachable) != managers:
        found.append(f"{len(reachable)} of {managers} managers reachable")
    # A node that has only just joined has told the swarm no name yet.
    found += [f"node {n['hostname'] or n['id']} is {n['state']}" for n in nodes if not _ready(n)]
    ready = {n["instance_id"] for n in nodes if _ready(n)}
    missing = [
        str(instance["InstanceId"])
        for group in (*look.manager_groups, *look.worker_groups)
        for instance in group.instances
        if instance["InstanceId"] not in ready and instance["LifecycleState"] == "InService"
    ]
    if missing:
        found.append(f"not ready in the swarm: {', '.join(missing)}")
    return found


def _ready(node: Mapping[str, Any]) -> bool:
    return _is(node, "state", "ready")


def _is(node: Mapping[str, Any], key: str, wanted: str) -> bool:
    return str(node.get(key, "")).lower() == wanted


def _template(description: Mapping[str, Any]) -> Mapping[str, Any]:
    mixed = description.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    template: Mapping[str, Any] = mixed.get("LaunchTemplateSpecification") or description.get("LaunchTemplate") or {}
    return template
