"""What the swarm's leader does for the cluster: one action a pass, membership first. Pure.

Order matters: what is dead goes out before anything new comes in, and only one change of membership is under way.
"""

# ruff: noqa: PLR0911  (a decision table reads best with one return per row)

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from node_agent.decide import Action, Do, View
from node_agent.ports import Group, Node, Tokens
from node_agent.quorum import is_dead, majority
from node_agent.records import Entry, Member

UNREACHABLE = 600.0
"""Seconds that a manager may be unreachable before Auto Scaling is told."""
SILENT = 60.0
"""Seconds of silence after which nobody waits for a leaving manager to go in order."""
JOIN_FIRST = 300.0
"""Seconds that a leaving manager waits for its replacement when the quorum would stay without it."""
DRAIN = 120.0
"""Seconds that a drain may take."""
GHOST = 60.0
"""Seconds after which a manager that no ledger entry knows is taken for the rest of a failed join."""
TICKET = 120.0
"""Seconds that an admission is good for."""
RETRY = 15.0
"""Seconds before the same joiner is admitted again after it failed."""
REJOIN_AFTER = 120.0
"""Seconds that a worker may be missing from the swarm before it is asked to join again."""
ROTATE_PATIENCE = 900.0
"""After a recovery: seconds to wait for the cluster to be whole before the tokens are rotated anyway."""
LEAVING_STATES = ("Terminating", "Terminating:Wait", "Terminating:Proceed")


@dataclass(frozen=True)
class StewardView:
    """What the leader sees beyond its View."""

    view: View
    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]
    tokens: Tokens
    published: Mapping[str, Mapping[str, object]]
    """Current values of the secrets ``managers`` and ``workers``."""
    running: Mapping[str, int] = field(default_factory=dict)
    """Tasks on the nodes that are being drained."""
    in_service: frozenset[str] = frozenset()
    """Leaving workers that a target group still counts or drains."""
    lasting: Callable[[str], float] = lambda _: 0.0
    """Seconds that a condition has held, by name; the agent remembers."""
    snapshot_minutes: int = 15
    rotate_token_days: int = 30
    epoch: int = 0

    @property
    def managers(self) -> list[Node]:
        """Nodes that are or shall be in the raft."""
        return [n for n in self.nodes if n.is_manager]

    def entry_of(self, node: Node) -> Entry | None:
        """The ledger entry that a manager node belongs to: by node id, else the join that is under way there."""
        ledger = self.view.ledger
        by_id = [e for e in ledger.values() if e.node_id == node.id and e.holds]
        if by_id:  # a restored manager keeps the node id of the one whose snapshot it is
            return max(by_id, key=lambda e: e.epoch)
        joining = [e for e in ledger.values() if e.state == Member.JOINING]
        return next((e for e in joining if node.instance in {"", e.instance} and e.address == node.address), None)

    def node_of(self, entry: Entry) -> Node | None:
        """The manager node of a ledger entry."""
        return next((n for n in self.nodes if n.id == entry.node_id), None)

    def votes(self, node: Node) -> bool:
        """Whether it can be counted on. A dead member's address may answer for another: EC2 gives it out again."""
        entry = self.entry_of(node)
        return node.reachable and node.ready and not (entry is not None and is_dead(entry, self.view.gone))

    @property
    def wanted(self) -> int | None:
        """Desired number of managers."""
        return self.view.wanted

    def lifecycle(self, instance: str) -> str | None:
        """Auto Scaling's word on an instance; None when no group has it."""
        return next((g.instances[instance] for g in self.groups if instance in g.instances), None)


def published_values(s: StewardView) -> dict[str, dict[str, object]]:
    """What the secrets must say."""
    record = s.view.record
    redirect = record.redirect if record else None
    live = sorted({n.address for n in s.managers if s.votes(n)})
    if redirect:  # nodes dial the address that works, the redirect is for dockerd's own memory
        live = sorted({redirect.get(address, address) for address in live})
    rejoin = dict(s.view.steward.rejoin) if s.view.steward else {}
    managers: dict[str, object] = {"epoch": s.epoch, "token": s.tokens.manager}
    if s.tokens.unlock:
        managers["autolock_key"] = s.tokens.unlock
    return {
        "managers": managers,
        "workers": {"epoch": s.epoch, "token": s.tokens.worker, "managers": live, "redirect": redirect,
                    "rejoin": rejoin},
    }  # fmt: skip


def steward(s: StewardView) -> Action:
    """The leader's next action; SETTLED when there is nothing to do."""
    held = s.view.steward
    if held is None or held.holder != s.view.me.instance or held.epoch != s.epoch:
        return Action(Do.TAKE, "7: this manager leads")
    if any(s.published.get(name) != value for name, value in published_values(s).items()):
        return Action(Do.PUBLISH, "10: the published tokens or addresses are not the swarm's")
    for rule in (_dead, _stale_nodes, _stale_entries, _release, _leaving, _cure, _admit, _scale_in, _unreachable,
                 _workers_leaving, _rejoin, _labels, _rotate, _snapshot):  # fmt: skip
        if (action := rule(s)) is not None:
            return action
    return Action(Do.SETTLED)


def _keeps_quorum(s: StewardView, without: Node) -> bool:
    others = [n for n in s.managers if n.id != without.id]
    return bool(others) and sum(s.votes(n) for n in others) >= majority(len(others))


def _dead(s: StewardView) -> Action | None:
    """7: members whose instance is gone, and managers that nobody answers for."""
    for node in s.managers:
        if node.id == s.view.swarm.node_id:
            continue
        entry = s.entry_of(node)
        if entry and is_dead(entry, s.view.gone):
            return Action(Do.REMOVE, f"7: {entry.instance} is gone", node.id)
        if entry is None and s.lasting(f"ghost {node.id}") >= GHOST:
            return Action(Do.REMOVE, "7: a manager that no ledger entry knows", node.id)
    return None


def _stale_nodes(s: StewardView) -> Action | None:
    """16: nodes that are down and will not come back under this id."""
    ready = {n.instance for n in s.nodes if n.ready and n.instance}
    for node in s.nodes:
        if node.is_manager or node.ready:
            continue
        entry = s.view.ledger.get(node.instance)
        if node.instance and (node.instance in s.view.gone or node.instance in ready):
            return Action(Do.REMOVE, f"7: {node.instance} is gone, or has another node id now", node.id)
        if entry and (entry.node_id != node.id or not entry.holds) and entry.state != Member.JOINING:
            return Action(Do.REMOVE, f"9: {node.instance} has left", node.id)
        nobody = s.groups and node.instance and s.lifecycle(node.instance) is None
        if nobody and entry is None and s.lasting(f"down {node.id}") >= GHOST:
            return Action(Do.REMOVE, f"9: no group has {node.instance} any more", node.id)
    return None


def _stale_entries(s: StewardView) -> Action | None:
    """Ledger entries that stand for nothing: only after the raft has let go of the node."""
    ids = {n.id for n in s.nodes}
    for instance, entry in sorted(s.view.ledger.items()):
        if instance == s.view.me.instance or any(s.entry_of(node) is entry for node in s.managers):
            continue
        if entry.node_id in ids and entry.epoch == s.epoch:
            continue
        if instance in s.view.gone:
            return Action(Do.DROP, "7: gone, and out of the swarm", instance)
        if entry.state == Member.LEFT:
            return Action(Do.DROP, "9: left, and out of the swarm", instance)
    return None


def _release(s: StewardView) -> Action | None:
    """9: a manager that Auto Scaling takes out and that no longer speaks: its hook would run into its time-out."""
    for node in s.managers:
        entry = s.entry_of(node)
        if entry is None or s.lifecycle(entry.instance) != "Terminating:Wait":
            continue
        if s.lasting(f"unreachable {node.id}") >= SILENT and _keeps_quorum(s, node):
            return Action(Do.RELEASE, f"9: {entry.instance} shall go and is silent", entry.instance)
    return None


def _leaving(s: StewardView) -> Action | None:
    """9: managers that got a notice, one at a time; the leader itself last."""
    rows = [(e, n) for e in s.view.ledger.values() if e.state == Member.LEAVING and (n := s.node_of(e))]
    rows.sort(key=lambda row: (row[1].id == s.view.swarm.node_id, row[0].instance))
    going = [row for row in rows if not row[1].is_manager or row[1].availability == "drain"]
    for entry, node in (going or rows)[:1]:
        if not node.is_manager:
            return None  # it leaves by itself now; _stale_nodes and _stale_entries do the rest
        if not node.reachable or not _keeps_quorum(s, node):
            return None
        staying = sum(
            1 for n in s.managers if s.votes(n) and (e := s.entry_of(n)) is not None and e.state == Member.MEMBER
        )
        replaced = s.wanted is not None and staying >= s.wanted
        if node.availability != "drain":
            if replaced or s.view.now - entry.since >= JOIN_FIRST:
                return Action(Do.DRAIN, f"9: {entry.instance} leaves; " + ("replaced" if replaced else "quorum stays"),
                              node.id)  # fmt: skip
            return None
        if s.running.get(node.id, 0) and s.lasting(f"drained {node.id}") < DRAIN:
            return None
        return Action(Do.DEMOTE, f"9: {entry.instance} leaves", node.id)
    return None


def _cure(s: StewardView) -> Action | None:
    """15: a restored manager sits in the raft at a dead address."""
    record = s.view.record
    if record is None or not record.redirect:
        return None
    restored = [n for n in s.managers if n.address in record.redirect]
    for node in restored:
        # both must be settled: the redirect carries the raft until the restored manager is out
        others = [n for n in s.managers if n.id != node.id and s.votes(n)
                  and (e := s.entry_of(n)) and e.state == Member.MEMBER]  # fmt: skip
        if others and _keeps_quorum(s, node):
            return Action(Do.CURE, f"15: {node.hostname} joins again under its own address", node.id)
    if not restored and s.managers:
        return Action(Do.CLEAR, "15: nobody has the old address any more")
    return None


def _admit(s: StewardView) -> Action | None:
    """6: one joiner at a time, into the zone with the fewest managers."""
    held = s.view.steward
    ledger = s.view.ledger
    if held is None or any(e.state == Member.JOINING for e in ledger.values() if not is_dead(e, s.view.gone)):
        return None
    pending = ledger.get(held.admit or "")
    if pending and pending.state == Member.WAITING and pending.tried != held.ticket \
            and s.view.now - held.admitted < TICKET:  # fmt: skip
        return None
    voting = sum(s.votes(n) for n in s.managers)
    if voting < len(s.managers) and voting < majority(len(s.managers) + 1):
        return None  # dead: remove before join; a joiner that died now would take the quorum with it
    per_zone = [n.zone for n in s.managers]
    waiting = [e for e in ledger.values() if e.state == Member.WAITING and not is_dead(e, s.view.gone)]
    # two members at one address: the redirect would send the raft's words for the joiner to the restored manager
    taken = set((s.view.record.redirect if s.view.record else None) or {})
    fresh = [e for e in waiting if s.lifecycle(e.instance) not in LEAVING_STATES and e.address not in taken]
    if not fresh:
        return None
    # one that let its ticket lapse or failed goes behind the others
    chosen = min(fresh, key=lambda e: (e.instance == held.admit, per_zone.count(e.zone), e.since, e.instance))
    if chosen.instance == held.admit and s.view.now - held.admitted < RETRY:
        return None
    return Action(Do.ADMIT, f"6: zone {chosen.zone}", chosen.instance)


def _scale_in(s: StewardView) -> Action | None:
    """9: a group shall be smaller: managers are protected from scale-in, so one at a time goes, a follower first."""
    entries = s.view.ledger.values()
    if any(e.state != Member.MEMBER for e in entries) or not all(s.votes(n) for n in s.managers):
        return None
    groups = [g for g in s.groups if g.role == "manager"]
    if any(state == "InService" and i not in g.protected for g in groups for i, state in g.instances.items()):
        return None
    for group in groups:
        inside = [i for i, state in group.instances.items() if state == "InService" and i in s.view.ledger]
        if len(inside) <= group.desired or not s.wanted:
            continue
        rows = [(n.leader, n.instance) for n in s.managers if n.instance in inside and _keeps_quorum(s, n)]
        if rows:
            return Action(Do.UNPROTECT, f"9: {group.name} shall have {group.desired}", min(rows)[1])
    return None


def _unreachable(s: StewardView) -> Action | None:
    """8: alive for EC2, dead for the swarm."""
    held = s.view.steward
    if held is None or s.view.now - held.unhealthy_at < UNREACHABLE:
        return None
    for node in s.managers:
        entry = s.entry_of(node)
        if node.reachable or entry is None or s.lasting(f"unreachable {node.id}") < UNREACHABLE:
            continue
        if entry.instance not in s.view.gone and _keeps_quorum(s, node):
            return Action(Do.UNHEALTHY, "8: unreachable for ten minutes", entry.instance)
    return None


def _workers_leaving(s: StewardView) -> Action | None:
    """9: workers that Auto Scaling takes out; drained once no load balancer sends to them."""
    for node in s.nodes:
        if node.is_manager or node.availability == "drain" or not node.ready or node.instance in s.view.ledger:
            continue
        if s.lifecycle(node.instance) in LEAVING_STATES:
            if node.instance in s.in_service and s.lasting(f"draining {node.instance}") < 60:
                continue
            return Action(Do.DRAIN, f"9: worker {node.instance} leaves", node.id)
    return None


def missing_workers(groups: tuple[Group, ...], nodes: tuple[Node, ...]) -> list[str]:
    """Workers that Auto Scaling has in service and the swarm does not see."""
    ready = {n.instance for n in nodes if n.ready}
    rows = [(i, state) for g in groups if g.role == "worker" for i, state in g.instances.items()]
    return sorted(i for i, state in rows if state == "InService" and i not in ready)


def _rejoin(s: StewardView) -> Action | None:
    """17: workers that the swarm lost; asked again every ten minutes."""
    held = s.view.steward
    if held is None:
        return None
    missing = missing_workers(s.groups, s.nodes)
    for instance in missing:
        asked = float(held.rejoin.get(instance, 0))
        if s.lasting(f"missing {instance}") >= REJOIN_AFTER and s.view.now - asked >= 5 * REJOIN_AFTER:
            return Action(Do.ASK_REJOIN, "17: in service, but not in the swarm", instance)
    return None


def _labels(s: StewardView) -> Action | None:
    """Engine labels ``timonel.label.X`` and the zone become node labels, which placement rules can use."""
    for node in s.nodes:
        if wanted_labels(node) != node.labels:
            return Action(Do.LABEL, "labels", node.id)
    return None


def wanted_labels(node: Node) -> dict[str, str]:
    """A node's labels: what others set stays, what the configuration says wins."""
    prefix = "timonel.label."
    own = {k[len(prefix) :]: v for k, v in node.engine_labels.items() if k.startswith(prefix)}
    own |= {k: v for k, v in node.engine_labels.items() if k in {"timonel.instance", "timonel.zone", "timonel.pool"}}
    return {**node.labels, **own}


def _rotate(s: StewardView) -> Action | None:
    """10, 16: by schedule, and after a recovery once the cluster is whole."""
    held, record = s.view.steward, s.view.record
    if held is None or record is None:
        return None
    joining = any(e.state in {Member.JOINING, Member.WAITING} for e in s.view.ledger.values())
    if record.rotate:
        cured = not record.redirect or s.wanted == 1
        whole = s.wanted is not None and sum(s.votes(n) for n in s.managers) >= s.wanted and cured
        whole = whole and not joining and not missing_workers(s.groups, s.nodes)
        if whole or s.view.now - record.updated >= ROTATE_PATIENCE:
            return Action(Do.RECOVERED, "16: the snapshot had the tokens: rotate them")
        return None
    days = s.rotate_token_days
    if days and not joining and held.rotated and s.view.now - held.rotated >= days * 86400:
        return Action(Do.ROTATE, f"10: tokens are {days} days old")
    return None


def _snapshot(s: StewardView) -> Action | None:
    """10: after each change of membership, and every N minutes."""
    held = s.view.steward
    if held is None:
        return None
    if sorted(n.id for n in s.managers) != held.snapshot_members:
        if any(e.state == Member.JOINING for e in s.view.ledger.values()) and s.view.now - held.snapshot_at < TICKET:
            return None
        return Action(Do.SNAPSHOT, "10: membership changed")
    if s.view.now - held.snapshot_at >= s.snapshot_minutes * 60:
        return Action(Do.SNAPSHOT, f"10: {s.snapshot_minutes} min")
    return None
