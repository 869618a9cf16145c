"""The provider: its settings and its resources."""

from typing import Any

from sandbox.providers import serve
from sandbox.providers.docker.client import Docker
from sandbox.providers.docker.objects import Network, Secret, ServiceConfig
from sandbox.providers.docker.service import Service
from sandbox.providers.plain import PlainProvider, Values
from sandbox.providers.schema import Package

KINDS = (Service, ServiceConfig, Secret, Network)


class DockerProvider(PlainProvider):
    """Pulumi's Docker provider, as far as swarms go."""

    title = "Docker"
    followed = frozenset({"host", "caMaterial", "certMaterial", "keyMaterial"})
    harmless = PlainProvider.harmless | {"disableDockerDaemonCheck"}

    def __init__(self, package: Package, log: serve.EngineLog | None = None) -> None:
        """Hold the parts."""
        super().__init__(package, [kind() for kind in KINDS], log)

    def connect(self, settings: Values) -> Any:
        """The way to the swarm."""
        return Docker({name: value for name, value in settings.items() if name in self.followed})
