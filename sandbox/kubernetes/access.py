"""EKS's access policies as RBAC: what the groups that the token webhook names may do.

https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html. EKS has an authorizer of its own for
them; here they are role bindings of the groups `eks-access:<policy>` and `eks-access:<policy>:<namespace pattern>`,
which the webhook gives to a principal with that policy. Bindings are only ever added: who lost a policy has lost the
group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from sandbox.kubernetes.client import Client, Object

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMIN_VIEW = "eks-access-admin-view"
ROLES = {
    "AmazonEKSClusterAdminPolicy": "cluster-admin",
    "AmazonEKSAdminPolicy": "admin",
    "AmazonEKSEditPolicy": "edit",
    "AmazonEKSViewPolicy": "view",
    "AmazonEKSAdminViewPolicy": ADMIN_VIEW,
}
"""Policy -> cluster role; AdminView reads everything, secrets too."""


def group(policy: str, namespace: str | None = None) -> str:
    """The group of a policy, in the whole cluster or in namespaces that match a pattern."""
    return f"eks-access:{policy}" + (f":{namespace}" if namespace else "")


def _binding(kind: str, name: str, role: str, subject: str) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "timonel-sandbox"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": subject}],
    }


def prepare(client: Client) -> None:
    """The roles and bindings of policies with cluster scope."""
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ADMIN_VIEW},
        "rules": [rule],
    }
    client.ensure(f"{RBAC}/clusterroles", role)
    for policy, name in ROLES.items():
        binding = _binding("ClusterRoleBinding", f"eks-access-{policy.lower()}", name, group(policy))
        client.ensure(f"{RBAC}/clusterrolebindings", binding)


class Bindings:
    """Keeps the bindings of policies with namespace scope."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._made: set[tuple[str, str, str]] = set()

    def keep(self, grants: Iterable[tuple[str, str]]) -> None:
        """Have a binding for each (policy, namespace pattern) in every namespace that matches."""
        wanted = list(grants)
        if not wanted:
            return
        namespaces = {n["metadata"]["name"]: n["metadata"]["uid"] for n in self._client.list("/api/v1/namespaces")}
        for policy, pattern in wanted:
            for namespace in [n for n in namespaces if fnmatchcase(n, pattern)]:
                key = (namespaces[namespace], policy, pattern)
                if key not in self._made:
                    name = f"eks-access-{hashlib.sha256(f'{policy} {pattern}'.encode()).hexdigest()[:10]}"
                    binding = _binding("RoleBinding", name, ROLES[policy], group(policy, pattern))
                    self._client.ensure(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
                    self._made.add(key)
