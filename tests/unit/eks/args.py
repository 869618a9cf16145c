"""Arguments that work, for tests to spoil."""

import copy
import datetime
from typing import Any

from components.eks.args import EksClusterArgs

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
TODAY = datetime.date(2026, 9, 1)
"""A day on which 1.34 and 1.35 are in standard support, and 1.33 is not."""


def arguments(zones: int = 2, **changes: Any) -> EksClusterArgs:
    """A cluster in a VPC with ``zones`` zones; ``network`` among ``changes`` is laid over the rest."""
    network: dict[str, Any] = {
        "vpc_id": "vpc-1",
        "cidr": "10.20.0.0/16",
        "zones": ZONES[:zones],
        "private_subnet_ids": [f"subnet-private-{index}" for index in range(zones)],
        "has_internet_egress": True,
        "interface_endpoints": [],
    }
    network.update(changes.pop("network", {}))
    args: Any = {"network": network, **copy.deepcopy(changes)}
    return args  # type: ignore[no-any-return]
