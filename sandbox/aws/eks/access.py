"""Access entries and the access policies associated with them.

https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html: who may use the cluster's API at all, under which
user name, in which groups; https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html: what EKS's own
policies allow, in the cluster or in namespaces. Not modelled: policies of EKS's services (those are not in the list).
"""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.aws.eks import catalogue, checks
from sandbox.aws.eks.errors import InvalidParameterError, InvalidRequestError, ResourceInUseError, ResourceNotFoundError
from sandbox.aws.eks.model import Cluster, Content, Params, Region, Resource, now, page

POLICY_ARN = "arn:{partition}:eks::aws:cluster-access-policy/{name}"
ADMIN = "AmazonEKSClusterAdminPolicy"
TYPES = ("STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX")
RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")
NODE_TYPES = {"EC2_LINUX": ["system:nodes"], "EC2_WINDOWS": ["system:nodes", "eks:kube-proxy-windows"]}


def create(region: Region, params: Params) -> Content:
    """CreateAccessEntry."""
    cluster = region.cluster(params["clusterName"])
    _needs_api(cluster)
    arn, kind = str(params["principalArn"]), str(params.get("type") or "STANDARD")
    checks.principal(arn)
    groups, user = list(params.get("kubernetesGroups") or []), params.get("username")
    if kind not in TYPES:
        raise InvalidParameterError(f"type {kind} must be one of {', '.join(TYPES)}")
    if kind != "STANDARD" and (groups or user):
        raise InvalidParameterError(f"an access entry of type {kind} takes neither kubernetesGroups nor username")
    _check_names(groups, user)
    if arn in cluster.access_entries:
        raise ResourceInUseError("The specified access entry resource is already in use on this cluster.")
    return {"accessEntry": enter(region, cluster, arn, kind, groups, user, dict(params.get("tags") or {})).content}


def enter(  # noqa: PLR0917 - the fields of an entry
    region: Region,
    cluster: Cluster,
    arn: str,
    kind: str = "STANDARD",
    groups: list[str] | None = None,
    user: str | None = None,
    tags: dict[str, str] | None = None,
) -> Resource:
    """Make an entry without checks."""
    account, _, name = arn.partition(":")[2].split(":", 3)[-1].partition(":")
    family, _, path = name.partition("/")
    default = arn
    if kind in NODE_TYPES:
        groups, default = NODE_TYPES[kind], "system:node:{{EC2PrivateDNSName}}"
    elif family == "role":
        short = path.rsplit("/", 1)[-1]
        default = f"arn:{region.partition}:sts::{account}:assumed-role/{short}/{{{{SessionName}}}}"
    identifier = region.arn(f"access-entry/{cluster.name}/{family}/{account}/{path}/{uuid.uuid4()}")
    content: Content = {
        "clusterName": cluster.name,
        "principalArn": arn,
        "kubernetesGroups": list(groups or []),
        "accessEntryArn": identifier,
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": tags or {},
        "username": user or default,
        "type": kind,
    }
    entry = Resource(content, private={"policies": {}})
    cluster.access_entries[arn] = entry
    return entry


def _needs_api(cluster: Cluster) -> None:
    if cluster.content["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        raise InvalidRequestError(
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this "
            "operation."
        )


def _check_names(groups: list[str], user: Any) -> None:
    for what, value in [("kubernetes group name", g) for g in groups] + [("username", user or "")]:
        for prefix in RESERVED:
            if value.startswith(prefix):
                raise InvalidParameterError(f"The {what} {value} is invalid, it cannot start with {prefix}")


def _entry(cluster: Cluster, arn: Any) -> Resource:
    if arn not in cluster.access_entries:
        raise ResourceNotFoundError(
            "The specified principalArn could not be found. You can view your available access entries with "
            "ListAccessEntries."
        )
    return cluster.access_entries[arn]


def describe(region: Region, params: Params) -> Content:
    """DescribeAccessEntry."""
    return {"accessEntry": _entry(region.cluster(params["clusterName"]), params["principalArn"]).content}


def list_all(region: Region, params: Params) -> Content:
    """ListAccessEntries, of those with a policy when one is named."""
    wanted = params.get("associatedPolicyArn")
    entries = region.cluster(params["clusterName"]).access_entries.items()
    return page([arn for arn, e in entries if not wanted or wanted in e.private["policies"]], params, "accessEntries")


def update(region: Region, params: Params) -> Content:
    """UpdateAccessEntry."""
    entry = _entry(region.cluster(params["clusterName"]), params["principalArn"])
    if entry.content["type"] != "STANDARD":
        raise InvalidRequestError(f"an access entry of type {entry.content['type']} cannot be updated")
    groups, user = params.get("kubernetesGroups"), params.get("username")
    _check_names(list(groups or []), user)
    if groups is not None:
        entry.content["kubernetesGroups"] = list(groups)
    if user:
        entry.content["username"] = user
    entry.touch()
    return {"accessEntry": entry.content}


def delete(region: Region, params: Params) -> Content:
    """DeleteAccessEntry."""
    cluster = region.cluster(params["clusterName"])
    _entry(cluster, params["principalArn"])
    del cluster.access_entries[params["principalArn"]]
    return {}


def policies(region: Region, params: Params) -> Content:
    """ListAccessPolicies."""
    names = catalogue.data()["access_policies"]
    return {"accessPolicies": [{"name": n, "arn": policy_arn(region, n)} for n in names]}


def policy_arn(region: Region, name: str) -> str:
    """The ARN of an access policy."""
    return POLICY_ARN.format(partition=region.partition, name=name)


def associate(region: Region, params: Params) -> Content:
    """AssociateAccessPolicy; a second association of a policy replaces its scope."""
    cluster = region.cluster(params["clusterName"])
    entry, arn = _entry(cluster, params["principalArn"]), str(params["policyArn"])
    if arn not in [policy_arn(region, n) for n in catalogue.data()["access_policies"]]:
        raise InvalidParameterError(
            f"The policyArn parameter format is not valid, or the sandbox does not know it: {arn}"
        )
    if entry.content["type"] not in {"STANDARD", "EC2"}:
        raise InvalidRequestError(f"an access entry of type {entry.content['type']} takes no access policies")
    scope = dict(params["accessScope"])
    kind, namespaces = scope.get("type") or "cluster", list(scope.get("namespaces") or [])
    if (kind == "namespace") != bool(namespaces):
        raise InvalidParameterError("accessScope: type namespace needs namespaces, and type cluster takes none")
    return {
        "clusterName": cluster.name,
        "principalArn": params["principalArn"],
        "associatedAccessPolicy": grant(entry, arn, {"type": kind, "namespaces": namespaces}),
    }


def grant(entry: Resource, policy: str, scope: Content) -> Content:
    """Associate a policy without checks."""
    before = entry.private["policies"].get(policy)
    created = before["associatedAt"] if before else now()
    found = {"policyArn": policy, "accessScope": scope, "associatedAt": created, "modifiedAt": now()}
    entry.private["policies"][policy] = found
    return found


def associated(region: Region, params: Params) -> Content:
    """ListAssociatedAccessPolicies."""
    cluster = region.cluster(params["clusterName"])
    entry = _entry(cluster, params["principalArn"])
    found = list(entry.private["policies"].values())
    return {"clusterName": cluster.name, "principalArn": params["principalArn"], "associatedAccessPolicies": found}


def disassociate(region: Region, params: Params) -> Content:
    """DisassociateAccessPolicy."""
    entry = _entry(region.cluster(params["clusterName"]), params["principalArn"])
    if entry.private["policies"].pop(params["policyArn"], None) is None:
        raise ResourceNotFoundError(f"The policy {params['policyArn']} is not associated with {params['principalArn']}")
    return {}


def enter_creator(region: Region, cluster: Cluster, principal: str) -> None:
    """The entry of who created the cluster, an administrator of it."""
    scope = {"type": "cluster", "namespaces": []}
    grant(enter(region, cluster, principal), policy_arn(region, ADMIN), scope)
