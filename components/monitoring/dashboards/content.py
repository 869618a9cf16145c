"""The dashboards: nodes, swarm, containers, alerts."""

from components.monitoring.dashboards.models import Dashboard, Kind, Panel, Query, Scale

_FILES = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"'
_SERVICE = "container_label_com_docker_swarm_service_name"
_OF_SERVICES = f'{_SERVICE}!=""'


def _number(title: str, expr: str, scale: Scale = Scale.COUNT, description: str = "") -> Panel:
    return Panel(title, (Query(expr),), scale, Kind.NUMBER, description, width=6)


def _lines(title: str, expr: str, legend: str, scale: Scale = Scale.COUNT, description: str = "") -> Panel:
    return Panel(title, (Query(expr, legend),), scale, Kind.LINES, description)


NODES = Dashboard(
    "nodes",
    "Timonel: nodes",
    (
        _number("Nodes that answer", 'sum(up{job="node"})'),
        _number("Nodes that do not", 'count(up{job="node"} == 0) or vector(0)'),
        _number("Processor cores", 'count(node_cpu_seconds_total{mode="idle"})'),
        _number("Memory", "sum(node_memory_MemTotal_bytes)", Scale.BYTES),
        _lines(
            "Processor in use",
            '1 - avg by (node) (rate(node_cpu_seconds_total{mode="idle"}[5m]))',
            "{{node}}",
            Scale.SHARE,
            "A manager that is short of it may lose the leadership.",
        ),
        _lines(
            "Memory in use",
            "max by (node) (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
            "{{node}}",
            Scale.SHARE,
        ),
        _lines(
            "Disk in use",
            "1 - max by (node, mountpoint) "
            f"(node_filesystem_avail_bytes{{{_FILES}}} / node_filesystem_size_bytes{{{_FILES}}})",
            "{{node}} {{mountpoint}}",
            Scale.SHARE,
        ),
        _lines("Load over five minutes", "max by (node) (node_load5)", "{{node}}"),
        Panel(
            "Network",
            (
                Query('sum by (node) (rate(node_network_receive_bytes_total{device!="lo"}[5m]))', "{{node}} received"),
                Query('-sum by (node) (rate(node_network_transmit_bytes_total{device!="lo"}[5m]))', "{{node}} sent"),
            ),
            Scale.BYTES_PER_SECOND,
        ),
        Panel(
            "Disk traffic",
            (
                Query("sum by (node) (rate(node_disk_read_bytes_total[5m]))", "{{node}} read"),
                Query("-sum by (node) (rate(node_disk_written_bytes_total[5m]))", "{{node}} written"),
            ),
            Scale.BYTES_PER_SECOND,
        ),
    ),
)

SWARM = Dashboard(
    "swarm",
    "Timonel: swarm",
    (
        _number(
            "Quorum margin",
            "min(timonel_quorum_margin)",
            description="Managers that may still fail before the quorum is lost.",
        ),
        _number("Managers reachable", "max(timonel_managers_reachable)"),
        _number("Managers wanted", "max(timonel_managers_wanted)"),
        _number("Nodes ready", "sum(max by (subject) (timonel_node_ready))"),
        _number("Raft snapshot, age", "time() - max(timonel_snapshot_timestamp_seconds)", Scale.SECONDS),
        _number("Join tokens, age", "time() - max(timonel_token_rotated_timestamp_seconds)", Scale.SECONDS),
        _number("Epoch", "max(timonel_epoch)", description="Raised by each recovery."),
        _number("Recovery waits for a human", "max(timonel_recovery_blocked)"),
        _lines("Leader", "max by (node) (timonel_is_leader)", "{{node}}"),
        _lines("Sees a leader", "max by (node) (timonel_has_leader)", "{{node}}"),
        Panel(
            "Tasks of the services",
            (
                Query("max by (service) (timonel_service_replicas_running)", "{{service}} running"),
                Query("max by (service) (timonel_service_replicas_wanted)", "{{service}} wanted"),
            ),
        ),
        _lines("Nodes ready, by node", "max by (subject) (timonel_node_ready)", "{{subject}}"),
        _lines(
            "Agent, seconds since its last pass",
            "max by (node) (time() - timonel_agent_last_pass_timestamp_seconds)",
            "{{node}}",
            Scale.SECONDS,
        ),
        _lines("Passes without an answer", "max by (node) (timonel_aws_unanswered_passes)", "{{node}}"),
        _lines(
            "Swarm certificate, time left",
            "min by (node) (timonel_node_certificate_expiry_timestamp_seconds) - time()",
            "{{node}}",
            Scale.SECONDS,
        ),
        _lines("Termination held", "max by (node) (timonel_lifecycle_hook_held_seconds)", "{{node}}", Scale.SECONDS),
    ),
)

CONTAINERS = Dashboard(
    "containers",
    "Timonel: containers",
    (
        _lines(
            "Processor, by service",
            f"sum by ({_SERVICE}) (rate(container_cpu_usage_seconds_total{{{_OF_SERVICES}}}[5m]))",
            f"{{{{{_SERVICE}}}}}",
            Scale.CORES,
            "In cores.",
        ),
        _lines(
            "Memory, by service",
            f"sum by ({_SERVICE}) (container_memory_working_set_bytes{{{_OF_SERVICES}}})",
            f"{{{{{_SERVICE}}}}}",
            Scale.BYTES,
            "The working set: what the kernel cannot give back.",
        ),
        _lines(
            "Containers, by service",
            f"count by ({_SERVICE}) (container_last_seen{{{_OF_SERVICES}}})",
            f"{{{{{_SERVICE}}}}}",
        ),
        _lines("Containers, by node", f"count by (node) (container_last_seen{{{_OF_SERVICES}}})", "{{node}}"),
        _lines(
            "Received, by service",
            f"sum by ({_SERVICE}) (rate(container_network_receive_bytes_total{{{_OF_SERVICES}}}[5m]))",
            f"{{{{{_SERVICE}}}}}",
            Scale.BYTES_PER_SECOND,
        ),
        _lines(
            "Sent, by service",
            f"sum by ({_SERVICE}) (rate(container_network_transmit_bytes_total{{{_OF_SERVICES}}}[5m]))",
            f"{{{{{_SERVICE}}}}}",
            Scale.BYTES_PER_SECOND,
        ),
    ),
)

ALERTS = Dashboard(
    "alerts",
    "Timonel: alerts and monitoring",
    (
        Panel(
            "Firing",
            (Query('sum by (alertname, severity, area, node, service) (ALERTS{alertstate="firing"})'),),
            kind=Kind.TABLE,
            description="Watchdog always fires: it shows the receiver outside that monitoring lives.",
            width=24,
        ),
        _number("Critical", 'count(ALERTS{alertstate="firing",severity="critical"}) or vector(0)'),
        _number("Warnings", 'count(ALERTS{alertstate="firing",severity="warning"}) or vector(0)'),
        _number("About to fire", 'count(ALERTS{alertstate="pending"}) or vector(0)'),
        _number("Targets that do not answer", "count(up == 0) or vector(0)"),
        _lines("Alerts over time", 'count by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),
        Panel(
            "Targets, by job",
            (Query("sum by (job) (up)", "{{job}} up"), Query("count by (job) (up)", "{{job}} known")),
        ),
        _lines(
            "Messages sent, by receiver",
            "sum by (integration) (rate(alertmanager_notifications_total[5m]))",
            "{{integration}}",
            Scale.PER_SECOND,
        ),
        _lines(
            "Messages failed, by receiver",
            "sum by (integration) (rate(alertmanager_notifications_failed_total[5m]))",
            "{{integration}}",
            Scale.PER_SECOND,
        ),
        _lines(
            "Evaluation of the rules",
            "max by (rule_group) (prometheus_rule_group_last_duration_seconds)",
            "{{rule_group}}",
            Scale.SECONDS,
        ),
        _lines("Series in memory", "max by (instance) (prometheus_tsdb_head_series)", "{{instance}}"),
    ),
)

DASHBOARDS = (NODES, SWARM, CONTAINERS, ALERTS)
