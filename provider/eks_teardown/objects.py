"""Kubernetes objects as the teardown sees them, and where the API serves their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of object; its version is asked of the API server, since CRDs change theirs."""

    name: str
    plural: str
    group: str = ""
    """Empty for the core group."""


SERVICE = Kind("Service", "services")
INGRESS = Kind("Ingress", "ingresses", "networking.k8s.io")
GATEWAY = Kind("Gateway", "gateways", "gateway.networking.k8s.io")
POD = Kind("Pod", "pods")
CLAIM = Kind("PersistentVolumeClaim", "persistentvolumeclaims")
VOLUME = Kind("PersistentVolume", "persistentvolumes")
VALIDATING = Kind("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "admissionregistration.k8s.io")
MUTATING = Kind("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "admissionregistration.k8s.io")
NODE_POOL = Kind("NodePool", "nodepools", "karpenter.sh")
NODE_CLAIM = Kind("NodeClaim", "nodeclaims", "karpenter.sh")
NODE_CLASS = Kind("EC2NodeClass", "ec2nodeclasses", "karpenter.k8s.aws")


@dataclass(frozen=True)
class Thing:
    """One object with its kind: the items of a list do not name theirs."""

    kind: Kind
    content: Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its metadata."""
        found: Mapping[str, Any] = self.content["metadata"]
        return found

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        """Its namespace; empty for cluster-wide kinds."""
        return str(self.metadata.get("namespace", ""))

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec; empty where the kind has none."""
        found: Mapping[str, Any] = self.content.get("spec") or {}
        return found

    @property
    def deleting(self) -> bool:
        """Whether it waits for its finalizers only."""
        return "deletionTimestamp" in self.metadata

    @property
    def finalizers(self) -> list[str]:
        """Who must still let go of it."""
        return list(self.metadata.get("finalizers") or [])

    @property
    def label(self) -> str:
        """As reports call it: ``Service shop/web``."""
        return f"{self.kind.name} {self.namespace + '/' if self.namespace else ''}{self.name}"
