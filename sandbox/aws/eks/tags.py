"""Tags of everything in EKS that has an ARN."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from sandbox.aws.eks.errors import ResourceNotFoundError
from sandbox.aws.eks.model import Content, Params, Region

ARNS = ("arn", "nodegroupArn", "addonArn", "accessEntryArn", "associationArn")


def _tags(region: Region, params: Params) -> dict[str, str]:
    arn = unquote(str(params["resourceArn"]))
    for cluster in region.clusters.values():
        for resource in cluster.resources():
            if any(resource.content.get(key) == arn for key in ARNS):
                found: dict[str, str] = resource.content["tags"]
                return found
    raise ResourceNotFoundError(f"Resource was not found: {arn}")


def tag(region: Region, params: Params) -> Content:
    """TagResource."""
    _tags(region, params).update(params["tags"])
    return {}


def untag(region: Region, params: Params) -> Content:
    """UntagResource."""
    keys: Any = params["tagKeys"]
    found = _tags(region, params)
    for key in [keys] if isinstance(keys, str) else keys:
        found.pop(key, None)
    return {}


def list_all(region: Region, params: Params) -> Content:
    """ListTagsForResource."""
    return {"tags": _tags(region, params)}
