"""EBS volumes of claims, as the EBS CSI driver and its provisioner make and delete them; nothing is attached.

Tags: aws-ebs-csi-driver, docs/tagging.md, with the add-on's ``--extra-create-metadata`` and its cluster id. Followed of
a StorageClass: ``provisioner``, ``reclaimPolicy``, ``volumeBindingMode``, ``parameters.type`` and ``encrypted``.
"""

from __future__ import annotations

from botocore.exceptions import ClientError

from sandbox.kubernetes.client import Object
from sandbox.kubernetes.controllers.cluster import Cluster, deleting, finalizers, specification

DRIVER = "ebs.csi.aws.com"
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
GIBIBYTE = 1024**3
_UNITS = {"Ki": 1024, "Mi": 1024**2, "Gi": GIBIBYTE, "Ti": 1024**4, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def reconcile(cluster: Cluster) -> None:
    """One look at all claims and volumes."""
    classes = {one["metadata"]["name"]: one for one in cluster.api.list("/apis/storage.k8s.io/v1/storageclasses")}
    volumes = {one["metadata"]["name"]: one for one in cluster.api.list("/api/v1/persistentvolumes")}
    for claim in cluster.api.list("/api/v1/persistentvolumeclaims"):
        storage_class = classes.get(claim["spec"].get("storageClassName") or "")
        if storage_class and _is_due(claim, storage_class) and _name(claim) not in volumes:
            _provision(cluster, claim, storage_class)
    for volume in volumes.values():
        if volume["spec"].get("csi", {}).get("driver") == DRIVER:
            _release(cluster, volume)


def _name(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def _is_due(claim: Object, storage_class: Object) -> bool:
    if storage_class["provisioner"] != DRIVER or claim["spec"].get("volumeName") or deleting(claim):
        return False
    waits = storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
    return not waits or SELECTED_NODE in (claim["metadata"].get("annotations") or {})


def _provision(cluster: Cluster, claim: Object, storage_class: Object) -> None:
    metadata, parameters = claim["metadata"], storage_class.get("parameters") or {}
    zone = _zone(cluster, claim)
    size = max(1, -(-quantity(claim["spec"]["resources"]["requests"]["storage"]) // GIBIBYTE))
    tags = {
        **cluster.owned,
        "KubernetesCluster": cluster.name,
        "ebs.csi.aws.com/cluster": "true",
        "CSIVolumeName": _name(claim),
        "kubernetes.io/created-for/pvc/namespace": metadata["namespace"],
        "kubernetes.io/created-for/pvc/name": metadata["name"],
        "kubernetes.io/created-for/pv/name": _name(claim),
    }
    # Volumes made for this claim in an attempt whose end was not written down.
    filters = [{"Name": "tag:CSIVolumeName", "Values": [_name(claim)]}]
    known = cluster.aws("ec2").describe_volumes(Filters=filters)["Volumes"]
    made = (known or [None])[0] or cluster.aws("ec2").create_volume(
        AvailabilityZone=zone,
        Size=size,
        VolumeType=parameters.get("type", "gp3"),
        Encrypted=parameters.get("encrypted") == "true",
        TagSpecifications=specification("volume", tags),
    )
    volume = _persistent_volume(claim, storage_class, made["VolumeId"], size, zone)
    cluster.api.ensure("/api/v1/persistentvolumes", volume)


def _persistent_volume(claim: Object, storage_class: Object, volume_id: str, size: int, zone: str) -> Object:
    metadata, reclaim = claim["metadata"], storage_class.get("reclaimPolicy", "Delete")
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    terms = [{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": _name(claim),
            "annotations": {PROVISIONED_BY: DRIVER},
            "finalizers": [FINALIZER] if reclaim == "Delete" else [],
        },
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": f"{size}Gi"},
            "claimRef": {**reference, **{key: metadata[key] for key in ("namespace", "name", "uid")}},
            "csi": {"driver": DRIVER, "volumeHandle": volume_id},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
            "persistentVolumeReclaimPolicy": reclaim,
            "storageClassName": storage_class["metadata"]["name"],
        },
    }


def _zone(cluster: Cluster, claim: Object) -> str:
    """The zone of the node that the scheduler chose; without one, of the cluster's first subnet."""
    node = (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE)
    if node:
        for found in cluster.api.list("/api/v1/nodes", fieldSelector=f"metadata.name={node}"):
            if zone := (found["metadata"].get("labels") or {}).get("topology.kubernetes.io/zone"):
                return str(zone)
    [subnet] = cluster.aws("ec2").describe_subnets(SubnetIds=cluster.subnets[:1])["Subnets"]
    return str(subnet["AvailabilityZone"])


def _release(cluster: Cluster, volume: Object) -> None:
    """Delete the disk of a volume that nobody claims any more, then the volume."""
    if volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
        return
    path = f"/api/v1/persistentvolumes/{volume['metadata']['name']}"
    released = (volume.get("status") or {}).get("phase") == "Released"
    if not released and not (deleting(volume) and "kubernetes.io/pv-protection" not in finalizers(volume)):
        return
    try:
        cluster.aws("ec2").delete_volume(VolumeId=volume["spec"]["csi"]["volumeHandle"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidVolume.NotFound":
            raise
    cluster.let_go(path, volume, FINALIZER)
    if not deleting(volume):
        cluster.api.delete(path)


def quantity(text: str) -> int:
    """Bytes of a Kubernetes quantity of storage.

    Raises:
        ValueError: it is none of those that are followed: digits with Ki, Mi, Gi, Ti, k, M, G, T or nothing.
    """
    for unit, factor in _UNITS.items():
        if text.endswith(unit):
            return int(text.removesuffix(unit)) * factor
    return int(text)
