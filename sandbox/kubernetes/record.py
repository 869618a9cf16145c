"""Which processes a control plane's folder names."""

from __future__ import annotations

from pathlib import Path

from sandbox.processes import ProcessId
from sandbox.state import read_json


def recorded(folder: Path) -> list[ProcessId]:
    """Processes of a control plane, its supervisor first; they need not live."""
    records = [read_json(folder / name) for name in ("supervisor.json", "processes.json")]
    return [ProcessId(int(p["pid"]), str(p["start_time"])) for record in records for p in record.values()]
