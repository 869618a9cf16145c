"""Who may do what: identity policies of assumed roles, and bucket policies with their conditions.

moto enforces by action only and reads bucket policies without conditions. Here `policy.evaluate` decides. Calls of
assumed roles (instances) are judged by the role's inline and attached policies and written into the journal; they are
refused for the services of `Settings.enforce`. The sandbox's own user may do everything, as an account's administrator;
bucket policies bind it too. aws:SecureTransport is always true: the loopback stands for TLS. Not modelled: permission
boundaries, session and service control policies, KMS key policies and grants, secrets' resource policies, what a
service does on one's behalf.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import PermissionResult
from moto.iam.models import iam_backends
from moto.s3.models import FakeBucket, s3_backends

from sandbox.aws.calls import Call
from sandbox.aws.errors import Fault
from sandbox.aws.policy import Decision, evaluate
from sandbox.aws.resources import Needed, of
from sandbox.aws.world import WORLD

_ASSUMED = re.compile(r"arn:aws:sts::\d+:assumed-role/([^/]+)/(.+)")
ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity"})


def judge(call: Call) -> tuple[Fault | None, list[dict[str, Any]]]:
    """The refusal, if the call is refused, and what the journal notes: [{action, resource, tags, decision}]."""
    needed = of(call)
    notes = []
    refusal = None
    for one in needed:
        decision = _identity(call, one)
        if call.service == "s3" and _bucket_policy(call, one) is Decision.DENY:
            refusal = refusal or _denied(call, one, "with an explicit deny in a resource-based policy")
        if decision not in {None, Decision.ALLOW} and call.service in WORLD.settings.enforce:
            reason = "with an explicit deny in an identity-based policy"
            if decision is Decision.NEUTRAL:
                reason = f"because no identity-based policy allows the {one.action} action"
            refusal = refusal or _denied(call, one, reason)
        notes.append({"action": one.action, "resource": one.resource, "tags": one.tags, "decision": decision})
    return refusal, notes


def _identity(call: Call, needed: Needed) -> Decision | None:
    """What the caller's role says; None for a caller without a role, or when the resource could not be told."""
    match = _ASSUMED.fullmatch(call.caller)
    if match is None or needed.resource is None:
        return None
    if needed.action in ALWAYS_ALLOWED:
        return Decision.ALLOW
    return evaluate(_documents(match.group(1)), needed.action, needed.resource, context(call, needed))


def _documents(role_name: str) -> Iterator[dict[str, Any]]:
    backend = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    role = next((r for r in backend.roles.values() if r.name == role_name), None)
    if role is None:
        return
    for document in role.policies.values():
        yield json.loads(document)
    for policy in role.managed_policies.values():
        yield json.loads(next(v for v in policy.versions if v.is_default).document)


def context(call: Call, needed: Needed) -> dict[str, list[str]]:
    """The condition keys of a call. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
    account = call.caller.split(":")[4] if call.caller else DEFAULT_ACCOUNT_ID
    match = _ASSUMED.fullmatch(call.caller)
    principal = f"arn:aws:iam::{account}:role/{match.group(1)}" if match else call.caller
    keys = {
        "aws:SecureTransport": ["true"],
        "aws:PrincipalArn": [principal],
        "aws:PrincipalAccount": [account],
        "aws:RequestedRegion": [call.region],
        "aws:ViaAWSService": ["false"],
        "aws:SourceIp": ["127.0.0.1"],
    }
    for tag, value in needed.tags.items():
        for prefix in ("aws", call.service):
            keys[f"{prefix}:ResourceTag/{tag}"] = [value]
    if match and match.group(2).startswith("i-"):
        keys["ec2:SourceInstanceARN"] = [f"arn:aws:ec2:{call.region}:{account}:instance/{match.group(2)}"]
    if call.service == "s3":
        keys |= {f"s3:{name}": [value] for name, value in call.headers.items()}
        if needed.action.startswith("s3:ListBucket"):
            keys["s3:prefix"] = [str(call.parameters.get("prefix") or call.parameters.get("Prefix") or "")]
        if "max-keys" in call.parameters:
            keys["s3:max-keys"] = [str(call.parameters["max-keys"])]
    return keys


def _bucket_policy(call: Call, needed: Needed) -> Decision | None:
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(str(call.parameters.get("Bucket")))
    if bucket is None or bucket.policy is None or needed.resource is None:
        return None
    document = json.loads(bucket.policy)
    return evaluate([document], needed.action, needed.resource, context(call, needed), call.caller)


def _denied(call: Call, needed: Needed, reason: str) -> Fault:
    codes = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied", "iam": "AccessDenied", "sts": "AccessDenied"}
    codes |= {"autoscaling": "AccessDenied", "elasticloadbalancing": "AccessDenied"}
    code = codes.get(call.service, "AccessDeniedException")
    resource = f" on resource: {needed.resource}" if needed.resource else ""
    message = f"User: {call.caller} is not authorized to perform: {needed.action}{resource} {reason}"
    return Fault(code, message, 403 if call.service in {"ec2", "s3"} else 400)


def install() -> None:
    """Take the bucket policies from moto, which would read them without their conditions."""
    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL  # type: ignore[method-assign]
