"""What a manager does next, from what it sees. Pure: a view in, one action out.

Steps are numbered as in docs/protocol.md. Effects are in manager.py, the leader's own rules in steward.py.
"""

# ruff: noqa: PLR0911  (a decision table reads best with one return per row)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from node_agent.ports import Identity, Node, SwarmState
from node_agent.quorum import TWICE, is_dead, quorum_lost
from node_agent.records import Entry, Marker, Member, Phase, Record, Steward

NO_LEADER = 60.0
"""Seconds without a leader before a recovery is thought of (an election takes 10 to 20 s)."""
POST_WAIT = 60.0
"""Further seconds that survivors have to post their raft position."""
BEST_WAIT = 180.0
"""Further seconds after which a survivor with an older log no longer waits for the one with the newest."""
SETTLE = 90.0
"""Seconds that a join or a demotion may take to show."""
LET_GO_AFTER = 7200.0
"""Seconds that a termination is held for the quorum's sake. AWS ends the wait itself after 100 hook time-outs."""


class Do(StrEnum):
    """Actions."""

    IDLE = "idle"
    WAIT = "wait"
    BLOCKED = "blocked"
    LET_GO = "let-go"
    UNLOCK = "unlock"
    LEAVE_FORCE = "leave-force"
    ENROL = "enrol"
    START = "start"
    CLAIM_INIT = "claim-init"
    INIT = "init"
    FINISH_INIT = "finish-init"
    JOIN = "join"
    RECORD = "record"
    MARK_LEAVING = "mark-leaving"
    LEAVE = "leave"
    REJOIN = "rejoin"
    DEPART = "depart"
    LEAD = "lead"
    FOLLOW = "follow"
    POST = "post"
    CLAIM = "claim"
    CLAIM_RESTORE = "claim-restore"
    SAVE_BASIS = "save-basis"
    FORCE = "force"
    RESTORE = "restore"
    FINISH_RECOVER = "finish-recover"
    # the steward's
    TAKE = "take-stewardship"
    PUBLISH = "publish"
    REMOVE = "remove"
    DROP = "drop"
    DRAIN = "drain"
    DEMOTE = "demote"
    UNHEALTHY = "set-unhealthy"
    UNPROTECT = "lift-protection"
    RELEASE = "release"
    CURE = "cure-redirect"
    CLEAR = "clear-redirect"
    ADMIT = "admit"
    ASK_REJOIN = "ask-rejoin"
    LABEL = "label"
    ROTATE = "rotate"
    SNAPSHOT = "snapshot"
    RECOVERED = "recovered"
    SETTLED = "settled"


@dataclass(frozen=True)
class Action:
    """One thing to do, and why."""

    do: Do
    why: str = ""
    target: str = ""
    """Instance or node id."""


@dataclass(frozen=True)
class View:
    """All that a manager's decision may look at."""

    me: Identity
    now: float
    closing: bool
    record: Record | None
    ledger: Mapping[str, Entry]
    has_snapshot: bool
    swarm: SwarmState
    nodes: tuple[Node, ...] | None
    """None: no leader, or not a manager."""
    marker: Marker
    gone: frozenset[str]
    steward: Steward | None
    steward_age: float = 1e9
    leaving: str | None = None
    wanted: int | None = None
    """Desired size of the manager groups; None: not known."""
    local_tasks: int = 0
    lasting: Mapping[str, float] = field(default_factory=dict)
    """Seconds that a condition has held, as the agent remembers: leaderless, orphaned, worker, error, departed."""

    @property
    def mine(self) -> Entry | None:
        """This instance's ledger entry."""
        return self.ledger.get(self.me.instance)

    @property
    def trusted(self) -> bool:
        """Step 1: the swarm state on this node is the one that the record speaks of."""
        record, marker = self.record, self.marker
        if record is None or not self.swarm.inside or marker.stage != "ready" or marker.epoch != record.epoch:
            return False
        mine, theirs = self.swarm.swarm_id, record.swarm_id
        return mine is None or theirs is None or mine == theirs

    def others(self) -> list[Entry]:
        """Other entries that may hold a place in the raft."""
        return [e for i, e in sorted(self.ledger.items()) if i != self.me.instance and e.holds]

    def survivors(self) -> list[Entry]:
        """Other members that are not known to be dead and have not come over to the record's epoch."""
        return [e for e in self.others() if not is_dead(e, self.gone)]

    @property
    def holder_dead(self) -> bool:
        """Whether the record's holder will never finish."""
        if self.record is None:
            return False
        entry = self.ledger.get(self.record.holder)
        return self.record.holder in self.gone or (entry is not None and entry.fenced)

    @property
    def abandoned(self) -> bool:
        """No manager is left that could hold the raft."""
        return self.record is not None and not self.survivors()


def decide(v: View) -> Action:
    """The next action of a manager."""
    if v.leaving and (v.closing or v.wanted == 0):
        return Action(Do.LET_GO, "the cluster is being taken down")
    if v.leaving and v.lasting.get("leaving", 0) >= LET_GO_AFTER:
        return Action(Do.LET_GO, "9: held for two hours and still needed: letting go")
    if v.closing:
        return Action(Do.IDLE, "closing mark")
    if v.record is None:
        return _without_record(v)
    if v.swarm.state == "locked" and v.trusted:
        return Action(Do.UNLOCK, "autolock: the raft log's key is in the managers' secret")
    if v.swarm.inside and v.mine and v.mine.fenced:
        return Action(Do.LEAVE_FORCE, "a human fenced this instance")
    if v.leaving and not v.swarm.inside:
        return _depart(v)
    if v.record.phase == Phase.INIT:
        return _init(v)
    if v.record.phase == Phase.RECOVER:
        return _recover(v)
    return _live(v)


def _without_record(v: View) -> Action:
    if v.swarm.inside and v.marker.epoch == 0:
        return Action(Do.LEAVE_FORCE, "2: a swarm that this cluster did not make")
    if v.swarm.inside or v.ledger or v.has_snapshot:
        return Action(Do.BLOCKED, "3: the record is missing though the cluster has lived: a human must look")
    if v.leaving:
        return Action(Do.LET_GO, "leaving before the cluster began")
    return Action(Do.START, "3: first boot of the cluster")


def _init(v: View) -> Action:
    record = v.record
    if record is None:
        raise AssertionError("decide() has looked")
    if record.holder == v.me.instance:
        if not v.swarm.inside:
            return Action(Do.INIT, "5: this node makes the swarm")
        if v.trusted:
            return Action(Do.FINISH_INIT, "5: publish the swarm that was made")
        return Action(Do.LEAVE_FORCE, "2: state of another epoch")
    if v.swarm.inside:
        return Action(Do.LEAVE_FORCE, "4: another node makes the swarm")
    if v.holder_dead:
        return Action(Do.CLAIM_INIT, f"4: {record.holder} is gone before it made the swarm")
    return _enrol(v) or Action(Do.WAIT, f"4: {record.holder} makes the swarm")


def _enrol(v: View) -> Action | None:
    if v.mine is None or v.mine.state != Member.WAITING or v.mine.fenced:
        return Action(Do.ENROL, "6: in the ledger before anything else")
    return None


def _live(v: View) -> Action:
    if v.swarm.inside:
        if v.trusted:
            return _member(v)
        return Action(Do.LEAVE_FORCE, f"2: local epoch {v.marker.epoch} ({v.marker.stage}) is not the record's")
    if v.abandoned:
        if v.others() or v.lasting.get("orphaned", 0) >= TWICE:  # the others are gone on two readings each
            return Action(Do.CLAIM_RESTORE, "12: no manager is left")
        return Action(Do.WAIT, "12: no manager seems left; looking twice")
    if (action := _enrol(v)) is not None:
        return action
    s, mine = v.steward, v.mine
    if s and mine and v.record and s.epoch == v.record.epoch and s.admit == v.me.instance and s.ticket != mine.tried:
        return Action(Do.JOIN, "6: admitted", s.ticket or "")
    return Action(Do.WAIT, "6: not admitted yet")


def _member(v: View) -> Action:
    mine = v.mine
    if v.swarm.state == "error":
        if v.lasting.get("error", 0) >= SETTLE and v.steward_age < 90:
            return Action(Do.LEAVE_FORCE, f"dockerd's swarm is in error while the others live: {v.swarm.error}")
        return Action(Do.BLOCKED, f"dockerd's swarm is in error: {v.swarm.error}")
    if not v.swarm.control:
        return _no_control(v)
    if v.nodes is None:
        return _leaderless(v)
    own = next((n for n in v.nodes if n.id == v.swarm.node_id), None)
    if mine is None or mine.state in {Member.WAITING, Member.LEFT} or mine.node_id != v.swarm.node_id:
        if own and own.reachable and own.is_manager:
            return Action(Do.RECORD, "6: reachable as a manager")
        if v.lasting.get("unlisted", 0) >= SETTLE and not (own and own.leader):
            return Action(Do.LEAVE_FORCE, "6: the join came to nothing")
        return Action(Do.WAIT, "6: joined, not reachable yet")
    if mine.state == Member.JOINING or mine.leaderless is not None or mine.epoch != v.marker.epoch:
        if own and own.reachable:
            return Action(Do.RECORD, "6: reachable as a manager")
        return Action(Do.WAIT, "6: joined, not reachable yet")
    if v.leaving and mine.state == Member.MEMBER:
        return Action(Do.MARK_LEAVING, f"9: {v.leaving}")
    if own and own.leader:
        return Action(Do.LEAD, "7")
    return Action(Do.FOLLOW, "7: another manager leads")


def _no_control(v: View) -> Action:
    """In the swarm, but not as a manager: on the way in, or demoted."""
    mine, since = v.mine, v.lasting.get("worker", 0)
    if mine and mine.state == Member.LEAVING:
        if v.local_tasks == 0 or since >= SETTLE:
            return Action(Do.LEAVE, "9: demoted and drained")
        return Action(Do.WAIT, "9: tasks are stopping")
    if mine and mine.state == Member.JOINING:
        if since >= SETTLE:
            return Action(Do.LEAVE_FORCE, "6: the join came to nothing")
        return Action(Do.WAIT, "6: the join is under way")
    if since >= 20:
        return Action(Do.REJOIN, "15: demoted without a notice: join again under the own address")
    return Action(Do.WAIT, "demoted, or the manager is starting")


def _depart(v: View) -> Action:
    """A notice, and no swarm state on this node."""
    if v.mine is None or v.mine.state == Member.WAITING:
        return Action(Do.DEPART, "9: nothing holds this instance any more")
    if v.mine.state == Member.LEFT and v.lasting.get("departed", 0) < 60:
        return Action(Do.WAIT, "9: the steward removes the node")
    return Action(Do.DEPART, "9: left")


def _leaderless(v: View) -> Action:
    since = v.lasting.get("leaderless", 0)
    if since < NO_LEADER:
        return Action(Do.WAIT, "11: no leader; an election may be under way")
    if v.mine is None or v.mine.leaderless is None:
        return Action(Do.POST, "11: no leader for a minute")
    if not quorum_lost(v.me.instance, v.swarm.node_id, v.ledger, v.swarm.remotes, v.gone):
        return Action(Do.BLOCKED, "11: no leader, and the majority is not known to be gone: a minority never fences")
    rivals = v.survivors()
    if since < NO_LEADER + POST_WAIT and any(e.leaderless is None for e in rivals):
        return Action(Do.WAIT, "12: the majority is gone; other survivors have not posted yet")
    mine = (v.mine.raft or (0, 0), v.me.instance)
    best = max([mine, *((e.raft or (0, 0), e.instance) for e in rivals if e.leaderless is not None)])
    if best == mine or since >= NO_LEADER + BEST_WAIT:
        return Action(Do.CLAIM, "12: the majority is gone")
    return Action(Do.WAIT, f"12: the majority is gone; {best[1]} has the newest log")


def _recover(v: View) -> Action:
    record = v.record
    if record is None:
        raise AssertionError("decide() has looked")
    if record.holder == v.me.instance:
        return _recover_as_holder(v, record)
    if v.swarm.inside and v.marker.epoch < record.epoch and v.marker.stage == "ready" and v.marker.epoch > 0:
        if v.holder_dead:
            return Action(Do.CLAIM, f"12: {record.holder} is gone before it recovered the swarm")
        if record.basis is None:
            return Action(Do.WAIT, "13: the recoverer has not saved its state yet")
    if v.swarm.inside:
        return Action(Do.LEAVE_FORCE, "13: a newer epoch")
    if v.holder_dead:
        if v.survivors():
            return Action(Do.WAIT, "12: a survivor goes on")
        return Action(Do.CLAIM_RESTORE, f"12: {record.holder} is gone, and no survivor")
    return _enrol(v) or Action(Do.WAIT, "13: another node recovers the swarm")


def _recover_as_holder(v: View, record: Record) -> Action:
    if v.trusted:
        if v.nodes is None:
            return Action(Do.WAIT, "14: the new cluster elects its leader")
        return Action(Do.FINISH_RECOVER, "14: publish the recovered swarm")
    survivor = v.swarm.inside and v.marker.stage == "ready" and v.marker.epoch == record.from_epoch
    if survivor and record.basis is None:
        return Action(Do.SAVE_BASIS, "12: this state is safe before the others give up theirs")
    if others := v.survivors():
        names = ", ".join(e.instance for e in others)
        return Action(Do.BLOCKED, f"14: {names} neither left nor is gone: wait, or timonel-node recover --fence")
    if survivor:
        return Action(Do.FORCE, "14: the last survivor")
    return Action(Do.RESTORE, "14: the newest good snapshot")
