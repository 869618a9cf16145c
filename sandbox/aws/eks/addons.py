"""Add-ons: versions of the catalogue, CREATING, then ACTIVE, or DEGRADED while there is no node to run on.

https://docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html. A configuration is held to the top level of the
add-on's schema. With resolveConflicts NONE (the default) an add-on whose self-managed twin EKS put there
(bootstrapSelfManagedAddons) fails with ConfigurationConflict; with preserve the delete leaves the software, so the
next create meets it. Not modelled: the software itself: nothing is installed in the cluster; conflicts of single
fields; custom namespaces.
"""

from __future__ import annotations

import uuid
from typing import Any

import yaml

from sandbox.aws.eks import catalogue, checks, pod_identity
from sandbox.aws.eks.clusters import auto_mode
from sandbox.aws.eks.errors import InvalidParameterError, InvalidRequestError, ResourceInUseError, ResourceNotFoundError
from sandbox.aws.eks.model import Cluster, Content, Params, Region, Resource, now, page, start_update

SELF_MANAGED = frozenset({"vpc-cni", "kube-proxy", "coredns"})
"""What EKS puts into a cluster by itself unless bootstrapSelfManagedAddons is false."""
NO_REPLICAS = "The add-on is unhealthy because it doesn't have the desired number of replicas."
CONFLICT = "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode."


def create(region: Region, params: Params) -> Content:
    """CreateAddon."""
    cluster, name = region.cluster(params["clusterName"]), str(params["addonName"])
    if cluster.status not in {"ACTIVE", "UPDATING"}:
        raise InvalidRequestError(f"Cluster '{cluster.name}' is not in ACTIVE status")
    known = catalogue.addon(name)
    if name in cluster.addons:
        raise ResourceInUseError("Addon already exists.")
    version = _version(cluster, name, params.get("addonVersion"))
    _check_configuration(name, params.get("configurationValues"))
    content: Content = {
        "addonName": name,
        "clusterName": cluster.name,
        "status": "CREATING",
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": region.arn(f"addon/{cluster.name}/{name}/{uuid.uuid4()}"),
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": dict(params.get("tags") or {}),
        "publisher": known["publisher"],
        "owner": known["owner"],
        "namespaceConfig": {"namespace": known["namespace"]},
    }
    _set_optional(region, content, params)
    content["podIdentityAssociations"] = _identities(
        region, cluster, content, params.get("podIdentityAssociations") or []
    )
    addon = Resource(content, private={"overwrite": params.get("resolveConflicts") == "OVERWRITE"})
    cluster.addons[name] = addon
    return {"addon": content}


def _version(cluster: Cluster, name: str, wanted: Any) -> str:
    offered = catalogue.addon_versions(name, cluster.version)
    if not offered or (wanted and wanted not in offered):
        raise InvalidParameterError(
            f"Addon version specified is not supported: {wanted} of {name} with Kubernetes {cluster.version} "
            f"(the sandbox's catalogue has {', '.join(offered) or 'none'})"
        )
    return str(wanted or offered[0])


def _check_configuration(name: str, text: Any) -> None:
    if not text:
        return
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidParameterError(
            f"ConfigurationValue provided in request is not supported: no YAML or JSON: {error}"
        ) from error
    unknown = sorted(set(values) - set(catalogue.addon(name)["settings"])) if isinstance(values, dict) else [text]
    if unknown:
        raise InvalidParameterError(
            f"ConfigurationValue provided in request is not supported: Json schema validation failed with error: "
            f"{name} has no {unknown}"
        )


def _set_optional(region: Region, content: Content, params: Params) -> None:
    if params.get("configurationValues") is not None:
        content["configurationValues"] = params["configurationValues"]
    if params.get("serviceAccountRoleArn") is not None:
        content.pop("serviceAccountRoleArn", None)
        if params["serviceAccountRoleArn"]:
            checks.role(params["serviceAccountRoleArn"], "", "serviceAccountRoleArn")
            content["serviceAccountRoleArn"] = params["serviceAccountRoleArn"]


def _identities(region: Region, cluster: Cluster, content: Content, asked: list[Content]) -> list[str]:
    """Replace the add-on's associations; their ARNs."""
    _drop_identities(cluster, content)
    namespace = content["namespaceConfig"]["namespace"]
    owner = content["addonArn"]
    made = [pod_identity.associate(region, cluster, {**one, "namespace": namespace}, owner) for one in asked]
    return [one.content["associationArn"] for one in made]


def _drop_identities(cluster: Cluster, content: Content) -> None:
    for identifier, known in list(cluster.pod_identities.items()):
        if known.content.get("ownerArn") == content["addonArn"]:
            del cluster.pod_identities[identifier]


def find(cluster: Cluster, name: Any) -> Resource:
    """An add-on of a cluster.

    Raises:
        ResourceNotFoundError: it has none of that name.
    """
    if name not in cluster.addons:
        raise ResourceNotFoundError(f"No addon: {name} found in cluster: {cluster.name}")
    return cluster.addons[name]


def describe(region: Region, params: Params) -> Content:
    """DescribeAddon."""
    return {"addon": find(region.cluster(params["clusterName"]), params["addonName"]).content}


def list_all(region: Region, params: Params) -> Content:
    """ListAddons."""
    return page(list(region.cluster(params["clusterName"]).addons), params, "addons")


def update(region: Region, params: Params) -> Content:
    """UpdateAddon. What it leaves out stays; podIdentityAssociations are replaced as a whole."""
    cluster = region.cluster(params["clusterName"])
    addon = find(cluster, params["addonName"])
    if addon.status in {"CREATING", "UPDATING", "DELETING"}:
        raise ResourceInUseError(
            f"Addon {params['addonName']} cannot be updated as it is currently in {addon.status} state"
        )
    name, content = str(params["addonName"]), addon.content
    version = _version(cluster, name, params["addonVersion"]) if params.get("addonVersion") else content["addonVersion"]
    _check_configuration(name, params.get("configurationValues"))
    changed = dict(content)
    _set_optional(region, changed, params)
    if params.get("podIdentityAssociations") is not None:
        changed["podIdentityAssociations"] = _identities(region, cluster, content, params["podIdentityAssociations"])
    changed["addonVersion"] = version

    def apply() -> None:
        for gone in set(content) - set(changed):
            del content[gone]
        content.update({k: v for k, v in changed.items() if k not in {"status", "health"}})
        addon.touch()

    addon.enter("UPDATING")
    addon.private["overwrite"] = (
        params.get("resolveConflicts") in {"OVERWRITE", "PRESERVE"} or addon.private["overwrite"]
    )
    names = (
        "addonVersion",
        "serviceAccountRoleArn",
        "resolveConflicts",
        "configurationValues",
        "podIdentityAssociations",
    )
    values = {n[0].upper() + n[1:]: params[n] for n in names if params.get(n) is not None}
    return {"update": start_update(cluster, "AddonUpdate", values, apply, of=name)}


def delete(region: Region, params: Params) -> Content:
    """DeleteAddon."""
    cluster = region.cluster(params["clusterName"])
    addon = find(cluster, params["addonName"])
    if addon.status == "DELETING":
        raise ResourceInUseError(f"Addon {params['addonName']} is being deleted")
    addon.private["preserve"] = bool(params.get("preserve"))
    addon.enter("DELETING")
    return {"addon": addon.content}


def advance(cluster: Cluster) -> None:
    """One tick of a cluster's add-ons."""
    nodes = auto_mode(cluster) or any(group.private.get("ready") for group in cluster.nodegroups.values())
    for name, addon in list(cluster.addons.items()):
        if addon.status == "DELETING" and addon.due():
            _drop_identities(cluster, addon.content)
            del cluster.addons[name]
            kept = cluster.private.setdefault("preserved", set())
            (kept.add if addon.private["preserve"] else kept.discard)(name)
        elif addon.status in {"CREATING", "UPDATING"} and addon.due():
            if any(u.running and u.of == name for u in cluster.updates.values()):
                continue
            if addon.status == "CREATING" and _meets_twin(cluster, name) and not addon.private["overwrite"]:
                _ail(addon, "CREATE_FAILED", "ConfigurationConflict", CONFLICT)
            else:
                addon.enter("ACTIVE")
                _look(addon, nodes)
        elif addon.status in {"ACTIVE", "DEGRADED"}:
            _look(addon, nodes)


def _meets_twin(cluster: Cluster, name: str) -> bool:
    bootstrapped = bool(cluster.private["self_managed"]) and name in SELF_MANAGED
    return bootstrapped or name in cluster.private.get("preserved", set())


def _look(addon: Resource, nodes: bool) -> None:
    needs = catalogue.addon(addon.content["addonName"])["nodes"]
    if needs and not nodes:
        if addon.status != "DEGRADED":
            _ail(addon, "DEGRADED", "InsufficientNumberOfReplicas", NO_REPLICAS)
    elif addon.status != "ACTIVE":
        addon.content["health"] = {"issues": []}
        addon.enter("ACTIVE")


def _ail(addon: Resource, status: str, code: str, message: str) -> None:
    addon.content["health"] = {"issues": [{"code": code, "message": message, "resourceIds": []}]}
    addon.enter(status)
