"""Fault 12: every granted action was used by some test, or stands in the one list with its reason.

That every call was allowed is held after each test, by the fixtures that make the clusters. This runs last: after the
workers where they run side by side, as `make faults` does it.
"""

from __future__ import annotations

import pytest

from tests import records
from tests.sandbox.agent.grants import NOT_CALLED, Used

pytestmark = [pytest.mark.machines, pytest.mark.faults]

NEEDED = {f"tests.sandbox.agent.{name}" for name in ("test_rolling", "test_sizes")}
"""Together they make the nodes use all that they use."""


def test_every_granted_action_was_called_or_is_listed_with_its_reason() -> None:
    if records.is_worker():
        pytest.skip("other workers have not ended: it is judged in a step of its own, after them")
    used = Used.in_run()
    if NEEDED - used.modules:
        pytest.skip(f"needs the clusters of {sorted(NEEDED)} in the same run")
    idle = used.idle()
    listed = {(role, action) for role, action in idle if {(role, action), ("*", action)} & set(NOT_CALLED)}
    assert idle - listed == set(), "granted, and called by no test"
    granted = {(role, action) for role, action, _ in used.granted}
    stale = {entry for entry in NOT_CALLED if not any(entry in {g, ("*", g[1])} for g in granted)}
    assert stale == set(), "listed, and not granted any more"
