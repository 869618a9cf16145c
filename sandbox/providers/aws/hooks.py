"""What a table cannot say: the few steps that need a loop or a choice of calls. A row names them with ``hook:``."""

from collections.abc import Callable
from typing import Any

from sandbox.providers.aws import security_groups
from sandbox.providers.aws.client import ApiError
from sandbox.providers.aws.run import Run
from sandbox.providers.aws.table import Call

Hook = Callable[[Run, Call], dict[str, Any] | None]
_HOOKS: dict[str, Hook] = {}


def hook(function: Hook) -> Hook:
    """Give a function to the table under its name."""
    _HOOKS[function.__name__] = function
    return function


def find(name: str) -> Hook:
    """Find a hook by name."""
    from sandbox.providers.aws import (  # noqa: PLC0415 (they add theirs)
        hooks_autoscaling,  # noqa: F401
        hooks_ec2,  # noqa: F401
        hooks_eks,  # noqa: F401
        hooks_s3,  # noqa: F401
    )

    return _HOOKS[name]


# ---- security groups


def _group(run: Run) -> dict[str, Any]:
    return dict(run.call("DescribeSecurityGroups", {"GroupIds": [run.id]})["SecurityGroups"][0])


def _bring(run: Run, direction: str, wanted: set[security_groups.Permission]) -> None:
    """Revoke and authorise what differs."""
    member = "IpPermissions" if direction == "Ingress" else "IpPermissionsEgress"
    present = security_groups.actual(_group(run)[member])
    for verb, items in (("Revoke", present - wanted), ("Authorize", wanted - present)):
        if items:
            call = {"GroupId": run.id, "IpPermissions": security_groups.as_call(items)}
            run.call(f"{verb}SecurityGroup{direction}", call)


@hook
def revoke_default_egress(run: Run, _call: Call) -> None:
    """Take away the rule with which AWS makes a group; egress is what the program says."""
    if run.inputs.get("egress") is None:
        _bring(run, "Egress", set())


@hook
def security_group_rules(run: Run, _call: Call) -> None:
    """Bring inline rules to what is given; a direction that was never given is left alone."""
    for name, direction in (("ingress", "Ingress"), ("egress", "Egress")):
        if run.inputs.get(name) is not None:
            _bring(run, direction, security_groups.permissions(run.inputs[name], run.id))


@hook
def security_group_rules_exactly(run: Run, _call: Call) -> None:
    """Bring the default group's rules to what is given; nothing given means no rules."""
    for name, direction in (("ingress", "Ingress"), ("egress", "Egress")):
        _bring(run, direction, security_groups.permissions(run.inputs.get(name) or [], run.id))


@hook
def revoke_rules_on_delete(run: Run, _call: Call) -> None:
    """Revoke all rules first, where asked: two groups that name each other cannot go otherwise."""
    if run.state.get("revokeRulesOnDelete"):
        for direction in ("Ingress", "Egress"):
            _bring(run, direction, set())


# ---- IAM


@hook
def detach_role_policies(run: Run, _call: Call) -> None:
    """Detach and delete the role's policies where ``forceDetachPolicies`` is given."""
    if not run.state.get("forceDetachPolicies"):
        return
    for policy in run.call("ListAttachedRolePolicies", {"RoleName": run.id})["AttachedPolicies"]:
        run.call("DetachRolePolicy", {"RoleName": run.id, "PolicyArn": policy["PolicyArn"]})
    for name in run.call("ListRolePolicies", {"RoleName": run.id})["PolicyNames"]:
        run.call("DeleteRolePolicy", {"RoleName": run.id, "PolicyName": name})


def _old_versions(run: Run) -> list[str]:
    versions = run.call("ListPolicyVersions", {"PolicyArn": run.id})["Versions"]
    old = [item for item in versions if not item["IsDefaultVersion"]]
    return [item["VersionId"] for item in sorted(old, key=lambda item: item["CreateDate"])]


@hook
def prune_policy_versions(run: Run, _call: Call) -> None:
    """Delete the oldest version when there is no room for another: IAM keeps five."""
    old = _old_versions(run)
    if len(old) >= 4:
        run.call("DeletePolicyVersion", {"PolicyArn": run.id, "VersionId": old[0]})


@hook
def delete_policy_versions(run: Run, _call: Call) -> None:
    """Delete all versions but the default one, which goes with the policy."""
    try:
        old = _old_versions(run)
    except ApiError as error:
        if error.code == "NoSuchEntity":
            return
        raise
    for version in old:
        run.call("DeletePolicyVersion", {"PolicyArn": run.id, "VersionId": version})
