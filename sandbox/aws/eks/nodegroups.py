"""Managed node groups: create, describe, change, update to another version or template, delete.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html and its neighbours. CREATING until every
wanted instance is in service; a version update replaces every instance, new ones first; the sizes follow what an
autoscaler does to the Auto Scaling group. Not modelled: drains and their failures, repair, warm pools, remote access,
update strategies.
"""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.aws.eks import access, catalogue, checks, pool
from sandbox.aws.eks.errors import InvalidParameterError, InvalidRequestError, ResourceInUseError, ResourceNotFoundError
from sandbox.aws.eks.model import Cluster, Content, Params, Region, Resource, now, page, start_update

LAST_AL2 = 32
"""The last minor version of Kubernetes with AMIs of Amazon Linux 2. https://docs.aws.amazon.com/eks/latest/userguide/eks-ami-deprecation-faqs.html."""
EFFECTS = ("NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE")


def create(region: Region, params: Params) -> Content:
    """CreateNodegroup."""
    cluster, name = region.cluster(params["clusterName"]), str(params["nodegroupName"])
    if name in cluster.nodegroups:
        raise ResourceInUseError(f"NodeGroup already exists with name {name} and cluster name {cluster.name}")
    if cluster.status not in {"ACTIVE", "UPDATING"}:
        raise InvalidRequestError(f"Cluster '{cluster.name}' is not in ACTIVE status")
    checks.role(params["nodeRole"], "ec2.amazonaws.com", "nodeRole")
    subnets = [s.id for s in checks.subnets(region.name, list(params["subnets"]), zones=1)]
    template, data = pool.user_template(region, params.get("launchTemplate"))
    version = _version(cluster, params.get("version"))
    ami_type = _ami_type(params.get("amiType"), data, version)
    types = _types(params.get("instanceTypes"), data, ami_type)
    pool.check_types(region, types, ami_type)
    if template and params.get("diskSize"):
        raise InvalidParameterError("Disk size must be specified within the launch template.")
    if template and params.get("remoteAccess"):
        raise InvalidParameterError("Remote access configuration cannot be specified with a launch template.")
    scaling = {"minSize": 1, "maxSize": 2, "desiredSize": 2, **(params.get("scalingConfig") or {})}
    _check_scaling(scaling)
    _check_taints(params.get("taints") or [])
    identifier = str(uuid.uuid4())
    content: Content = {
        "nodegroupName": name,
        "nodegroupArn": region.arn(f"nodegroup/{cluster.name}/{name}/{identifier}"),
        "clusterName": cluster.name,
        "version": version,
        "releaseVersion": params.get("releaseVersion") or release(version),
        "createdAt": now(),
        "modifiedAt": now(),
        "status": "CREATING",
        "capacityType": params.get("capacityType") or "ON_DEMAND",
        "scalingConfig": scaling,
        "instanceTypes": types,
        "subnets": subnets,
        "amiType": ami_type,
        "nodeRole": params["nodeRole"],
        "labels": dict(params.get("labels") or {}),
        "taints": [dict(t) for t in params.get("taints") or []],
        "health": {"issues": []},
        "updateConfig": dict(params.get("updateConfig") or {"maxUnavailable": 1}),
        "nodeRepairConfig": {"enabled": False, **(params.get("nodeRepairConfig") or {})},
        "tags": dict(params.get("tags") or {}),
        "resources": {"autoScalingGroups": [{"name": f"eks-{name}-{identifier}"}]},
        **({"launchTemplate": template} if template else {"diskSize": int(params.get("diskSize") or 20)}),
        **({"remoteAccess": params["remoteAccess"]} if params.get("remoteAccess") else {}),
    }
    nodegroup = Resource(content, private={"name": f"eks-{name}-{identifier}", "ready": False})
    pool.make(region, cluster, nodegroup, data)
    cluster.nodegroups[name] = nodegroup
    if (
        content["nodeRole"] not in cluster.access_entries
        and cluster.content["accessConfig"]["authenticationMode"] != "CONFIG_MAP"
    ):
        access.enter(region, cluster, content["nodeRole"], "EC2_LINUX").private["of_nodes"] = True
    return {"nodegroup": content}


def release(version: str) -> str:
    """The AMI release of a Kubernetes version."""
    return f"{catalogue.data()['versions'][version]['patch']}-20261110"


def _version(cluster: Cluster, wanted: Any) -> str:
    version = str(wanted or cluster.version)
    catalogue.check_version(version)
    if not 0 <= catalogue.minor(cluster.version) - catalogue.minor(version) <= 3:
        raise InvalidParameterError(
            f"Nodegroup version {version} is not supported by the cluster's version {cluster.version}"
        )
    return version


def _ami_type(asked: Any, data: dict[str, Any], version: str) -> str:
    if data.get("ImageId"):
        if asked not in {None, "CUSTOM"}:
            raise InvalidParameterError(
                "You cannot specify an AMI type other than CUSTOM with a launch template that has an image id."
            )
        return "CUSTOM"
    kind = str(asked or "AL2023_x86_64_STANDARD")
    if kind.startswith("AL2_") and catalogue.minor(version) > LAST_AL2:
        raise InvalidParameterError(
            f"AMI Type {kind} is only supported for kubernetes versions 1.{LAST_AL2} or earlier"
        )
    return kind


def _types(asked: Any, data: dict[str, Any], ami_type: str) -> list[str]:
    if asked and data.get("InstanceType"):
        raise InvalidParameterError(
            "Instance types cannot be specified both in the launch template and in the request."
        )
    if data.get("InstanceType"):
        return [str(data["InstanceType"])]
    return list(asked or ["t4g.medium" if pool.architecture(ami_type) == "arm64" else "t3.medium"])


def _check_scaling(scaling: Content) -> None:
    low, wanted, high = scaling["minSize"], scaling["desiredSize"], scaling["maxSize"]
    if high < 1:
        raise InvalidParameterError(f"maxSize {high} must be at least 1")
    if not 0 <= low <= wanted <= high:
        raise InvalidParameterError(
            f"scalingConfig: minSize {low}, desiredSize {wanted} and maxSize {high} must be in this order"
        )


def _check_taints(taints: list[Content]) -> None:
    for taint in taints:
        if taint.get("effect") not in EFFECTS or not taint.get("key"):
            raise InvalidParameterError(f"taint {dict(taint)} needs a key and an effect out of {', '.join(EFFECTS)}")


def find(cluster: Cluster, name: Any) -> Resource:
    """A node group of a cluster.

    Raises:
        ResourceNotFoundError: it has none of that name.
    """
    if name not in cluster.nodegroups:
        raise ResourceNotFoundError(f"No node group found for name: {name}.")
    return cluster.nodegroups[name]


def describe(region: Region, params: Params) -> Content:
    """DescribeNodegroup."""
    return {"nodegroup": find(region.cluster(params["clusterName"]), params["nodegroupName"]).content}


def list_all(region: Region, params: Params) -> Content:
    """ListNodegroups."""
    return page(list(region.cluster(params["clusterName"]).nodegroups), params, "nodegroups")


def _settled(cluster: Cluster, name: Any) -> Resource:
    nodegroup = find(cluster, name)
    if nodegroup.status not in {"ACTIVE", "DEGRADED"}:
        raise ResourceInUseError(f"Nodegroup {name} cannot be updated as it is currently in {nodegroup.status} state")
    return nodegroup


def update_config(region: Region, params: Params) -> Content:
    """UpdateNodegroupConfig."""
    cluster = region.cluster(params["clusterName"])
    nodegroup = _settled(cluster, params["nodegroupName"])
    content = nodegroup.content
    labels, taints = params.get("labels") or {}, params.get("taints") or {}
    scaling = content["scalingConfig"] | (params.get("scalingConfig") or {})
    _check_scaling(scaling)
    _check_taints(taints.get("addOrUpdateTaints") or [])
    kept = {k: v for k, v in content["labels"].items() if k not in (labels.get("removeLabels") or [])}
    gone = [(t["key"], t["effect"]) for part in ("removeTaints", "addOrUpdateTaints") for t in taints.get(part) or []]
    after = {
        "labels": kept | (labels.get("addOrUpdateLabels") or {}),
        "taints": [t for t in content["taints"] if (t["key"], t["effect"]) not in gone]
        + [dict(t) for t in taints.get("addOrUpdateTaints") or []],
        "scalingConfig": scaling,
        "updateConfig": dict(params.get("updateConfig") or content["updateConfig"]),
        "nodeRepairConfig": content["nodeRepairConfig"] | (params.get("nodeRepairConfig") or {}),
    }
    content |= after
    pool.resize(region, nodegroup)
    nodegroup.touch()
    nodegroup.enter("UPDATING")
    values = {k[0].upper() + k[1:]: v for k, v in (params.get("scalingConfig") or {}).items()}
    if labels:
        values |= {
            "LabelsToAdd": labels.get("addOrUpdateLabels") or {},
            "LabelsToRemove": labels.get("removeLabels") or [],
        }
    if taints:
        values |= {
            "TaintsToAdd": taints.get("addOrUpdateTaints") or [],
            "TaintsToRemove": taints.get("removeTaints") or [],
        }
    return {"update": start_update(cluster, "ConfigUpdate", values, of=content["nodegroupName"])}


def update_version(region: Region, params: Params) -> Content:
    """UpdateNodegroupVersion: another Kubernetes version, AMI release or launch template version.

    Without any of them the node group goes to the cluster's version, as with AWS.
    """
    cluster = region.cluster(params["clusterName"])
    nodegroup = _settled(cluster, params["nodegroupName"])
    content = nodegroup.content
    template, data = pool.user_template(region, params.get("launchTemplate") or content.get("launchTemplate"))
    if params.get("launchTemplate") and content.get("launchTemplate", {}).get("id") != (template or {}).get("id"):
        raise InvalidParameterError("A node group keeps its launch template: only the version of it can be changed")
    version = _version(cluster, params.get("version") or (content["version"] if params.get("launchTemplate") else None))
    if catalogue.minor(version) < catalogue.minor(content["version"]):
        raise InvalidParameterError(
            f"Nodegroup {content['nodegroupName']} cannot go back from {content['version']} to {version}"
        )
    after = {
        "version": version,
        "releaseVersion": params.get("releaseVersion")
        or (release(version) if version != content["version"] else content["releaseVersion"]),
    }
    if template:
        after["launchTemplate"] = template
    content |= after
    pool.roll(region, cluster, nodegroup, data)
    nodegroup.touch()
    nodegroup.enter("UPDATING")
    values = {"Version": version, "ReleaseVersion": after["releaseVersion"]}
    if template:
        values |= {"LaunchTemplateName": template["name"], "LaunchTemplateVersion": template["version"]}
    return {"update": start_update(cluster, "VersionUpdate", values, of=content["nodegroupName"])}


def delete(region: Region, params: Params) -> Content:
    """DeleteNodegroup."""
    nodegroup = find(region.cluster(params["clusterName"]), params["nodegroupName"])
    if nodegroup.status in {"DELETING", "UPDATING"}:
        raise ResourceInUseError(f"Nodegroup {params['nodegroupName']} is {nodegroup.status}")
    nodegroup.enter("DELETING")
    pool.end(region, nodegroup)
    return {"nodegroup": nodegroup.content}


def advance(region: Region, cluster: Cluster) -> None:
    """One tick of a cluster's node groups."""
    for name, nodegroup in list(cluster.nodegroups.items()):
        if nodegroup.status == "DELETING":
            if pool.group(region, nodegroup) is None:
                _remove(region, cluster, name)
            continue
        pool.observe(region, nodegroup)
        wanted = nodegroup.content["scalingConfig"]["desiredSize"]
        running = [i for i in pool.instances(region, nodegroup) if _joined(cluster, i)]
        nodegroup.private["ready"] = bool(running)
        settled = len(running) == wanted and not pool.rolling(region, nodegroup)
        busy = any(u.running and u.of == name for u in cluster.updates.values())
        if nodegroup.status in {"CREATING", "UPDATING"} and settled and not busy and nodegroup.due():
            nodegroup.enter("ACTIVE")


def _joined(cluster: Cluster, instance: Any) -> bool:
    """Whether an instance's node is Ready, where there is a control plane to ask."""
    return "plane" not in cluster.private or instance.private_dns_name in cluster.private.get("nodes", ())


def _remove(region: Region, cluster: Cluster, name: str) -> None:
    nodegroup = cluster.nodegroups.pop(name)
    pool.remove(region, nodegroup)
    role = nodegroup.content["nodeRole"]
    entry = cluster.access_entries.get(role)
    shared = any(other.content["nodeRole"] == role for other in cluster.nodegroups.values())
    if entry is not None and entry.private.get("of_nodes") and not shared:
        del cluster.access_entries[role]
