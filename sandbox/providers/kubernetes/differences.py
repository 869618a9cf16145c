"""What changed between two versions of an object, and what of it the API cannot change in place."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.providers import values
from sandbox.providers.kubernetes.objects import same

IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "CSIDriver": ("spec.attachRequired", "spec.fsGroupPolicy"),
    "ClusterRoleBinding": ("roleRef",),
    "CustomResourceDefinition": ("spec.scope", "spec.group", "spec.names.kind", "spec.names.plural"),
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "IngressClass": ("spec.controller",),
    "Job": ("spec.selector", "spec.template", "spec.completionMode"),
    "PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeMode",
        "spec.volumeName",
    ),
    "PriorityClass": ("value", "preemptionPolicy"),
    "ReplicaSet": ("spec.selector",),
    "RoleBinding": ("roleRef",),
    "RuntimeClass": ("handler",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.clusterIPs"),
    "StatefulSet": ("spec.podManagementPolicy", "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
"""Fields that the API refuses to change (Kubernetes' API reference and validation), by kind."""
FIXED = ("immutable", "updates to", "may not be changed", "cannot be changed")
"""Words by which the API refuses to change a field."""
IDENTITY = ("apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.generateName")


def changes(old: Any, new: Any, path: str = "") -> list[tuple[str, str]]:
    """Give changed fields as (path, add | delete | update); lists are compared as wholes."""
    found: list[tuple[str, str]] = []
    for name in sorted(set(old) | set(new)):
        if not path and name.startswith("__"):
            continue
        inner = _inside(path, name)
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += changes(before, after, inner)
        elif not equal(before, after):
            found.append((inner, "add" if before is None else "delete" if after is None else "update"))
    return found


def _inside(path: str, name: str) -> str:
    """A path as the engine reads it: names with dots or slashes, as labels have them, are quoted."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def top(path: str) -> str:
    """The path's first name."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values mean the same."""
    if values.contains_unknown(other):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return not changes(one, other, "inside")
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return same(one, other) or (_nothing(one) and _nothing(other))


def _nothing(value: Any) -> bool:
    return value is None or value in ([], {})


def replaces(kind: str, path: str) -> bool:
    """Tell whether a changed field means another object."""
    fixed = (*IDENTITY, *IMMUTABLE.get(kind, ()))
    return any(path == item or path.startswith((f"{item}.", f"{item}[")) for item in fixed)
