"""``pulumi-resource-eks``: serve the stand-in to the engine."""

import importlib.metadata

from sandbox.providers import components
from sandbox.providers.eks.provider import EksProvider


def main() -> None:
    """Serve until the engine ends the process."""
    components.serve(EksProvider(importlib.metadata.version("pulumi_eks")))


if __name__ == "__main__":
    main()
