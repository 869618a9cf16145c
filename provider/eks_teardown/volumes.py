"""EBS volumes and snapshots of the cluster: deleted if their PersistentVolume said so, else kept, tagged, named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provider.aws import error_code
from provider.eks_teardown.decide import Kept
from provider.eks_teardown.owned import DOOMED, KEEP, STACK, Owner, tags_of
from provider.eks_teardown.report import Report

TAG_VALUE_LIMIT = 256
"""Source: EC2 User Guide, "Tag restrictions"."""
UNSEEN = "no PersistentVolume said whether it may go"
"""Found by its tags only: the API server was dead, or the object was deleted and the volume retained by that."""


def existing(owner: Owner, ec2: Any, more: Iterable[str] = ()) -> dict[str, Mapping[str, Any]]:
    """Volumes by id: those with the cluster's tags, and those with the ids ``more`` that still exist."""
    found: dict[str, Mapping[str, Any]] = {}
    for key in (f"kubernetes.io/cluster/{owner.cluster}", "KubernetesCluster", "eks:eks-cluster-name"):
        pages = ec2.get_paginator("describe_volumes").paginate(Filters=[{"Name": "tag-key", "Values": [key]}])
        tagged = (volume for page in pages for volume in page["Volumes"])
        found |= {volume["VolumeId"]: volume for volume in tagged if owner.owns_volume(tags_of(volume["Tags"]))}
    wanted = sorted(set(more) - found.keys())
    if wanted:
        # A filter, since naming an id that is gone makes the whole call fail.
        pages = ec2.get_paginator("describe_volumes").paginate(Filters=[{"Name": "volume-id", "Values": wanted}])
        found |= {v["VolumeId"]: v for page in pages for v in page["Volumes"]}
    return {
        identifier: volume for identifier, volume in found.items() if volume["State"] not in {"deleting", "deleted"}
    }


def settle(owner: Owner, ec2: Any, kept: Iterable[Kept], doomed: Mapping[str, str], report: Report) -> None:
    """Delete what is doomed, keep everything else.

    Args:
        owner: the cluster.
        ec2: client.
        kept: volumes that a policy keeps, with the reason.
        doomed: ids of volumes whose PersistentVolume says Delete, with its name. One that a node still holds is marked
            for the last sweep.
        report: takes what happens.
    """
    reasons = {one.volume_id: one for one in kept}
    stack = _stack_tag(owner, ec2)
    for identifier, volume in sorted(existing(owner, ec2, [*reasons, *doomed]).items()):
        tags = tags_of(volume.get("Tags"))
        one = reasons.get(identifier)
        name = one.persistent_volume.name if one and one.persistent_volume else doomed.get(identifier)
        if not (owner.owns_volume(tags) or tags.get("CSIVolumeName") == name):
            # Whoever may write PersistentVolumes could name any disk of the account there.
            report.leave(_label(volume), f"PersistentVolume {name} names it, but it has no tag of the cluster")
        elif is_kept(tags) or (identifier not in doomed and DOOMED not in tags):
            reason = one.reason if one else tags.get(KEEP, UNSEEN)
            _keep(ec2, identifier, reason, stack, tags)
            report.keep(_label(volume, one), reason)
        elif identifier in doomed:
            _delete(ec2, volume, report)


def delete_marked(owner: Owner, ec2: Any, report: Report) -> list[str]:
    """Delete the volumes that an earlier :func:`settle` could not. Returns those that are still attached."""
    waiting = []
    for volume in existing(owner, ec2).values():
        if DOOMED in tags_of(volume.get("Tags")) and not _delete(ec2, volume, report):
            waiting.append(_label(volume))
    return waiting


def keep_snapshots(owner: Owner, ec2: Any, report: Report) -> None:
    """Snapshots of VolumeSnapshots are backups: nothing here deletes one."""
    stack = _stack_tag(owner, ec2)
    reason = "a snapshot is a backup"
    for page in ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"]):
        for snapshot in page["Snapshots"]:
            tags = tags_of(snapshot.get("Tags"))
            if owner.owns_volume(tags):
                _keep(ec2, snapshot["SnapshotId"], reason, stack, tags)
                report.keep(f"snapshot {snapshot['SnapshotId']} ({snapshot['VolumeSize']} GiB)", reason)


def undecided(owner: Owner, ec2: Any, ids: Iterable[str]) -> list[str]:
    """Labels of the volumes for which nobody has decided yet (no ``timonel:keep``)."""
    there = existing(owner, ec2, ids)
    return [_label(volume) for _, volume in sorted(there.items()) if not is_kept(tags_of(volume.get("Tags")))]


def is_kept(tags: Mapping[str, str]) -> bool:
    """Whether somebody decided already that it outlives the cluster: ``timonel:keep`` with any value but false."""
    return tags.get(KEEP, "false").lower() != "false"


def _delete(ec2: Any, volume: Mapping[str, Any], report: Report) -> bool:
    """Whether it is gone."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    label = _label(volume)
    try:
        ec2.delete_volume(VolumeId=volume["VolumeId"])
    except ClientError as error:
        code = error_code(error)
        if code == "InvalidVolume.NotFound":
            return True
        if code == "VolumeInUse" and DOOMED not in tags_of(volume.get("Tags")):
            ec2.create_tags(Resources=[volume["VolumeId"]], Tags=[{"Key": DOOMED, "Value": "true"}])
        report.leave(label, str(error))
        return False
    report.remove(label)
    return True


def _keep(ec2: Any, identifier: str, reason: str, stack: str | None, present: Mapping[str, str]) -> None:
    wanted = {KEEP: reason[:TAG_VALUE_LIMIT]} | ({STACK: stack} if stack else {})
    missing = [{"Key": key, "Value": value} for key, value in wanted.items() if key not in present]
    if missing:
        ec2.create_tags(Resources=[identifier], Tags=missing)


def _stack_tag(owner: Owner, ec2: Any) -> str | None:
    """The stack of the cluster's VPC, so that what is kept names the stack that it came from."""
    found = ec2.describe_vpcs(Filters=[{"Name": "vpc-id", "Values": [owner.vpc_id]}])["Vpcs"]
    return tags_of(found[0].get("Tags")).get(STACK) if found else None


def _label(volume: Mapping[str, Any], kept: Kept | None = None) -> str:
    """``volume vol-1 (8 GiB, eu-west-1a, claim shop/data)``."""
    tags = tags_of(volume.get("Tags"))
    claim = "/".join(tags.get(f"kubernetes.io/created-for/pvc/{part}", "") for part in ("namespace", "name")).strip("/")
    if kept and kept.persistent_volume:
        reference = kept.persistent_volume.spec.get("claimRef") or {}
        claim = claim or f"{reference.get('namespace', '')}/{reference.get('name', '')}".strip("/")
    about = [f"{volume['Size']} GiB", volume["AvailabilityZone"], claim and f"claim {claim}"]
    return f"volume {volume['VolumeId']} ({', '.join(part for part in about if part)})"
