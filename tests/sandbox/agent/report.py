"""The one table of a run: each fault with its seconds beside its floor, printed at the end and kept as Markdown.

Tests run side by side, so what they measure goes into the run's records (`tests/records.py`) and is read at its end.

`python -m tests.sandbox.agent.report` puts the last run's table into docs/faults.md, between its two marks.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import records

ROOT = Path(__file__).parents[3]
WRITTEN = ROOT / ".timonel" / "faults.md"
DOCS = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
HEADER = ("no.", "fault", "seconds", "floor", "ratio", "seen")


@dataclass(frozen=True)
class Row:
    """One fault as it was measured."""

    number: int
    fault: str
    seconds: float
    floor: str
    """Name of a floor, empty for none."""
    note: str


@dataclass
class Report:
    """What a run measured."""

    rows: list[Row] = field(default_factory=list)
    floors: dict[str, float] = field(default_factory=dict)
    """Seconds by name: the same by hand, in the same run."""
    versions: dict[str, str] = field(default_factory=dict)
    conditions: str = "one run"
    """What else the machine did, in words."""

    def cells(self) -> list[tuple[str, ...]]:
        """The table's rows, by number; a floor that this run did not measure stays empty."""
        found: list[tuple[str, ...]] = []
        for row in sorted(self.rows, key=lambda row: row.number):
            floor = self.floors.get(row.floor)
            beside = (f"{floor:.0f} ({row.floor})", f"{row.seconds / floor:.1f}") if floor else ("", "")
            found.append((str(row.number), row.fault, f"{row.seconds:.0f}", *beside, row.note))
        return found

    def markdown(self, now: datetime) -> str:
        """The table with its date and versions."""
        told = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [f"Measured {now:%Y-%m-%d} on {told or 'unknown versions'}; {self.conditions}.", ""]
        lines += ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
        return "\n".join([*lines, *("| " + " | ".join(cells) + " |" for cells in self.cells()), ""])

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(*HEADER, title="Faults: seconds until the cluster was whole again")
        for cells in self.cells():
            table.add_row(*cells)
        console.print(table)

    def keep(self) -> Path:
        """Write the table where the next command finds it."""
        WRITTEN.parent.mkdir(exist_ok=True)
        WRITTEN.write_text(self.markdown(datetime.now(UTC)))
        return WRITTEN


def of_run() -> Report:
    """What the processes of this run measured until now."""
    report, found = Report(), records.read("fault", "floor", "versions")
    for record in found:
        if record["kind"] == "fault":
            report.rows.append(Row(*(record[name] for name in ("number", "fault", "seconds", "floor", "note"))))
        elif record["kind"] == "floor":
            report.floors[record["name"]] = record["seconds"]
        else:
            report.versions |= record["versions"]
    if found:
        minutes, loads = (found[-1]["at"] - found[0]["at"]) / 60, [record["load"] for record in found]
        cores = f"{os.cpu_count()} cores, load {min(loads):.0f} to {max(loads):.0f}"
        report.conditions = f"one run of {minutes:.0f} minutes on {cores}"
    return report


def say(what: str, seconds: float, floor: str = "", note: str = "") -> None:
    """Record and print one fault.

    Args:
        what: "<number in docs/faults.md> <fault>", such as "2 leader lost".
        seconds: until the cluster was whole again.
        floor: name of the floor it is held against (`floor()` measures them).
        note: what else was seen, such as "0 of 900 requests failed".
    """
    number, _, fault = what.partition(" ")
    records.add("fault", number=int(number), fault=fault, seconds=seconds, floor=floor, note=note)
    print(f"FAULT {what}: {seconds:.0f} s{f'; {note}' if note else ''}", flush=True)


def floor(name: str, seconds: float) -> None:
    """Record and print a floor: the same hosts booted and joined by hand."""
    records.add("floor", name=name, seconds=seconds)
    print(f"FLOOR {name}: {seconds:.1f} s", flush=True)


def put_into(text: str, measured: str) -> str:
    """A document with another table between its marks.

    Raises:
        ValueError: the marks are not there.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"{DOCS.name} has not both marks: {BEGIN} and {END}")
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{measured}{END}", text, flags=re.DOTALL)


if __name__ == "__main__":
    if not WRITTEN.exists():
        sys.exit(f"error: {WRITTEN.relative_to(ROOT)} is not there: make faults writes it")
    DOCS.write_text(put_into(DOCS.read_text(), WRITTEN.read_text()))
    print(f"{DOCS.relative_to(ROOT)}: refreshed; read the diff before you commit it")
