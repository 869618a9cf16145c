"""The table of the faults, without a host."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.sandbox.agent.report import BEGIN, END, Report, Row, put_into


def test_a_fault_stands_beside_the_floor_of_its_own_run_and_without_one_beside_nothing() -> None:
    report = Report([Row(5, "all lost", 120, "one host", ""), Row(1, "formed", 60, "five hosts", "3 zones")])
    report.floors["five hosts"] = 24.0
    assert report.cells() == [
        ("1", "formed", "60", "24 (five hosts)", "2.5", "3 zones"),
        ("5", "all lost", "120", "", "", ""),
    ]


def test_a_document_gets_the_table_between_its_marks_and_keeps_the_rest() -> None:
    report = Report([Row(2, "leader lost", 54, "", "")], versions={"Docker": "28.5.2"})
    measured = report.markdown(datetime(2026, 11, 23, tzinfo=UTC))
    text = put_into(f"# Faults\n{BEGIN}\nold\n{END}\nGaps.\n", measured)
    assert "old" not in text and text.startswith("# Faults\n") and text.endswith("\nGaps.\n")
    assert "Measured 2026-11-23 on Docker 28.5.2" in text and "| 2 | leader lost | 54 |" in text
    assert put_into(text, measured) == text, "a second refresh changes nothing"


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="not both marks"):
        put_into("# Faults\n", "")
