"""Control-plane logs off before the cluster goes: EKS makes a deleted log group again for lines that come late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider.aws import error_code
from provider.eks_teardown.pace import Pace
from provider.eks_teardown.report import Report
from provider.handler import Context

ENDED = frozenset({"Successful", "Failed", "Cancelled"})
"""Source: EKS API reference, Update, status."""


def turn_off(cluster: Mapping[str, Any], context: Context, pace: Pace, report: Report) -> None:
    """Turn off every type of log that is on, and wait for it within the pace.

    Last of the teardown, so that the audit log holds what the teardown did.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415

    enabled = [
        kind
        for setting in (cluster.get("logging") or {}).get("clusterLogging") or []
        if setting.get("enabled")
        for kind in setting["types"]
    ]
    if not enabled:
        return
    eks, name = context.aws("eks"), cluster["name"]
    try:
        update = eks.update_cluster_config(
            name=name, logging={"clusterLogging": [{"types": enabled, "enabled": False}]}
        )["update"]
    except ClientError as error:
        # Another update, or a cluster that is being deleted: the last sweep looks for the log group anyway.
        if error_code(error) not in {"ResourceInUseException", "InvalidRequestException", "InvalidParameterException"}:
            raise
        report.note(f"control-plane logs stay on until the cluster is gone: {error}")
        return
    while update["status"] not in ENDED:
        if pace.left == 0:
            report.note("EKS was still turning the control-plane logs off when the time was over")
            return
        pace.say("waiting for EKS to turn the control-plane logs off")
        pace.rest()
        update = eks.describe_update(name=name, updateId=update["id"])["update"]
    if update["status"] == "Successful":
        report.note(f"control-plane logs turned off: {', '.join(enabled)}")
    else:
        report.note(f"control-plane logs could not be turned off: {update['status']} {update.get('errors', '')}")
