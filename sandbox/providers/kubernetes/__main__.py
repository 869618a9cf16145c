"""``pulumi-resource-kubernetes``: serve the stand-in to the engine."""

import importlib.metadata

from sandbox.providers import serve
from sandbox.providers.kubernetes.provider import KubernetesProvider


def main() -> None:
    """Serve until the engine ends the process."""
    serve.serve(importlib.metadata.version("pulumi_kubernetes"), KubernetesProvider)


if __name__ == "__main__":
    main()
