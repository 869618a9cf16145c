"""One Datadog dashboard with what matters of the Grafana ones."""

import json
from typing import Any

_ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Quorum margin", ("min:timonel.quorum_margin{SCOPE}",)),
    ("Managers reachable and wanted", ("max:timonel.managers_reachable{SCOPE}", "max:timonel.managers_wanted{SCOPE}")),
    ("Leader", ("max:timonel.is_leader{SCOPE} by {host}",)),
    ("Nodes ready", ("max:timonel.node_ready{SCOPE} by {subject}",)),
    ("Tasks of the services", ("max:timonel.service_replicas_running{SCOPE} by {swarm_service}",
                               "max:timonel.service_replicas_wanted{SCOPE} by {swarm_service}")),
    ("Raft snapshot, age in seconds", ("min:timonel.snapshot_age_seconds{SCOPE}",)),
    ("Agent, seconds since its last pass", ("max:timonel.agent_last_pass_age_seconds{SCOPE} by {host}",)),
    ("Processor idle, percent", ("avg:system.cpu.idle{SCOPE} by {host}",)),
    ("Memory usable, share", ("avg:system.mem.pct_usable{SCOPE} by {host}",)),
    ("Disk in use, share", ("max:system.disk.in_use{SCOPE} by {host,device}",)),
    ("Containers' processor, by service", ("sum:docker.cpu.usage{SCOPE} by {swarm_service}",)),
    ("Containers' memory, by service", ("sum:docker.mem.rss{SCOPE} by {swarm_service}",)),
)  # fmt: skip


def datadog_dashboard(cluster: str) -> str:
    """The dashboard as Datadog's API takes it (POST /api/v1/dashboard): argument of ``pulumi_datadog.DashboardJson``.

    Args:
        cluster: the cluster whose agents send the tag ``cluster:<cluster>``.
    """
    scope = f"cluster:{cluster}"
    widgets = [
        {"definition": {
            "type": "timeseries", "title": title,
            "requests": [{"q": query.replace("SCOPE", scope), "display_type": "line"} for query in queries],
        }}
        for title, queries in _ROWS
    ]  # fmt: skip
    drawn: dict[str, Any] = {
        "title": f"Timonel: {cluster}",
        "description": "Swarm, nodes and containers. The alerts: monitors with the tag " + scope,
        "layout_type": "ordered",
        "widgets": widgets,
    }
    return json.dumps(drawn, sort_keys=True)
