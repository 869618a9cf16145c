"""What the processes of one run of the tests leave for its end: JSON lines, one file for each process.

Tests run side by side in workers, and what they measured and saw adds up over all of them. A run has a name, which
`make faults` gives to its two steps and pytest's controller to its workers.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RUNS = Path(__file__).parents[1] / ".timonel" / "runs"
NAME = "TIMONEL_TEST_RUN"
"""Environment variable with the run's name."""
CONTROLLER = "TIMONEL_TEST_CONTROLLER"
"""Environment variable with the process that leads: two commands may share a run, each with workers of its own."""
WORKER = "PYTEST_XDIST_WORKER"
"""Set by pytest-xdist in each of its workers."""


def begin() -> None:
    """Name the run, unless whoever started this process did."""
    os.environ.setdefault(NAME, f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}")
    if not is_worker():
        os.environ[CONTROLLER] = str(os.getpid())


def is_worker() -> bool:
    """Whether others run beside this process and end after it."""
    return WORKER in os.environ


def add(kind: str, **content: Any) -> None:
    """Leave one record, with the time and the machine's load."""
    file = _folder() / f"{os.environ.get(WORKER, 'main')}-{os.getpid()}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    record = {"kind": kind, "at": time.time(), "load": os.getloadavg()[0], **content}
    with file.open("a") as lines:
        lines.write(json.dumps(record) + "\n")


def started_here(folder: Path) -> None:
    """Remember a sandbox that a process of this command starts."""
    add("sandbox", folder=str(folder), controller=os.environ.get(CONTROLLER))


def sandboxes() -> set[str]:
    """Folders of every sandbox that this command's processes started."""
    return {record["folder"] for record in read("sandbox") if record["controller"] == os.environ.get(CONTROLLER)}


def read(*kinds: str) -> list[dict[str, Any]]:
    """Every record of the run that is of one of these kinds, oldest first."""
    lines = [line for file in sorted(_folder().glob("*.jsonl")) for line in file.read_text().splitlines()]
    found = [record for record in map(json.loads, lines) if record["kind"] in kinds]
    return sorted(found, key=lambda record: float(record["at"]))


def _folder() -> Path:
    return RUNS / os.environ[NAME]
