"""Instances as the machines' controller sees them, and what it reports of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models.instances import Instance

from sandbox.aws.ec2.states import PASSING, arrive, bootless, find, life
from sandbox.aws.ec2.states import instances as every_instance

REPORTED_STATES = ("running", "stopped", "terminated")
STATUS_CHECKS = ("ok", "impaired", "initializing")
REPORT_KEYS = frozenset({"state", "status_checks", "console_output", "spot_notice"})


def instances() -> list[dict[str, Any]]:
    """Every instance of every region that a machine boots for, terminated ones included."""
    members = {
        member.instance.id: (group.name, member.lifecycle_state)
        for account in autoscaling_backends.values()
        for backend in account.values()
        for group in backend.autoscaling_groups.values()
        for member in group.instance_states
    }
    return [
        _shown(backend, instance, *members.get(instance.id, (None, None)))
        for backend, instance in every_instance()
        if not bootless(instance)
    ]


def _shown(backend: Any, instance: Instance, group: str | None, lifecycle: str | None) -> dict[str, Any]:
    state = instance._state.name
    association = backend.iam_instance_profile_associations.get(instance.id)
    profile = association.iam_instance_profile if association else None
    return {
        "id": instance.id,
        "state": state,
        "target": PASSING.get(state, state),
        "reboots": life(instance).reboots,
        "region": backend.region_name,
        "zone": instance.placement.zone,
        "subnet_id": instance.subnet_id,
        "vpc_id": instance.vpc_id,
        "private_ip": instance.private_ip if instance.nics else None,
        "mac": instance.nics[0].mac_address if instance.nics else None,
        "launch_time": instance.launch_time.isoformat(),
        "image_id": instance.image_id,
        "instance_type": instance.instance_type,
        "architecture": instance.architecture,
        "market": instance.lifecycle or "on-demand",
        "metadata_options": {
            "http_tokens": instance.metadata_options.http_tokens,
            "hop_limit": instance.metadata_options.http_put_response_hop_limit,
            "tags": instance.metadata_options.instance_metadata_tags,
            "endpoint": instance.metadata_options.http_endpoint,
        },
        "profile_arn": profile.arn if profile else None,
        "role_arn": profile.roles[0].arn if profile and profile.roles else None,
        "tags": {tag["key"]: tag["value"] for tag in instance.get_tags()},
        "group": group,
        "lifecycle_state": lifecycle,
        "target_lifecycle_state": _target_lifecycle(lifecycle),
        "spot_notice": life(instance).spot_notice,
        "status_checks": life(instance).status_checks,
    }


def _target_lifecycle(state: str | None) -> str | None:
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html."""
    if state is None:
        return None
    if state.startswith("Terminat"):
        return "Terminated"
    return "InService" if state.startswith("Pending") else state


def report(instance_id: str, content: dict[str, Any]) -> None:
    """Take a report of the machine of an instance.

    Raises:
        LookupError: no such instance.
        ValueError: an unknown key or value.
    """
    instance = find(instance_id)
    unknown = set(content) - REPORT_KEYS
    if unknown:
        raise ValueError(f"instances/{instance_id}: unknown {sorted(unknown)}; known: {sorted(REPORT_KEYS)}")
    if (state := content.get("state")) is not None:
        if state not in REPORTED_STATES:
            raise ValueError(f"instances/{instance_id}: state is {state!r}, must be one of {REPORTED_STATES}")
        if instance._state.name != "terminated":
            arrive(instance, state)
    if (checks := content.get("status_checks")) is not None:
        if isinstance(checks, dict):
            checks = next((c for c in ("impaired", "initializing") if c in checks.values()), "ok")
        if checks not in STATUS_CHECKS:
            raise ValueError(f"instances/{instance_id}: status_checks is {checks!r}, must be one of {STATUS_CHECKS}")
        life(instance).status_checks = checks
    if "console_output" in content:
        life(instance).console_output = content["console_output"]
    if "spot_notice" in content:
        notice = content["spot_notice"]
        if notice is not None:
            datetime.fromisoformat(notice["time"])
        life(instance).spot_notice = notice


def tick() -> None:
    """Interrupt spot instances whose announced time has come.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
    """
    now = datetime.now(UTC)
    for _, instance in every_instance():
        notice = life(instance).spot_notice
        if notice and instance._state.name == "running" and _when(notice["time"]) <= now:
            if notice.get("action") == "stop":
                instance.stop()
            else:
                instance.terminate()


def _when(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
