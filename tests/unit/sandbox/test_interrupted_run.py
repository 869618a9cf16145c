"""An interrupted run of the tests leaves no sandbox behind."""

from __future__ import annotations

from pathlib import Path

from tests.sandbox.rig import Sandbox, end


def test_a_sandbox_whose_worker_was_ended_is_taken_down_and_one_that_is_gone_is_no_error(tmp_path: Path) -> None:
    left = Sandbox(tmp_path / "left")
    left.up()
    api = left.state.api()
    assert api is not None and api.alive()
    end([str(left.state.folder), str(tmp_path / "gone")])
    assert not api.alive(), "its process has ended"
    assert not left.state.folder.exists()
