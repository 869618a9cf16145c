"""Which things in AWS are the cluster's own: pure judgements on their tags, as AWS's controllers set them.

Sources: cloud-provider-aws (``kubernetes.io/cluster``), AWS Load Balancer Controller (``elbv2.k8s.aws/cluster``),
amazon-vpc-cni-k8s (``cluster.k8s.amazonaws.com/name``), aws-ebs-csi-driver (docs/tagging.md), EKS User Guide (Auto
Mode's ``eks:eks-cluster-name``, the cluster security group's ``aws:eks:cluster-name``), Karpenter (docs, "Tags").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEEP = "timonel:keep"
"""``sandbox leaks`` lists what carries it as kept by policy."""
DOOMED = "timonel:delete-after-cluster"
"""Marks a volume whose deletion was decided while a node still held it; the last sweep deletes it."""
STACK = "timonel:stack"

Tags = Mapping[str, str]


def tags_of(items: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """A tag list of AWS's as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in items or []}


@dataclass(frozen=True)
class Owner:
    """The cluster whose things are looked for."""

    cluster: str
    vpc_id: str

    def _owns(self, tags: Tags) -> bool:
        # The value "shared" marks what several clusters use, such as subnets: never the cluster's own.
        return tags.get(f"kubernetes.io/cluster/{self.cluster}") == "owned"

    def owns_balancer(self, tags: Tags) -> bool:
        """A load balancer or target group of a Service, Ingress or Gateway."""
        return (
            self._owns(tags)
            or tags.get("elbv2.k8s.aws/cluster") == self.cluster
            or tags.get("eks:eks-cluster-name") == self.cluster
        )

    def owns_balancer_group(self, name: str, tags: Tags) -> bool:
        """A load balancer's security group.

        The nodes' groups carry the same ``kubernetes.io/cluster`` tag and are Pulumi's, so with that tag alone only the
        cloud controller manager's names (``k8s-elb-…``) count.
        """
        if "aws:eks:cluster-name" in tags:
            return False
        return (
            tags.get("elbv2.k8s.aws/cluster") == self.cluster
            or (self._owns(tags) and name.startswith("k8s-elb-"))
            or (tags.get("eks:eks-cluster-name") == self.cluster and name.startswith("k8s-"))
        )

    def owns_cluster_group(self, tags: Tags) -> bool:
        """The security group that EKS makes for the cluster, and leaves when an interface still uses it."""
        return tags.get("aws:eks:cluster-name") == self.cluster

    def owns_volume(self, tags: Tags) -> bool:
        """A volume or snapshot of a CSI driver. A node's root disk has the cluster's tag, but not the driver's."""
        marks = {"ebs.csi.aws.com/cluster", "CSIVolumeName", "CSIVolumeSnapshotName"}
        named = (
            self._owns(tags)
            or tags.get("KubernetesCluster") == self.cluster
            or tags.get("eks:eks-cluster-name") == self.cluster
        )
        return bool(marks & tags.keys()) and named

    def owns_interface(self, tags: Tags, group_ids: Iterable[str], cluster_groups: Iterable[str]) -> bool:
        """An interface of the VPC CNI.

        Old versions of it tag no cluster name, only the instance; then one of the cluster's own security groups on it
        is the proof.
        """
        named = tags.get("cluster.k8s.amazonaws.com/name") or tags.get("eks:eks-cluster-name")
        if named:
            return named == self.cluster
        if self._owns(tags):
            return True
        return "node.k8s.amazonaws.com/instance_id" in tags and bool(set(group_ids) & set(cluster_groups))

    def owns_node(self, tags: Tags) -> bool:
        """An instance that Karpenter launched; those of node groups go with their groups."""
        return "karpenter.sh/nodepool" in tags and (
            self._owns(tags) or tags.get("eks:eks-cluster-name") == self.cluster
        )

    def owns_template(self, tags: Tags) -> bool:
        """A launch template of Karpenter."""
        return tags.get("karpenter.k8s.aws/cluster") == self.cluster or (
            "karpenter.k8s.aws/ec2nodeclass" in tags and tags.get("eks:eks-cluster-name") == self.cluster
        )

    @property
    def log_group(self) -> str:
        """Where the control plane logs. Source: EKS User Guide, "Send control plane logs to CloudWatch Logs"."""
        return f"/aws/eks/{self.cluster}/cluster"


def is_remade(tags: Tags) -> bool:
    """Whether a log group is one that EKS made again: it has no tags, where the stack's own has the stack's."""
    return not tags


def rules_referring(groups: Iterable[Mapping[str, Any]], doomed: str) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """The rules that keep security group ``doomed`` from being deleted.

    Args:
        groups: as DescribeSecurityGroups gives them.
        doomed: id of the group to delete.

    Returns:
        (id of the group with the rules, ``ingress`` or ``egress``, the permissions to revoke, narrowed to ``doomed``).
    """
    found = []
    for group in groups:
        for direction, key in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
            narrowed = [n for p in group.get(key) or [] if (n := _narrowed(p, doomed))]
            if narrowed:
                found.append((str(group["GroupId"]), direction, narrowed))
    return found


def _narrowed(permission: Mapping[str, Any], doomed: str) -> dict[str, Any] | None:
    pairs: Sequence[Mapping[str, Any]] = permission.get("UserIdGroupPairs") or []
    own = [{"GroupId": doomed} for pair in pairs if pair.get("GroupId") == doomed]
    if not own:
        return None
    ports = {key: permission[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in permission}
    return {**ports, "UserIdGroupPairs": own[:1]}
