"""Load balancers: target health as the machines report it; without machines moto's answer (healthy), with them
`initial` until a report.

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html: initial, healthy,
unhealthy, unused, draining, unavailable, each with a reason and a description.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus
from moto.elbv2.responses import ELBV2Response

from sandbox.aws.world import WORLD

STATES = ("initial", "healthy", "unhealthy", "unused", "draining", "unavailable")
INITIAL = {"state": "initial", "reason": "Elb.RegistrationInProgress"}
_REPORTED: dict[str, dict[str, dict[str, Any]]] = {}


def report(content: dict[str, Any]) -> None:
    """Take {"target_group": arn, "targets": [{id, port?, state, reason?, description?}]}; replaces the group's report.

    Raises:
        ValueError: an unknown state.
    """
    targets = {}
    for target in content["targets"]:
        if target["state"] not in STATES:
            raise ValueError(f"target-health: state is {target['state']!r}, must be one of {STATES}")
        targets[target["id"]] = target
    _REPORTED[content["target_group"]] = targets


def reset() -> None:
    """Forget every report."""
    _REPORTED.clear()


def _describe(self: Any) -> Any:
    result = _ORIGINAL["describe"](self)
    arn = self._get_param("TargetGroupArn")
    if (arn not in _REPORTED and WORLD.controller is None) or not isinstance(result, ActionResult):
        return result
    reported = dict(_REPORTED.get(arn, {}))
    descriptions: Any = result.result
    shown = descriptions["TargetHealthDescriptions"]
    for item in shown:
        known = reported.pop(item.instance_id, INITIAL)
        item.status, item.reason, item.description = known["state"], known.get("reason"), known.get("description")
    asked = {target["Id"] for target in self._get_param("Targets", [])}
    for identifier, known in reported.items():
        if known["state"] == "draining" and (not asked or identifier in asked):
            port = str(known.get("port", ""))
            health = FakeHealthStatus(identifier, port, "traffic-port", "draining", known.get("reason"))
            shown.append(health)
    return result


def _create(self: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateLoadBalancer: the ARN of a network load balancer has /net/, where moto writes /app/."""
    balancer = _ORIGINAL["create"](self, *args, **kwargs)
    if balancer.type == "network":
        before = balancer.arn
        del self.load_balancers[before]
        balancer.arn = before.replace("/app/", "/net/")
        self.load_balancers[balancer.arn] = balancer
        self.tagging_service.copy_tags(before, balancer.arn)
        self.tagging_service.delete_all_tags_for_resource(before)
    return balancer


def _deregister(self: Any, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
    """DeregisterTargets: "If the specified target does not exist, the action returns successfully" (its API reference).

    moto refuses with InvalidTarget. A group's instance is met twice: by Auto Scaling and by its own agent.
    """
    group = self.target_groups.get(target_group_arn)
    known = instances if group is None else [one for one in instances if one["Id"] in group.targets]
    _ORIGINAL["deregister"](self, target_group_arn, known)


_ORIGINAL: dict[str, Any] = {}


def install() -> None:
    """Patch moto."""
    if not _ORIGINAL:
        _ORIGINAL["describe"] = ELBV2Response.describe_target_health
        _ORIGINAL["create"] = ELBv2Backend.create_load_balancer
        _ORIGINAL["deregister"] = ELBv2Backend.deregister_targets
        ELBv2Backend.create_load_balancer = _create  # type: ignore[method-assign]
        ELBv2Backend.deregister_targets = _deregister  # type: ignore[method-assign]
        ELBV2Response.describe_target_health = _describe  # type: ignore[method-assign]
