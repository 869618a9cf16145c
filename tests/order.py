"""In which order workers take the files of tests: the longest first, so that none begins when the others end."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SECONDS = {
    "tests/sandbox/monitoring/test_faults_are_told.py": 1200,
    "tests/sandbox/agent/test_rolling.py": 800,
    "tests/sandbox/agent/test_sizes.py": 550,
    "tests/sandbox/agent/test_broken_managers.py": 450,
    "tests/sandbox/agent/test_faults.py": 400,
    "tests/sandbox/monitoring/test_prometheus.py": 400,
    "tests/sandbox/agent/test_more_faults.py": 350,
    "tests/sandbox/agent/test_init_winner.py": 350,
    "tests/sandbox/agent/test_majority.py": 300,
    "tests/sandbox/eks/test_eks.py": 250,
    "tests/sandbox/test_every_shape.py": 220,
    "tests/sandbox/agent/test_zones.py": 200,
    "tests/sandbox/machines/test_hosts.py": 180,
    "tests/sandbox/agent/test_dev_stack.py": 150,
    "tests/sandbox/eks/test_providers.py": 160,
    "tests/sandbox/eks/test_control_plane.py": 150,
    "tests/sandbox/eks/test_teardown.py": 100,
    "tests/sandbox/providers/test_kubernetes_api.py": 100,
    "tests/sandbox/test_provider_eks.py": 100,
    "tests/sandbox/test_settings_change.py": 150,
    "tests/sandbox/providers/test_docker_swarm.py": 120,
    "tests/sandbox/test_bad_settings.py": 120,
    "tests/sandbox/test_interrupted.py": 100,
    "tests/sandbox/test_network.py": 100,
    "tests/sandbox/agent/test_neighbours.py": 80,
    "tests/sandbox/agent/test_floors.py": 80,
    "tests/unit/node_agent/test_protocol.py": 80,
}
"""About how many seconds the files take that take a minute or more; the others follow as collected."""


def longest_first(items: list[pytest.Item]) -> None:
    """Sort in place, by file; the order within a file, and of files of the same weight, stays."""
    items.sort(key=lambda item: -SECONDS.get(item.path.relative_to(ROOT).as_posix(), 0))
