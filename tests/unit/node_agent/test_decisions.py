"""Decisions and quorum arithmetic, case by case and by property."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_agent.decide import Do, View, decide
from node_agent.ports import Identity, Node, SwarmState
from node_agent.quorum import FORGOTTEN, TWICE, GoneTracker, majority, quorum_lost
from node_agent.records import Entry, Marker, Member, Phase, Record, Steward
from node_agent.worker import WorkerView, decide_worker


def entry(number: int, state: str = Member.MEMBER, **changes: Any) -> Entry:
    base = Entry(f"i-{number}", f"10.0.0.{number}", "z", f"h{number}", state, 1, node_id=f"n{number}")
    return dataclasses.replace(base, **changes)


def ledger(*entries: Entry) -> dict[str, Entry]:
    return {e.instance: e for e in entries}


def view(**changes: Any) -> View:
    base = View(
        me=Identity("i-1", "10.0.0.1", "z", "h1"), now=0.0, closing=False,
        record=Record(epoch=1, holder="i-2", phase=Phase.LIVE, swarm_id="s"),
        ledger=ledger(entry(1), entry(2), entry(3)),
        has_snapshot=True, swarm=SwarmState("active", "n1", "s", True), nodes=(node(1), node(2), node(3)),
        marker=Marker(epoch=1), gone=frozenset(), steward=Steward("i-2", 1),
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def node(number: int, **changes: Any) -> Node:
    base = Node(f"n{number}", f"h{number}", "manager", True, "active", f"10.0.0.{number}", True, True,
                instance=f"i-{number}")  # fmt: skip
    return dataclasses.replace(base, **changes)


OUTSIDE = SwarmState("inactive")


@pytest.mark.parametrize(
    ("changes", "do"),
    [
        ({"closing": True}, Do.IDLE),
        ({"closing": True, "leaving": "hook"}, Do.LET_GO),
        ({"wanted": 0, "leaving": "hook"}, Do.LET_GO),
        ({"record": None, "ledger": {}, "has_snapshot": False, "swarm": OUTSIDE, "marker": Marker()}, Do.START),
        ({"record": None, "ledger": {}, "swarm": OUTSIDE, "marker": Marker()}, Do.BLOCKED),
        ({"record": None, "swarm": OUTSIDE, "marker": Marker(), "has_snapshot": False}, Do.BLOCKED),
        ({"record": None}, Do.BLOCKED),
        ({"marker": Marker(epoch=0)}, Do.LEAVE_FORCE),
        ({"marker": Marker(epoch=1, stage="restore")}, Do.LEAVE_FORCE),
        ({"swarm": SwarmState("active", "n1", "other", True)}, Do.LEAVE_FORCE),
        ({"swarm": SwarmState("locked", "n1")}, Do.UNLOCK),
        ({}, Do.FOLLOW),
        ({"nodes": (node(1, leader=True), node(2), node(3))}, Do.LEAD),
        ({"leaving": "hook"}, Do.MARK_LEAVING),
        ({"swarm": OUTSIDE}, Do.ENROL),
        ({"swarm": OUTSIDE, "ledger": ledger(entry(1, Member.WAITING), entry(2))}, Do.WAIT),
        (
            {
                "swarm": OUTSIDE,
                "ledger": ledger(entry(1, Member.WAITING), entry(2)),
                "steward": Steward("i-2", 1, admit="i-1", ticket="t"),
            },
            Do.JOIN,
        ),
        (
            {
                "swarm": OUTSIDE,
                "ledger": ledger(entry(1, Member.WAITING, tried="t"), entry(2)),
                "steward": Steward("i-2", 1, admit="i-1", ticket="t"),
            },
            Do.WAIT,
        ),
        ({"nodes": None}, Do.WAIT),
        ({"nodes": None, "lasting": {"leaderless": 61}}, Do.POST),
    ],
)
def test_a_manager_decides(changes: dict[str, Any], do: Do) -> None:
    action = decide(view(**changes))
    assert action.do == do, action.why


def test_a_minority_waits_for_ever() -> None:
    lost = ledger(entry(1, leaderless=1.0), entry(2), entry(3))
    found = decide(view(nodes=None, ledger=lost, gone=frozenset({"i-2"}), lasting={"leaderless": 1e6}))
    assert found.do == Do.BLOCKED


def test_the_survivor_with_the_newest_log_claims_first() -> None:
    lost = ledger(*(entry(n, leaderless=1.0, raft=(1, n)) for n in (1, 2)), *(entry(n) for n in (3, 4, 5)))
    gone = frozenset({"i-3", "i-4", "i-5"})
    assert decide(view(nodes=None, ledger=lost, gone=gone, lasting={"leaderless": 130})).do == Do.WAIT
    other = Identity("i-2", "10.0.0.2", "z", "h2")
    mine = view(me=other, nodes=None, ledger=lost, gone=gone, swarm=SwarmState("active", "n2", "s", True),
                lasting={"leaderless": 130})  # fmt: skip
    assert decide(mine).do == Do.CLAIM


# --- gone


def test_one_reading_is_no_proof() -> None:
    tracker = GoneTracker()
    assert not tracker.observe(0, {"i": "terminated"}, {})
    assert not tracker.observe(TWICE - 1, {"i": "terminated"}, {})
    assert tracker.observe(TWICE, {"i": "terminated"}, {}) == {"i"}


def test_a_word_to_the_contrary_begins_the_wait_anew() -> None:
    tracker = GoneTracker()
    tracker.observe(0, {"i": "terminated"}, {})
    tracker.observe(10, {"i": "running"}, {})
    assert not tracker.observe(40, {"i": "terminated"}, {})


@pytest.mark.parametrize("state", ["running", "stopping", "stopped", "shutting-down", "pending"])
def test_what_may_come_back_is_not_gone(state: str) -> None:
    tracker = GoneTracker()
    tracker.observe(0, {"i": state}, {"i": 0})
    assert not tracker.observe(1e6, {"i": state}, {"i": 0})


def test_an_unknown_id_is_gone_only_an_hour_after_it_was_seen() -> None:
    tracker = GoneTracker()
    tracker.observe(0, {"i": "not-found"}, {"i": 0})
    assert not tracker.observe(60, {"i": "not-found"}, {"i": 0}), "EC2 may not know a young instance yet"
    tracker.observe(FORGOTTEN + 1, {"i": "not-found"}, {"i": 0})
    assert tracker.observe(FORGOTTEN + 60, {"i": "not-found"}, {"i": 0}) == {"i"}
    assert not GoneTracker().observe(1e9, {"i": "not-found"}, {}), "never seen: nothing is known"


# --- quorum


@given(st.integers(1, 7), st.sets(st.integers(2, 7)), st.sets(st.integers(2, 7)))
def test_quorum_is_never_lost_while_enough_may_live(size: int, dead: set[int], joining: set[int]) -> None:
    """Whatever the ledger's unsettled entries mean: if the true members may still be a majority, nobody fences."""
    entries = [entry(n, Member.JOINING if n in joining else Member.MEMBER) for n in range(1, size + 1)]
    gone = frozenset(f"i-{n}" for n in dead)
    remotes = tuple((f"n{n}", f"10.0.0.{n}") for n in range(1, size + 1) if n not in joining)
    lost = quorum_lost("i-1", "n1", ledger(*entries), remotes, gone)
    for members in ([e for e in entries if e.state == Member.MEMBER or e.instance == "i-1"], entries):
        everyone = {e.instance for e in members} | {"i-1"}
        alive = {i for i in everyone if i not in gone}
        if len(alive) >= majority(len(everyone)):
            assert not lost


def test_joiners_that_died_do_not_make_a_living_majority_look_lost() -> None:
    entries = ledger(entry(1), entry(2), entry(3), entry(4, Member.JOINING), entry(5, Member.JOINING))
    remotes = (("n1", "10.0.0.1"), ("n2", "10.0.0.2"), ("n3", "10.0.0.3"))
    assert not quorum_lost("i-1", "n1", entries, remotes, frozenset({"i-3", "i-4", "i-5"})), "1 and 2 are two of three"


def test_a_joiner_that_got_in_and_died_counts_when_dockerd_knew_it() -> None:
    entries = ledger(entry(1), entry(2), entry(3), entry(4, Member.JOINING, node_id=None))
    remotes = tuple((f"n{n}", f"10.0.0.{n}") for n in range(1, 5))
    assert quorum_lost("i-1", "n1", entries, remotes, frozenset({"i-3", "i-4"})), "two of four are no majority"
    assert not quorum_lost("i-1", "n1", entries, remotes[:3], frozenset({"i-3", "i-4"})), "it never got in"


def test_a_dockerd_that_knows_nobody_is_no_witness() -> None:
    entries = ledger(entry(1), entry(2), entry(3))
    assert quorum_lost("i-1", "n1", entries, (("n1", "10.0.0.1"),), frozenset({"i-2", "i-3"}))
    assert not quorum_lost("i-1", "n1", entries, (("n1", "10.0.0.1"),), frozenset({"i-2"}))


def test_a_member_that_left_by_force_lives_another_life() -> None:
    entries = ledger(entry(1), entry(2), entry(3, Member.WAITING, node_id=None))
    remotes = (("n1", "10.0.0.1"), ("n2", "10.0.0.2"), ("n3", "10.0.0.3"))
    assert quorum_lost("i-1", "n1", entries, remotes, frozenset({"i-2"})), "n3 will never vote again"


def test_a_fenced_member_counts_as_dead() -> None:
    entries = ledger(entry(1), entry(2, fenced=True), entry(3, fenced=True))
    assert quorum_lost("i-1", "n1", entries, (), frozenset())


# --- workers


def worker_view(**changes: Any) -> WorkerView:
    base = WorkerView(
        instance="i-9", closing=False, leaving=None, secret={"epoch": 1, "token": "t", "managers": ["10.0.0.1"]},
        swarm=SwarmState("active", "n9"), marker=Marker(epoch=1), announced=False, deregistered=False,
        in_service=False, local_tasks=0,
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


@pytest.mark.parametrize(
    ("changes", "do"),
    [
        ({}, Do.FOLLOW),
        ({"secret": None, "swarm": OUTSIDE}, Do.WAIT),
        ({"swarm": OUTSIDE}, Do.JOIN),
        ({"closing": True, "leaving": "hook"}, Do.LET_GO),
        ({"leaving": "spot"}, Do.MARK_LEAVING),
        ({"leaving": "spot", "announced": True}, Do.DRAIN),
        ({"leaving": "hook"}, Do.DRAIN),
        ({"leaving": "hook", "deregistered": True, "in_service": True}, Do.WAIT),
        ({"leaving": "hook", "deregistered": True, "local_tasks": 2}, Do.WAIT),
        ({"leaving": "hook", "deregistered": True}, Do.LEAVE),
        ({"leaving": "hook", "deregistered": True, "local_tasks": 2, "leaving_for": 301}, Do.LEAVE),
        ({"leaving": "hook", "deregistered": True, "swarm": OUTSIDE}, Do.LET_GO),
        ({"swarm": SwarmState("pending"), "unfit_for": 121.0}, Do.LEAVE_FORCE),
        ({"secret": {"epoch": 1, "token": "t", "managers": ["a"], "rejoin": {"i-9": "7"}}}, Do.REJOIN),
        (
            {
                "secret": {"epoch": 1, "token": "t", "managers": ["a"], "rejoin": {"i-9": "7"}},
                "marker": Marker(epoch=1, rejoined="7"),
            },
            Do.FOLLOW,
        ),
    ],
)
def test_a_worker_decides(changes: dict[str, Any], do: Do) -> None:
    action = decide_worker(worker_view(**changes))
    assert action.do == do, action.why
