"""Pod Identity associations: which role the pods of a service account take.

https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html: one for each service account; its role trusts
pods.eks.amazonaws.com. Not modelled: that pods get credentials (no kubelet runs here).
"""

from __future__ import annotations

import secrets
import string

from sandbox.aws.eks import checks
from sandbox.aws.eks.errors import ResourceInUseError, ResourceNotFoundError
from sandbox.aws.eks.model import Cluster, Content, Params, Region, Resource, now, page

SERVICE = "pods.eks.amazonaws.com"
LISTED = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")
CHANGEABLE = ("roleArn", "disableSessionTags", "targetRoleArn", "policy")


def create(region: Region, params: Params) -> Content:
    """CreatePodIdentityAssociation."""
    cluster = region.cluster(params["clusterName"])
    return {"association": associate(region, cluster, params).content}


def associate(region: Region, cluster: Cluster, params: Params, owner: str | None = None) -> Resource:
    """Make an association.

    Args:
        region: of the cluster.
        cluster: to which it belongs.
        params: of the request.
        owner: ARN of the add-on that it belongs to.

    Raises:
        ResourceInUseError: the service account has one.
        InvalidParameterError: the role is missing or does not trust EKS's pods.
    """
    checks.role(params["roleArn"], SERVICE, "roleArn")
    place = (params["namespace"], params["serviceAccount"])
    for known in cluster.pod_identities.values():
        if (known.content["namespace"], known.content["serviceAccount"]) == place:
            raise ResourceInUseError(f"Association already exists: {known.content['associationId']}")
    identifier = "a-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(17))
    content: Content = {
        "clusterName": cluster.name,
        "namespace": place[0],
        "serviceAccount": place[1],
        "associationArn": region.arn(f"podidentityassociation/{cluster.name}/{identifier}"),
        "associationId": identifier,
        "tags": dict(params.get("tags") or {}),
        "createdAt": now(),
        "modifiedAt": now(),
        "disableSessionTags": False,
        **{key: params[key] for key in CHANGEABLE if params.get(key) is not None},
        **({"ownerArn": owner} if owner else {}),
    }
    cluster.pod_identities[identifier] = Resource(content)
    return cluster.pod_identities[identifier]


def _find(cluster: Cluster, identifier: str) -> Resource:
    if identifier not in cluster.pod_identities:
        raise ResourceNotFoundError(f"No association found with id: {identifier}")
    return cluster.pod_identities[identifier]


def describe(region: Region, params: Params) -> Content:
    """DescribePodIdentityAssociation."""
    return {"association": _find(region.cluster(params["clusterName"]), params["associationId"]).content}


def list_all(region: Region, params: Params) -> Content:
    """ListPodIdentityAssociations, of a namespace or service account when it is named."""
    found = region.cluster(params["clusterName"]).pod_identities
    wanted = {k: params[k] for k in ("namespace", "serviceAccount") if params.get(k)}
    names = [i for i, a in found.items() if all(a.content[k] == v for k, v in wanted.items())]
    shown = page(names, params, "associations")
    summaries = [{k: v for k, v in found[i].content.items() if k in LISTED} for i in shown["associations"]]
    return shown | {"associations": summaries}


def update(region: Region, params: Params) -> Content:
    """UpdatePodIdentityAssociation."""
    found = _find(region.cluster(params["clusterName"]), params["associationId"])
    if params.get("roleArn"):
        checks.role(params["roleArn"], SERVICE, "roleArn")
    found.content |= {k: params[k] for k in CHANGEABLE if params.get(k) is not None}
    found.touch()
    return {"association": found.content}


def delete(region: Region, params: Params) -> Content:
    """DeletePodIdentityAssociation."""
    cluster = region.cluster(params["clusterName"])
    found = _find(cluster, params["associationId"])
    del cluster.pod_identities[params["associationId"]]
    return {"association": found.content}
