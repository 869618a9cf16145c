"""What an alert can be made of, for node_exporter's textfile collector.

The file says what the last pass saw. The targets' own labels (node, zone, role, instance) come from service discovery;
a series about another node than the one that tells it carries that node's hostname as ``subject``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from node_agent import pki
from node_agent.config import AgentConfig
from node_agent.files import write_atomically
from node_agent.ports import AwayError, NoLeaderError, Service, SwarmError
from node_agent.world import Facts, NodeFact

PATH = Path("/var/lib/timonel/metrics/timonel.prom")
NODE_CERTIFICATE = Path("/var/lib/docker/swarm/certificates/swarm-node.crt")
SERVICES_EVERY = 10.0
"""Seconds between the leader's readings of the services' tasks."""
LOST_KEPT = 300.0
"""Seconds that a node which died stays in the file once it is out of the swarm: longer than any alert waits."""

HELP = {
    "timonel_agent_last_pass_timestamp_seconds": "When the agent last finished a pass; old means a dead agent",
    "timonel_aws_unanswered_passes": "Passes in a row that ended because AWS or dockerd did not answer",
    "timonel_dockerd_kills": "How often this agent, since it started, has killed a dockerd that was silent",
    "timonel_epoch": "Epoch of the cluster; raised by each recovery",
    "timonel_lifecycle_hook_held_seconds": "How long this instance's termination has been held",
    "timonel_node_certificate_expiry_timestamp_seconds": "End of this node's swarm certificate; dockerd renews it",
    "timonel_has_leader": "1 while this manager sees a leader",
    "timonel_is_leader": "1 on the swarm's leader, whose agent is the steward",
    "timonel_recovery_blocked": "1 while a recovery, or the record, waits for a human",
    "timonel_record_live": "1 while the cluster lives; 0 while it is being made or recovered",
    "timonel_record_holder_dead": "1 while the instance that makes or recovers the cluster is gone",
    "timonel_api_certificate_expiry_timestamp_seconds": "End of the Docker API's server certificate",
    "timonel_ca_certificate_expiry_timestamp_seconds": "End of the certificate authority of the Docker API",
    "timonel_snapshot_timestamp_seconds": "When the last raft snapshot was uploaded (leader)",
    "timonel_snapshot_interval_seconds": "How often a raft snapshot is due (leader)",
    "timonel_token_rotated_timestamp_seconds": "When the join tokens were last rotated (leader)",
    "timonel_token_rotation_seconds": "How often the join tokens are to be rotated; 0: never (leader)",
    "timonel_recovered_timestamp_seconds": "When the cluster was last recovered; 0: never (leader)",
    "timonel_managers": "Managers in the raft (leader)",
    "timonel_managers_wanted": "Managers that Auto Scaling wants (leader)",
    "timonel_managers_reachable": "Managers in the raft that answer (leader)",
    "timonel_quorum_margin": "How many more managers may fail before the quorum is lost (leader)",
    "timonel_zone_imbalance": "Difference between the zones with most and fewest managers (leader)",
    "timonel_manager_reachable": "1 while the leader reaches this manager (leader)",
    "timonel_node_ready": "1 while the swarm calls the node ready (leader)",
    "timonel_node_leaving": "1 while the node is drained or goes by the group's own will (leader)",
    "timonel_node_lost": "1 from the death of a node that was not leaving, kept for five minutes after it left the "
    "swarm's list (leader)",
    "timonel_service_replicas_wanted": "Tasks that the service shall have (leader)",
    "timonel_service_replicas_running": "Tasks of the service that run (leader)",
}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Certificates:
    """Ends of the certificates on this host, read again only when a file changed."""

    node: Path = NODE_CERTIFICATE
    folder: Path = pki.FOLDER

    def __post_init__(self) -> None:
        self._known: dict[Path, tuple[float, float]] = {}

    def ends(self, is_manager: bool) -> dict[str, float]:
        """Metric name to end, seconds since the epoch; a certificate that is not there is left out."""
        files = pki.paths(self.folder)
        named = {"node": self.node}
        if is_manager:
            named |= {"api": files.certificate, "ca": files.ca}
        found = {f"timonel_{name}_certificate_expiry_timestamp_seconds": self._end(path)
                 for name, path in named.items()}  # fmt: skip
        return {name: end for name, end in found.items() if end}

    def _end(self, path: Path) -> float:
        if not path.exists():
            return 0.0
        changed = path.stat().st_mtime
        if self._known.get(path, (None, 0.0))[0] != changed:
            self._known[path] = (changed, pki.end_of(path))
        return self._known[path][1]


class Fates:
    """What became of each node, by hostname: the swarm's list forgets a dead node, an alert must not."""

    def __init__(self) -> None:
        self._going: set[str] = set()
        self._lost: dict[str, float] = {}

    def update(self, nodes: tuple[NodeFact, ...], now: float) -> dict[str, tuple[bool, bool, bool]]:
        """Hostname to (ready, leaving, lost)."""
        found: dict[str, tuple[bool, bool, bool]] = {}
        for name in {n.hostname for n in nodes}:
            same = [n for n in nodes if n.hostname == name]  # a node that joined again is listed twice for a while
            ready = any(n.ready for n in same)
            if any((n.drained and not n.unhealthy) or (n.ready and n.leaving) for n in same):
                self._going.add(name)
            elif ready:
                self._going.discard(name)
            lost = not ready and name not in self._going
            if lost:
                self._lost[name] = now
            else:
                self._lost.pop(name, None)
            found[name] = (ready, name in self._going, lost)
        self._going &= set(found)
        self._lost = {name: at for name, at in self._lost.items() if now - at < LOST_KEPT}
        return found | {name: (False, False, True) for name in self._lost if name not in found}


class Metrics:
    """Writes the file after each pass."""

    def __init__(
        self,
        config: AgentConfig,
        services: Callable[[], list[Service]],
        log: Callable[..., None],
        path: Path = PATH,
        certificates: Certificates | None = None,
    ) -> None:
        """Args:
        config: of this agent.
        services: the swarm's services; asked on the leader only.
        log: where a failure is told; the agent goes on.
        path: of the file.
        certificates: where this host's certificates are.
        """
        self._config, self._services, self._log, self._path = config, services, log, path
        self._certificates = certificates or Certificates()
        self._fates = Fates()
        self._read = -1e9
        self._told: list[Service] = []

    def write(self, facts: Facts, now: float) -> None:
        """Writes the file, whole or not at all. Never raises for what the host or dockerd refuses."""
        try:
            self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_atomically(self._path, self.render(facts, now).encode(), 0o644)
        except (AwayError, OSError, ValueError) as error:
            self._log("metrics", "failed", error=str(error))

    def render(self, facts: Facts, now: float) -> str:
        """The exposition text. What only a manager or the leader knows is written there only."""
        rows: dict[str, dict[Labels, float]] = {}
        plain: dict[str, float] = {
            "timonel_agent_last_pass_timestamp_seconds": facts.passed,
            "timonel_aws_unanswered_passes": facts.away,
            "timonel_dockerd_kills": facts.dockerd_kills,
            "timonel_epoch": facts.epoch,
            "timonel_lifecycle_hook_held_seconds": facts.hook_held,
            **self._ends(),
        }
        if self._config.is_manager:
            plain |= {
                "timonel_has_leader": facts.has_leader,
                "timonel_is_leader": facts.leads,
                "timonel_recovery_blocked": bool(facts.blocked),
                "timonel_record_live": facts.live,
                "timonel_record_holder_dead": facts.holder_dead,
            }
        if facts.leads and facts.led:
            plain |= self._of_the_leader(facts)
            rows |= self._of_others(facts, now)
        rows |= {name: {(): value} for name, value in plain.items()}
        return "".join(_family(name, rows[name]) for name in HELP if name in rows)

    def _ends(self) -> dict[str, float]:
        try:
            return self._certificates.ends(self._config.is_manager)
        except (AwayError, OSError) as error:
            self._log("certificates", "unread", error=str(error))
            return {}

    def _of_the_leader(self, facts: Facts) -> dict[str, float]:
        return {
            "timonel_snapshot_timestamp_seconds": facts.snapshot_at,
            "timonel_snapshot_interval_seconds": self._config.snapshot_minutes * 60,
            "timonel_token_rotated_timestamp_seconds": facts.rotated,
            "timonel_token_rotation_seconds": self._config.rotate_token_days * 86400,
            "timonel_recovered_timestamp_seconds": facts.recovered_at,
            "timonel_managers": facts.managers,
            "timonel_managers_wanted": facts.wanted,
            "timonel_managers_reachable": facts.reachable,
            "timonel_quorum_margin": facts.margin,
            "timonel_zone_imbalance": facts.unbalanced,
        }

    def _of_others(self, facts: Facts, now: float) -> dict[str, dict[Labels, float]]:
        fates = {(("subject", name),): fate for name, fate in self._fates.update(facts.nodes, now).items()}
        managers: dict[Labels, float] = {}
        for node in facts.nodes:
            if node.manager:
                key = (("subject", node.hostname),)
                managers[key] = max(node.reachable, managers.get(key, 0))
        services = [((("service", s.name),), s) for s in self._tasks(now)]
        return {
            "timonel_node_ready": {key: fate[0] for key, fate in fates.items()},
            "timonel_node_leaving": {key: fate[1] for key, fate in fates.items()},
            "timonel_node_lost": {key: fate[2] for key, fate in fates.items()},
            "timonel_manager_reachable": managers,
            "timonel_service_replicas_wanted": {key: s.wanted for key, s in services},
            "timonel_service_replicas_running": {key: s.running for key, s in services},
        }

    def _tasks(self, now: float) -> list[Service]:
        if now - self._read >= SERVICES_EVERY:
            self._read, self._told = now, []
            try:
                self._told = self._services()
            except (AwayError, NoLeaderError, SwarmError) as error:
                self._log("metrics", "away", error=str(error))
        return self._told


def _family(name: str, values: dict[Labels, float]) -> str:
    lines = [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge"]
    for labels, value in sorted(values.items()):
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        lines.append(f"{name}{{{told}}} {float(value):.17g}" if told else f"{name} {float(value):.17g}")
    return "\n".join(lines) + "\n" if values else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
