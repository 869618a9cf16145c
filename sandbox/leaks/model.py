"""What the listers find, and in which of three classes it falls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

STACK_TAG = "timonel:stack"
KEEP_TAG = "timonel:keep"
"""A resource with this tag (any value but "false") is kept by policy: somebody meant it to outlive the stack."""

CLUSTER_PREFIX = "kubernetes.io/cluster/"
CLUSTER_TAGS = (
    "elbv2.k8s.aws/cluster",
    "cluster.k8s.amazonaws.com/name",
    "aws:eks:cluster-name",
    "eks:eks-cluster-name",
    "eks:cluster-name",
    "KubernetesCluster",
)
"""Tags whose value names an EKS cluster: of the AWS Load Balancer Controller, the VPC CNI, EKS, and the CSI driver."""

Client = Callable[[str], Any]
"""Service name -> boto3 client."""


class Class(StrEnum):
    """The three classes of what is left."""

    LEFT_BEHIND = "left behind"
    ENDING = "ending by itself"
    KEPT = "kept by policy"


@dataclass(frozen=True)
class Finding:
    """One resource.

    Attributes:
        kind: as the table in docs/sandbox.md calls it ("vpc").
        id: AWS's id, name or ARN.
        tags: all of them.
        region: where; "global" for IAM.
        ends: when it ends by itself, if AWS says; with `ending`, None means "soon".
        ending: whether it ends by itself.
        note: for people.
        vpc: id of the VPC that it lies in, if it lies in one.
        group_made: whether an Auto Scaling group made it (many share one name).
    """

    kind: str
    id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    region: str = ""
    ends: datetime | None = None
    ending: bool = False
    note: str = ""
    vpc: str = ""
    group_made: bool = False

    @property
    def name(self) -> str:
        """The Name tag."""
        return self.tags.get("Name", "")

    @property
    def stack(self) -> str:
        """The stack that it is tagged with."""
        return self.tags.get(STACK_TAG, "")

    @property
    def cluster(self) -> str:
        """The EKS cluster whose controllers made it, by the tags that they set (docs/eks-teardown.md)."""
        named = next((self.tags[key] for key in CLUSTER_TAGS if key in self.tags), "")
        owned = (k.removeprefix(CLUSTER_PREFIX) for k, v in self.tags.items() if k.startswith(CLUSTER_PREFIX))
        return named or next((name for name in owned if self.tags[CLUSTER_PREFIX + name] == "owned"), "")

    @property
    def klass(self) -> Class:
        """Its class. What ends by itself is not kept, whatever its tags say."""
        if self.ending or self.ends is not None:
            return Class.ENDING
        kept = self.tags.get(KEEP_TAG)
        return Class.KEPT if kept is not None and kept.lower() != "false" else Class.LEFT_BEHIND

    def noted(self, note: str) -> Finding:
        """The same with one more note."""
        return replace(self, note=f"{self.note}; {note}" if self.note else note)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "class": str(self.klass),
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "stack": self.stack,
            "region": self.region,
            "ends": self.ends.isoformat() if self.ends else None,
            "note": self.note,
            "tags": dict(self.tags),
        }


def tags_of(items: Any, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """A tag list of AWS's as a mapping; nothing for None."""
    return {tag[key]: tag[value] for tag in items or []}


def pages(client: Any, operation: str, result: str, **arguments: Any) -> Iterator[Any]:
    """Every item of a paginated (or unpaginated) call."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(result) or []
    else:
        yield from getattr(client, operation)(**arguments).get(result) or []
