"""A kubeconfig that holds no token: ``aws eks get-token`` makes one from the caller's own credentials. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Api:
    """Where a cluster's API is."""

    server: str
    """``https://HOST``."""
    authority: str
    """Certificate of the authority that signed the API's, PEM in base64."""


def api_of(kubeconfig: Mapping[str, Any] | str) -> Api:
    """The API that another kubeconfig (as an object or as JSON) names first."""
    document: Mapping[str, Any] = json.loads(kubeconfig) if isinstance(kubeconfig, str) else kubeconfig
    cluster = document["clusters"][0]["cluster"]
    return Api(server=cluster["server"], authority=cluster["certificate-authority-data"])


def render(*, cluster: str, region: str, api: Api, profile: str | None = None, role_arn: str | None = None) -> str:
    """The kubeconfig as JSON, which is YAML too.

    Args:
        cluster: name of the cluster in AWS; cluster, user and context are called so.
        region: its region.
        api: where its API is.
        profile: profile of the shared AWS configuration. Default: the caller's usual credentials.
        role_arn: role to assume for the token. Default: none.
    """
    arguments = ["--region", region, "eks", "get-token", "--cluster-name", cluster, "--output", "json"]
    arguments += ["--role-arn", role_arn] if role_arn else []
    arguments += ["--profile", profile] if profile else []
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "aws",
            "args": arguments,
            "interactiveMode": "Never",
            "provideClusterInfo": False,
        }
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": api.server, "certificate-authority-data": api.authority}}],
        "users": [{"name": cluster, "user": user}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
    }
    return json.dumps(document, indent=2)
