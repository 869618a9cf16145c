"""IAM's view of a call: which IAM actions it needs, on which resource ARNs with which tags.

"Service Authorization Reference: Actions, resources, and condition keys" (docs.aws.amazon.com), for the services
that instances and stacks use. A call whose resources are not told here gets None: the journal says so, and nothing is
enforced on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends

from sandbox.aws.calls import Call

S3_ACTIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
}
"""S3 operations whose IAM action has another name."""

WITHOUT_RESOURCE = (
    "Describe",
    "List",
    "GetCallerIdentity",
    "GetAuthorizationToken",
    "GetRandomPassword",
    "PutMetricData",
)
"""Beginnings of actions that take no resource, for services other than S3, IAM, ECR and Logs."""

IAM_NAMES = {"elasticloadbalancing": "elasticloadbalancing", "monitoring": "cloudwatch"}


@dataclass(frozen=True)
class Needed:
    """One permission that a call needs.

    Attributes:
        action: "s3:GetObject".
        resource: ARN or "*"; None when this module cannot tell.
        tags: of the resource.
    """

    action: str
    resource: str | None
    tags: dict[str, str] = field(default_factory=dict)


def of(call: Call) -> list[Needed]:
    """What IAM asks of a call, at this moment (before it is made)."""
    service = IAM_NAMES.get(call.service, call.service)
    if call.service == "s3":
        return _s3(call)
    action = f"{service}:{call.action}"
    teller = _TELLERS.get(call.service)
    try:
        found = teller(call) if teller else None
    except Exception:  # noqa: BLE001 - what cannot be told must not break the call; the journal shows it as untold
        found = None
    if found is None and call.action.startswith(WITHOUT_RESOURCE):
        found = [("*", {})]
    if found is None:
        return [Needed(action, None)]
    return [Needed(action, arn, tags) for arn, tags in found]


def _s3(call: Call) -> list[Needed]:
    bucket, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    name = S3_ACTIONS.get(call.action, call.action)
    if call.parameters.get("versionId") and name in {"GetObject", "DeleteObject"}:
        name += "Version"
    if call.action == "DeleteObjects":
        key = "*"
    if not bucket:
        return [Needed(f"s3:{name}", "*")]
    return [Needed(f"s3:{name}", f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}")]


_Found = list[tuple[str, dict[str, str]]] | None


def _ec2(call: Call) -> _Found:
    ids = [v for k, v in call.parameters.items() if k.startswith("InstanceId")]
    if call.action.startswith("Describe") or not ids:
        return None
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][call.region]
    return [
        (_arn("ec2", call, f"instance/{i}"), _tags(backend.get_instance(i).get_tags(), "key", "value")) for i in ids
    ]


def _autoscaling(call: Call) -> _Found:
    if call.action.startswith("Describe"):
        return None
    backend = autoscaling_backends[DEFAULT_ACCOUNT_ID][call.region]
    name, instance = call.parameters.get("AutoScalingGroupName"), call.parameters.get("InstanceId")
    for group in backend.autoscaling_groups.values():
        if group.name == name or (name is None and any(m.instance.id == instance for m in group.instance_states)):
            return [(group.arn, _tags(group.tags))]
    return None


def _elb(call: Call) -> _Found:
    arn = call.parameters.get("TargetGroupArn") or call.parameters.get("LoadBalancerArn")
    if call.action.startswith("Describe") or arn is None:
        return None
    backend = elbv2_backends[DEFAULT_ACCOUNT_ID][call.region]
    return [(arn, dict(backend.describe_tags([arn]).get(arn, {})))]


def _secrets(call: Call) -> _Found:
    identifier = call.parameters.get("SecretId")
    if identifier is None:
        return None
    secret: Any = secretsmanager_backends[DEFAULT_ACCOUNT_ID][call.region].secrets[identifier]
    return [(str(secret.arn), _tags(secret.tags or []))]


def _kms(call: Call) -> _Found:
    identifier = call.parameters.get("KeyId")
    if identifier is None:
        return None
    backend = kms_backends[DEFAULT_ACCOUNT_ID][call.region]
    key = backend.keys[backend.any_id_to_key_id(identifier)]
    return [(str(key.arn), _tags(backend.list_resource_tags(key.id)["Tags"], "TagKey", "TagValue"))]


def _logs(call: Call) -> _Found:
    group, stream = call.parameters.get("logGroupName"), call.parameters.get("logStreamName")
    if group is None:
        return None
    return [(_arn("logs", call, f"log-group:{group}:{'log-stream:' + stream if stream else '*'}"), {})]


def _ssm(call: Call) -> _Found:
    name = call.parameters.get("Name")
    return [(_arn("ssm", call, f"parameter/{name.lstrip('/')}"), {})] if name else None


def _arn(service: str, call: Call, resource: str) -> str:
    return f"arn:aws:{service}:{call.region}:{DEFAULT_ACCOUNT_ID}:{resource}"


def _tags(items: Any, key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {t[key]: t[value] for t in items}


_TELLERS = {
    "ec2": _ec2,
    "autoscaling": _autoscaling,
    "elasticloadbalancing": _elb,
    "secretsmanager": _secrets,
    "kms": _kms,
    "logs": _logs,
    "ssm": _ssm,
}
