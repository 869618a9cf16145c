"""What an alert can be made of, for node_exporter's textfile collector."""

from __future__ import annotations

from pathlib import Path

from node_agent.files import write_atomically
from node_agent.world import Facts

PATH = Path("/var/lib/node_exporter/timonel.prom")

HELP = {
    "timonel_agent_last_pass_timestamp_seconds": "When the agent last finished a pass; old means a dead agent",
    "timonel_aws_unanswered_passes": "Passes in a row that ended because AWS or dockerd did not answer",
    "timonel_epoch": "Epoch of the cluster; raised by each recovery",
    "timonel_has_leader": "1 while this manager sees a leader",
    "timonel_is_leader": "1 on the swarm's leader, whose agent is the steward",
    "timonel_recovery_blocked": "1 while a recovery, or the record, waits for a human",
    "timonel_recovered_timestamp_seconds": "When the cluster was last recovered; 0: never",
    "timonel_lifecycle_hook_held_seconds": "How long this instance's termination has been held",
    "timonel_api_certificate_expiry_timestamp_seconds": "End of the Docker API's server certificate",
    "timonel_snapshot_timestamp_seconds": "When the last raft snapshot was uploaded (leader)",
    "timonel_token_rotated_timestamp_seconds": "When the join tokens were last rotated (leader)",
    "timonel_managers": "Managers in the raft (leader)",
    "timonel_managers_wanted": "Managers that Auto Scaling wants (leader)",
    "timonel_zone_imbalance": "Difference between the zones with most and fewest managers (leader)",
}


def render(facts: Facts, certificate_ends: float, is_manager: bool) -> str:
    """The exposition text. What only the leader knows is written on the leader only."""
    values: dict[str, float] = {
        "timonel_agent_last_pass_timestamp_seconds": facts.passed,
        "timonel_aws_unanswered_passes": facts.away,
        "timonel_epoch": facts.epoch,
        "timonel_lifecycle_hook_held_seconds": facts.hook_held,
    }
    if is_manager:
        values |= {
            "timonel_has_leader": facts.has_leader,
            "timonel_is_leader": facts.leads,
            "timonel_recovery_blocked": bool(facts.blocked),
            "timonel_api_certificate_expiry_timestamp_seconds": certificate_ends,
        }
    if facts.leads:
        values |= {
            "timonel_snapshot_timestamp_seconds": facts.snapshot_at,
            "timonel_token_rotated_timestamp_seconds": facts.rotated,
            "timonel_recovered_timestamp_seconds": facts.recovered_at,
            "timonel_managers": facts.managers,
            "timonel_managers_wanted": facts.wanted,
            "timonel_zone_imbalance": facts.unbalanced,
        }
    rows = [f"# HELP {n} {HELP[n]}\n# TYPE {n} gauge\n{n} {float(v):.17g}\n" for n, v in values.items()]
    return "".join(rows)


def write(facts: Facts, certificate_ends: float, is_manager: bool, path: Path = PATH) -> None:
    """Writes the file, whole or not at all."""
    write_atomically(path, render(facts, certificate_ends, is_manager).encode(), 0o644)
