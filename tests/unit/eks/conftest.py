"""Fixtures for the cluster's tests."""

from collections.abc import Callable
from typing import Any

import pytest

from components.eks.component import EksCluster
from tests.engine import Engine
from tests.unit.eks.args import arguments

MakeEks = Callable[..., EksCluster]
KUBECONFIG = {
    "clusters": [{"name": "kubernetes", "cluster": {"server": "https://api", "certificate-authority-data": "Q0E="}}]
}


@pytest.fixture
def make_eks(engine: Engine) -> MakeEks:
    """Makes the cluster ``eks`` of ``arguments(...)``; what pulumi_eks would make of it is not made."""
    engine.computed["eks:index:Cluster"] = {
        "kubeconfig": KUBECONFIG,
        "oidcProviderUrl": "https://oidc",
        "clusterSecurityGroupId": "sg-eks",
    }

    def make(zones: int = 2, **changes: Any) -> EksCluster:
        return engine.run(lambda: EksCluster("eks", arguments(zones, **changes)))

    return make
