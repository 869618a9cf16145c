"""Golden files: what is rendered stands in the repository, so that a change of it is read as a diff."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def assert_golden(relative: str, actual: str) -> None:
    """Hold ``actual`` against ``tests/golden/<relative>``; with UPDATE_GOLDEN=1 write it instead."""
    path = GOLDEN / relative
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(actual)
        return
    assert path.exists(), f"no golden file {relative}: run `make golden` and read the diff"
    expected = path.read_text()
    assert actual == expected, f"{relative} differs from what is rendered now: run `make golden` and read the diff"
