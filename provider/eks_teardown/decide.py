"""What goes, what stays and what is waited for inside the cluster: pure judgements on its objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provider.eks_teardown.objects import Thing

EBS_DRIVERS = frozenset({"ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com"})
"""The EBS CSI driver as an add-on, and Auto Mode's own. Source: EKS User Guide, "Create a storage class"."""
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
"""On volumes that a provisioner made. Source: Kubernetes, Well-Known Labels, Annotations and Taints."""
AUTO_MODE_GROUP = "eks.amazonaws.com"
"""API group of Auto Mode's NodeClass; EKS ends its nodes with the cluster."""

CLOUD_FINALIZERS = frozenset(
    {
        "service.kubernetes.io/load-balancer-cleanup",
        "service.k8s.aws/resources",
        "service.eks.amazonaws.com/resources",
        "ingress.k8s.aws/resources",
        "gateway.k8s.aws/alb",
        "gateway.k8s.aws/nlb",
        "elbv2.k8s.aws/resources",
        "external-provisioner.volume.kubernetes.io/finalizer",
        "karpenter.sh/termination",
    }
)
"""Finalizers that stand for a thing in AWS: of the cloud controller manager, the AWS Load Balancer Controller, Auto
Mode's, the CSI provisioner and Karpenter. All others (pvc-protection, an operator's own) are never taken off."""
PROTECTION = frozenset({"kubernetes.io/pv-protection", "kubernetes.io/pvc-protection"})
"""Finalizers that Kubernetes' own controllers take off as soon as nothing uses the object."""
_GROUP_FINALIZER = "group.ingress.k8s.aws/"
"""Prefix of the load balancer controller's finalizer for an IngressGroup."""


def blocking_webhooks(configurations: Iterable[Thing]) -> list[Thing]:
    """Webhook configurations that can refuse or hang the deletes and the finalizers' updates.

    Those served from inside the cluster, in any namespace: a dead one blocks every request that it intercepts (and its
    pods go before the cluster does), a live policy engine may deny deletes. Those with a URL are AWS's own beside the
    API server (pod identity, VPC resources) or outside the cluster, and live on. One that sees creations only stays.
    """
    return [configuration for configuration in configurations if any(map(_blocks, _webhooks(configuration)))]


def _webhooks(configuration: Thing) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = configuration.content.get("webhooks") or []
    return found


def _blocks(webhook: Mapping[str, Any]) -> bool:
    operations = {op for rule in webhook.get("rules") or [] for op in rule.get("operations") or []}
    return "service" in webhook["clientConfig"] and bool(operations & {"UPDATE", "DELETE", "*"})


def exposed(services: Iterable[Thing], ingresses: Iterable[Thing], gateways: Iterable[Thing]) -> list[Thing]:
    """Objects for which a controller may have made a load balancer (and, with ExternalDNS, records).

    All Ingresses and Gateways, whatever their class: which controller served one is not written on it for sure, and
    none is of use once the cluster goes.
    """
    balanced = [service for service in services if service.spec.get("type") == "LoadBalancer"]
    return [*balanced, *ingresses, *gateways]


@dataclass(frozen=True)
class Kept:
    """An EBS volume that outlives the cluster."""

    volume_id: str
    reason: str
    persistent_volume: Thing | None = None


@dataclass(frozen=True)
class Storage:
    """What becomes of the cluster's volumes."""

    delete: list[Thing] = field(default_factory=list)
    """Claims and unbound volumes to delete now."""
    wait: list[Thing] = field(default_factory=list)
    """Volumes that their provisioner deletes once their claim is gone."""
    kept: list[Kept] = field(default_factory=list)
    secure: list[Thing] = field(default_factory=list)
    """Volumes whose reclaim policy must become Retain, so that nothing deletes them while the cluster ends."""
    foreign: list[Thing] = field(default_factory=list)
    """Volumes that are not EBS volumes made by the cluster; not touched."""


def judge_storage(volumes: Iterable[Thing], claims: Iterable[Thing], policy: str) -> Storage:
    """Sort volumes and claims.

    Args:
        volumes: every PersistentVolume.
        claims: every PersistentVolumeClaim.
        policy: ``delete``: what its own reclaim policy lets go; ``retain`` (and ``fail``, which never comes to act):
            everything stays.
    """
    verdict = Storage()
    for volume in volumes:
        if not is_provisioned_ebs(volume):
            verdict.foreign.append(volume)
        elif volume.spec.get("persistentVolumeReclaimPolicy") != "Delete":
            verdict.kept.append(Kept(volume_id(volume), "its PersistentVolume says Retain", volume))
        elif policy != "delete":
            verdict.kept.append(Kept(volume_id(volume), f"volumes is {policy}", volume))
            verdict.secure.append(volume)
        elif volume.content.get("status", {}).get("phase") in {"Available", "Failed"}:
            # No claim whose end would set the provisioner to work.
            verdict.delete.append(volume)
        else:
            verdict.wait.append(volume)
    if policy == "delete":
        going = {(v.spec.get("claimRef") or {}).get("uid") for v in verdict.wait}
        verdict.delete.extend(c for c in claims if c.metadata.get("uid") in going or not c.spec.get("volumeName"))
    return verdict


def is_provisioned_ebs(volume: Thing) -> bool:
    """Whether a provisioner made it in EBS. One written by hand names a disk that the cluster never owned."""
    csi = volume.spec.get("csi") or {}
    return csi.get("driver") in EBS_DRIVERS and PROVISIONED_BY in (volume.metadata.get("annotations") or {})


def volume_id(volume: Thing) -> str:
    """EC2's id of the disk behind a PersistentVolume of EBS."""
    return str(volume.spec["csi"]["volumeHandle"])


def users_of(claims: Iterable[Thing], pods: Iterable[Thing]) -> list[Thing]:
    """Pods that mount one of the claims, which stay until the pods are gone (``kubernetes.io/pvc-protection``)."""
    wanted = {(claim.namespace, claim.name) for claim in claims}
    return [pod for pod in pods if any((pod.namespace, name) in wanted for name in _claim_names(pod))]


def _claim_names(pod: Thing) -> list[str]:
    names = []
    for volume in pod.spec.get("volumes") or []:
        if "persistentVolumeClaim" in volume:
            names.append(str(volume["persistentVolumeClaim"]["claimName"]))
        elif "ephemeral" in volume:
            # Kubernetes, Ephemeral Volumes: the claim's name is the pod's, a hyphen, the volume's.
            names.append(f"{pod.name}-{volume['name']}")
    return names


def karpenter_pools(pools: Iterable[Thing]) -> list[Thing]:
    """NodePools of Karpenter; Auto Mode's are of the same kind, and EKS itself ends their nodes with the cluster."""
    return [pool for pool in pools if _class_group(pool.spec.get("template", {}).get("spec", {})) != AUTO_MODE_GROUP]


def karpenter_claims(claims: Iterable[Thing]) -> list[Thing]:
    """The same for NodeClaims."""
    return [claim for claim in claims if _class_group(claim.spec) != AUTO_MODE_GROUP]


def _class_group(spec: Mapping[str, Any]) -> str:
    return str((spec.get("nodeClassRef") or {}).get("group", ""))


def finalizers_left(thing: Thing) -> list[str]:
    """Its finalizers without those that stand for a thing in AWS."""
    return [name for name in thing.finalizers if name not in CLOUD_FINALIZERS and not name.startswith(_GROUP_FINALIZER)]
