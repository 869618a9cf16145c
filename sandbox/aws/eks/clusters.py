"""Clusters: create, describe, list, change one thing at a time, upgrade by one minor version, delete.

https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html and its neighbours. CREATING until the
control plane answers (sandbox/kubernetes), UPDATING and DELETING for `Settings.transition`. An authentication mode
only goes forward; a KMS key for secrets stays; node groups keep a cluster, and so does deletionProtection. Not
modelled: IPv6, Outposts, hybrid nodes, control plane scaling and component settings (stored), Fargate, capabilities,
insights.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from typing import Any

from sandbox.aws.eks import catalogue, checks, network
from sandbox.aws.eks.errors import InvalidParameterError, InvalidRequestError, ResourceInUseError
from sandbox.aws.eks.model import Cluster, Content, Params, Region, now, page, start_update

NAME = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}")
LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
MODES = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]
"""Authentication modes in the only direction that AWS allows."""
SERVICE_RANGES = [ipaddress.ip_network(c) for c in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
STORED = ("remoteNetworkConfig", "controlPlaneScalingConfig", "kubeApiServerConfig", "kubeSchedulerConfig")


def create(region: Region, params: Params) -> Cluster:
    """CreateCluster; the caller makes its access entry and its control plane.

    Raises:
        InvalidParameterError: a value breaks a rule.
        ResourceInUseError: the name is taken.
    """
    name = str(params["name"])
    if not NAME.fullmatch(name):
        raise InvalidParameterError(f"cluster name {name!r} must match {NAME.pattern}")
    if name in region.clusters:
        raise ResourceInUseError(f"Cluster already exists with name: {name}")
    version = str(params.get("version") or catalogue.data()["default_version"])
    catalogue.check_version(version)
    checks.role(params["roleArn"], "eks.amazonaws.com", "roleArn")
    asked = params["resourcesVpcConfig"]
    subnets = checks.subnets(region.name, asked.get("subnetIds") or [], zones=2)
    checks.security_groups(region.name, asked.get("securityGroupIds") or [])
    vpc = checks.ec2(region.name).get_vpc(subnets[0].vpc_id)
    access = params.get("accessConfig") or {}
    content: Content = {
        "name": name,
        "arn": region.arn(f"cluster/{name}"),
        "createdAt": now(),
        "version": version,
        "roleArn": params["roleArn"],
        "resourcesVpcConfig": {
            "subnetIds": [s.id for s in subnets],
            "securityGroupIds": list(asked.get("securityGroupIds") or []),
            "vpcId": subnets[0].vpc_id,
            **_endpoint(asked, {"endpointPublicAccess": True, "endpointPrivateAccess": False}),
        },
        "kubernetesNetworkConfig": _service_network(params.get("kubernetesNetworkConfig") or {}, vpc),
        "logging": _logging(params.get("logging") or {}, []),
        "status": "CREATING",
        "platformVersion": catalogue.platform_version(version),
        "tags": dict(params.get("tags") or {}),
        "health": {"issues": []},
        "accessConfig": {"authenticationMode": access.get("authenticationMode") or "CONFIG_MAP"},
        "upgradePolicy": {"supportType": "EXTENDED", **(params.get("upgradePolicy") or {})},
        "zonalShiftConfig": {"enabled": False, **(params.get("zonalShiftConfig") or {})},
        "deletionProtection": bool(params.get("deletionProtection")),
        **{key: params[key] for key in STORED if params.get(key)},
    }
    if params.get("encryptionConfig"):
        content["encryptionConfig"] = _encryption(region, params["encryptionConfig"])
    _auto_mode(content, params)
    cluster = Cluster(content)
    cluster.private["self_managed"] = params.get("bootstrapSelfManagedAddons") is not False
    cluster.private["issuer"] = f"https://oidc.eks.{region.name}.amazonaws.com/id/{secrets.token_hex(16).upper()}"
    network.make(region, cluster)
    region.clusters[name] = cluster
    return cluster


def _endpoint(asked: Params, before: Content) -> Content:
    """Who reaches the API server: what is asked over what was."""
    names = ("endpointPublicAccess", "endpointPrivateAccess")
    result: Content = {n: before[n] if asked.get(n) is None else bool(asked[n]) for n in names}
    if not any(result.values()):
        raise InvalidParameterError("Private and public endpoint access cannot be false")
    cidrs = list(asked.get("publicAccessCidrs") or before.get("publicAccessCidrs") or [])
    for cidr in cidrs:
        try:
            ipaddress.ip_network(cidr)
        except ValueError as error:
            raise InvalidParameterError(f"publicAccessCidrs: {cidr} is not a CIDR block: {error}") from error
    result["publicAccessCidrs"] = (cidrs or ["0.0.0.0/0"]) if result["endpointPublicAccess"] else []
    return result


def _service_network(asked: Params, vpc: Any) -> Content:
    """The services' range: given, else 10.100.0.0/16, or 172.20.0.0/16 where the VPC has the former."""
    if asked.get("ipFamily") == "ipv6":
        raise InvalidParameterError("the sandbox does not model ipFamily ipv6")
    blocks = [ipaddress.ip_network(a["cidr_block"]) for a in vpc.get_cidr_block_association_set()]
    ten = ipaddress.ip_network("10.0.0.0/8")
    given = asked.get("serviceIpv4Cidr")
    chosen = given or ("172.20.0.0/16" if any(b.overlaps(ten) for b in blocks) else "10.100.0.0/16")
    try:
        block = ipaddress.ip_network(chosen)
    except ValueError as error:
        raise InvalidParameterError(f"serviceIpv4Cidr {chosen} is not a CIDR block: {error}") from error
    if not any(block.subnet_of(r) for r in SERVICE_RANGES) or not 12 <= block.prefixlen <= 24:  # type: ignore[arg-type]
        raise InvalidParameterError(f"serviceIpv4Cidr {chosen} must be a private block between /24 and /12")
    if any(block.overlaps(other) for other in blocks):
        raise InvalidParameterError(f"serviceIpv4Cidr {chosen} overlaps the CIDR blocks of the VPC")
    balancing = {"enabled": bool((asked.get("elasticLoadBalancing") or {}).get("enabled"))}
    return {"serviceIpv4Cidr": str(block), "ipFamily": "ipv4", "elasticLoadBalancing": balancing}


def _logging(asked: Params, before: list[str]) -> Content:
    """Every log type, on or off: what is asked over what was on."""
    on = set(before)
    for part in asked.get("clusterLogging") or []:
        unknown = set(part.get("types") or []) - set(LOG_TYPES)
        if unknown:
            raise InvalidParameterError(f"logging: unknown types {sorted(unknown)}; known: {LOG_TYPES}")
        on = on | set(part.get("types") or []) if part.get("enabled") else on - set(part.get("types") or [])
    groups = [(True, [t for t in LOG_TYPES if t in on]), (False, [t for t in LOG_TYPES if t not in on])]
    return {"clusterLogging": [{"types": types, "enabled": enabled} for enabled, types in groups if types]}


def _enabled_types(cluster: Cluster) -> list[str]:
    return [t for part in cluster.content["logging"]["clusterLogging"] if part["enabled"] for t in part["types"]]


def _encryption(region: Region, asked: list[Content]) -> list[Content]:
    for part in asked:
        checks.key(region.name, str((part.get("provider") or {}).get("keyArn")))
        if part.get("resources") != ["secrets"]:
            raise InvalidParameterError("encryptionConfig: resources must be [secrets]")
    return [dict(part) for part in asked]


def _auto_mode(content: Content, params: Params) -> None:
    """Auto Mode is on with all its three parts or off."""
    compute, storage = params.get("computeConfig"), params.get("storageConfig")
    parts = {
        bool((compute or {}).get("enabled")),
        bool(((storage or {}).get("blockStorage") or {}).get("enabled")),
        content["kubernetesNetworkConfig"]["elasticLoadBalancing"]["enabled"],
    }
    if len(parts) > 1:
        raise InvalidParameterError(
            "For EKS Auto Mode, please ensure that all required configs, including computeConfig, "
            "kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled."
        )
    if parts == {True} and params.get("bootstrapSelfManagedAddons", False) is not False:
        raise InvalidParameterError("EKS Auto Mode needs bootstrapSelfManagedAddons to be false")
    content["computeConfig"] = dict(compute or {"enabled": False})
    content["storageConfig"] = dict(storage or {"blockStorage": {"enabled": False}})


def auto_mode(cluster: Cluster) -> bool:
    """Whether EKS itself brings nodes."""
    return bool(cluster.content["computeConfig"].get("enabled"))


def describe(region: Region, params: Params) -> Content:
    """DescribeCluster."""
    return {"cluster": region.cluster(params["name"]).content}


def list_all(region: Region, params: Params) -> Content:
    """ListClusters."""
    return page(list(region.clusters), params, "clusters")


def delete(region: Region, params: Params) -> Content:
    """DeleteCluster."""
    cluster = region.cluster(params["name"])
    if cluster.content["deletionProtection"]:
        raise InvalidRequestError(
            f"Cluster {cluster.name} has deletionProtection enabled: disable it before you delete it"
        )
    if cluster.nodegroups:
        raise ResourceInUseError(f"Cluster has nodegroups attached: {', '.join(cluster.nodegroups)}")
    if cluster.status in {"UPDATING", "CREATING", "DELETING"}:
        raise ResourceInUseError(f"Cluster {cluster.name} has an operation in progress: it is {cluster.status}")
    cluster.enter("DELETING")
    return {"cluster": cluster.content}


def update_version(region: Region, params: Params) -> Content:
    """UpdateClusterVersion: to the next minor version."""
    cluster, wanted = region.cluster(params["name"]), str(params["version"])
    catalogue.check_version(wanted)
    cluster.must_be_active()
    if catalogue.minor(wanted) != catalogue.minor(cluster.version) + 1:
        raise InvalidParameterError(f"Unsupported Kubernetes minor version update from {cluster.version} to {wanted}")
    old = [
        n
        for n, group in cluster.nodegroups.items()
        if catalogue.minor(wanted) - catalogue.minor(group.content["version"]) > 3  # Kubernetes' version skew policy
    ]
    if old:
        raise InvalidRequestError(
            f"Nodegroups {', '.join(old)} must be updated before the cluster is updated to {wanted}"
        )

    def apply() -> None:
        cluster.content |= {"version": wanted, "platformVersion": catalogue.platform_version(wanted)}

    cluster.enter("UPDATING")
    values = {"Version": wanted, "PlatformVersion": catalogue.platform_version(wanted)}
    return {"update": start_update(cluster, "VersionUpdate", values, apply)}


def associate_encryption(region: Region, params: Params) -> Content:
    """AssociateEncryptionConfig: a key for secrets, once and for good."""
    cluster = region.cluster(params["clusterName"])
    cluster.must_be_active()
    if cluster.content.get("encryptionConfig"):
        raise InvalidRequestError(f"Encryption config is already associated with cluster {cluster.name}")
    asked = _encryption(region, params["encryptionConfig"])
    cluster.enter("UPDATING")
    change = start_update(
        cluster,
        "AssociateEncryptionConfig",
        {"EncryptionConfig": asked},
        lambda: cluster.content.update(encryptionConfig=asked),
    )
    return {"update": change}


def update_config(region: Region, params: Params) -> Content:
    """UpdateClusterConfig: one kind of change at a time."""
    cluster = region.cluster(params["name"])
    auto = {
        k: params[k] for k in ("computeConfig", "kubernetesNetworkConfig", "storageConfig") if params.get(k) is not None
    }
    asked = [n for n in _CHANGES if params.get(n) is not None]
    vpc = params.get("resourcesVpcConfig") or {}
    if len(asked) + bool(auto) != 1:
        raise InvalidParameterError("Only one type of update can be allowed.")
    if {"subnetIds", "securityGroupIds"} & set(vpc) and {
        "endpointPublicAccess",
        "endpointPrivateAccess",
        "publicAccessCidrs",
    } & set(vpc):
        raise InvalidParameterError("Only one type of update can be allowed.")
    cluster.must_be_active()
    if auto:
        kind, values, after = _change_auto_mode(cluster, auto)
    else:
        kind, values, after = _CHANGES[asked[0]](region, cluster, params[asked[0]])

    def apply() -> None:
        cluster.content |= after
        if kind == "VpcConfigUpdate":
            network.attach(region, cluster)

    cluster.enter("UPDATING")
    return {"update": start_update(cluster, kind, values, apply)}


_Change = tuple[str, Content, Content]
"""Update type, its parameters, what the cluster's content becomes."""


def _change_vpc(region: Region, cluster: Cluster, asked: Params) -> _Change:
    before = cluster.content["resourcesVpcConfig"]
    if "subnetIds" in asked or "securityGroupIds" in asked:
        subnets = [s.id for s in checks.subnets(region.name, asked.get("subnetIds") or before["subnetIds"], zones=2)]
        groups = (
            list(asked["securityGroupIds"]) if asked.get("securityGroupIds") is not None else before["securityGroupIds"]
        )
        checks.security_groups(region.name, groups)
        after = before | {"subnetIds": subnets, "securityGroupIds": groups}
        return "VpcConfigUpdate", {"Subnets": subnets, "SecurityGroups": groups}, {"resourcesVpcConfig": after}
    after = before | _endpoint(asked, before)
    if after == before:
        raise InvalidParameterError("Cluster is already at the desired configuration with the endpoint access given")
    values = {
        k[0].upper() + k[1:]: after[k] for k in ("endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs")
    }
    return "EndpointAccessUpdate", values, {"resourcesVpcConfig": after}


def _change_logging(region: Region, cluster: Cluster, asked: Params) -> _Change:
    after = _logging(asked, _enabled_types(cluster))
    if after == cluster.content["logging"]:
        raise InvalidParameterError("No changes needed for the logging config provided")
    return "LoggingUpdate", {"ClusterLogging": after["clusterLogging"]}, {"logging": after}


def _change_access(region: Region, cluster: Cluster, asked: Params) -> _Change:
    before, wanted = cluster.content["accessConfig"]["authenticationMode"], str(asked.get("authenticationMode"))
    if wanted not in MODES or MODES.index(wanted) <= MODES.index(before):
        raise InvalidParameterError(f"Unsupported authentication mode update from {before} to {wanted}")
    after = {"accessConfig": cluster.content["accessConfig"] | {"authenticationMode": wanted}}
    return "AccessConfigUpdate", {"AuthenticationMode": wanted}, after


def _change_policy(region: Region, cluster: Cluster, asked: Params) -> _Change:
    if asked.get("supportType") == "STANDARD" and catalogue.status(cluster.version) == "EXTENDED_SUPPORT":
        raise InvalidRequestError(
            f"Kubernetes {cluster.version} is in extended support: update it before STANDARD is set"
        )
    return "UpgradePolicyUpdate", {"UpgradePolicy": dict(asked)}, {"upgradePolicy": dict(asked)}


def _change_shift(region: Region, cluster: Cluster, asked: Params) -> _Change:
    return "ZonalShiftConfigUpdate", {"ZonalShiftConfig": dict(asked)}, {"zonalShiftConfig": dict(asked)}


def _change_protection(region: Region, cluster: Cluster, asked: bool) -> _Change:
    return "DeletionProtectionUpdate", {"DeletionProtection": asked}, {"deletionProtection": bool(asked)}


def _change_remote(region: Region, cluster: Cluster, asked: Params) -> _Change:
    return "RemoteNetworkConfigUpdate", {"RemoteNetworkConfig": dict(asked)}, {"remoteNetworkConfig": dict(asked)}


def _change_auto_mode(cluster: Cluster, asked: Content) -> _Change:
    network_now = cluster.content["kubernetesNetworkConfig"]
    balancing = (asked.get("kubernetesNetworkConfig") or {}).get("elasticLoadBalancing")
    after = {"kubernetesNetworkConfig": network_now | ({"elasticLoadBalancing": balancing} if balancing else {})}
    given = {
        "computeConfig": asked.get("computeConfig") or cluster.content["computeConfig"],
        "storageConfig": asked.get("storageConfig") or cluster.content["storageConfig"],
    }
    _auto_mode(after, given)
    return "AutoModeUpdate", {k[0].upper() + k[1:]: v for k, v in asked.items()}, after


_CHANGES: dict[str, Any] = {
    "resourcesVpcConfig": _change_vpc,
    "logging": _change_logging,
    "accessConfig": _change_access,
    "upgradePolicy": _change_policy,
    "zonalShiftConfig": _change_shift,
    "deletionProtection": _change_protection,
    "remoteNetworkConfig": _change_remote,
}
