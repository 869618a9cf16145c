"""The kubeconfig of a cluster: who connects runs the aws CLI for a token."""

from collections.abc import Mapping
from typing import Any

EXEC_API = "client.authentication.k8s.io/v1beta1"
"""Version of the protocol between kubectl and a credentials plugin (Kubernetes documentation)."""


def kubeconfig(
    cluster: str, endpoint: str, authority: str, region: str, *, options: Mapping[str, str], with_profile: bool
) -> dict[str, Any]:
    """Make the kubeconfig.

    Args:
        cluster: the cluster's name.
        endpoint: its URL.
        authority: its CA's certificate, base64.
        region: its region.
        options: ``roleArn`` and ``profileName`` of ``providerCredentialOpts``.
        with_profile: whether the profile is named; the one for users is not, so that each takes his own.
    """
    arguments = ["--region", region, "eks", "get-token", "--cluster-name", cluster, "--output", "json"]
    if options.get("roleArn"):
        arguments += ["--role", options["roleArn"]]
    if with_profile and options.get("profileName"):
        arguments += ["--profile", options["profileName"]]
    environment = [{"name": "KUBERNETES_EXEC_INFO", "value": f'{{"apiVersion": "{EXEC_API}"}}'}]
    token = {"apiVersion": EXEC_API, "command": "aws", "args": arguments, "env": environment}
    return {
        "apiVersion": "v1",
        "clusters": [{"cluster": {"server": endpoint, "certificate-authority-data": authority}, "name": "kubernetes"}],
        "contexts": [{"context": {"cluster": "kubernetes", "user": "aws"}, "name": "aws"}],
        "current-context": "aws",
        "kind": "Config",
        "users": [{"name": "aws", "user": {"exec": token}}],
    }
