"""Timonel's components, for use in any Pulumi program: ``from components import Network, SwarmCluster``.

Each is imported when it is asked for, so a program pays for the AWS services of the components that it uses.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.eks.component import EksCluster
    from components.monitoring.component import MonitoringStack
    from components.network.component import Network
    from components.swarm.component import SwarmCluster

__all__ = ["EksCluster", "MonitoringStack", "Network", "SwarmCluster"]

_HOMES = {
    "EksCluster": "components.eks.component",
    "MonitoringStack": "components.monitoring.component",
    "Network": "components.network.component",
    "SwarmCluster": "components.swarm.component",
}


def __getattr__(name: str) -> object:
    """Import a component at its first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is to import."""
    return __all__
