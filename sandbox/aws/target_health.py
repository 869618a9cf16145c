"""Target health as the machines report it; a group that nobody reports keeps moto's answer (healthy).

https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html: initial, healthy,
unhealthy, unused, draining, unavailable, each with a reason and a description.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.responses import ELBV2Response

STATES = ("initial", "healthy", "unhealthy", "unused", "draining", "unavailable")
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
    reported = _REPORTED.get(self._get_param("TargetGroupArn"))
    if reported is None or not isinstance(result, ActionResult):
        return result
    descriptions: Any = result.result
    for item in descriptions["TargetHealthDescriptions"]:
        known = reported.get(item.instance_id, {"state": "initial", "reason": "Elb.RegistrationInProgress"})
        item.status, item.reason, item.description = known["state"], known.get("reason"), known.get("description")
    return result


_ORIGINAL: dict[str, Any] = {}


def install() -> None:
    """Patch moto's response."""
    if not _ORIGINAL:
        _ORIGINAL["describe"] = ELBV2Response.describe_target_health
        ELBV2Response.describe_target_health = _describe  # type: ignore[method-assign]
