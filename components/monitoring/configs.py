"""What Prometheus and Alertmanager read, as pure functions of the arguments. No secret stands in it: files hold them.

Prometheus: https://prometheus.io/docs/prometheus/latest/configuration/configuration/
Alertmanager: https://prometheus.io/docs/alerting/latest/configuration/
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from components.monitoring.args import PrometheusArgs, ReceiverArgs, ReceiverKind

USER = "timonel"
PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093
GRAFANA_PORT = 3000
ON_MANAGERS = ("node.role==manager",)
GOSSIP_PORT = 9094
"""Among the Alertmanagers, inside their overlay network."""
NODE_PORTS = {"node": 9337, "cadvisor": 9338, "dockerd": 9323}
"""Scraped on every node, by job. dockerd's is the node agent's choice; not 9100, where an image may run a
node_exporter of its own."""
SECRETS = "/run/secrets"
CA_FILE = "/etc/timonel/ca.pem"
CERTIFICATE_FILE = "/etc/timonel/server.pem"
DOCKER_SOCKET = "unix:///host/run/docker.sock"
_META = "__meta_dockerswarm_node_"
_LABELS = {
    "node": f"{_META}hostname",
    "role": f"{_META}role",
    "instance_id": f"{_META}label_timonel_instance",
    "zone": f"{_META}label_timonel_zone",
}
"""Never from a node's status, availability or leadership: a label that changes makes another series of it."""


def has_grafana(args: Mapping[str, Any]) -> bool:
    """Whether the dashboards are shown."""
    return bool(args.get("enable_grafana", True))


def operator_ports(args: Mapping[str, Any]) -> list[int]:
    """Ports of the managers that operators reach."""
    return [PROMETHEUS_PORT, ALERTMANAGER_PORT, *([GRAFANA_PORT] if has_grafana(args) else [])]


def prometheus(args: PrometheusArgs, service: str, alertmanager: str) -> str:
    """``prometheus.yml``. ``service`` and ``alertmanager``: names of the swarm's services."""
    interval = f"{int(args.get('scrape_interval_seconds', 15))}s"
    document: dict[str, Any] = {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": f"{min(10, int(args.get('scrape_interval_seconds', 15)))}s",
            "evaluation_interval": interval,
            "external_labels": {"cluster": args["cluster"], "replica": "${REPLICA}"},
        },
        "rule_files": ["/etc/timonel/rules.yml"],
        "alerting": {
            # Both replicas must send the same alert, else Alertmanager tells it twice.
            "alert_relabel_configs": [{"regex": "replica", "action": "labeldrop"}],
            "alertmanagers": [_own(alertmanager, "alertmanager", ALERTMANAGER_PORT)],
        },
        "scrape_configs": [
            *[_nodes(job, port) for job, port in NODE_PORTS.items()],
            {"job_name": "prometheus", **_own(service, "prometheus", PROMETHEUS_PORT)},
            {"job_name": "alertmanager", **_own(alertmanager, "alertmanager", ALERTMANAGER_PORT)},
        ],
    }
    remote = args.get("remote_write")
    if remote is not None:
        target: dict[str, Any] = {"url": remote["url"]}
        if "username" in remote:
            target["basic_auth"] = {"username": remote["username"], "password_file": f"{SECRETS}/remote-write"}
        document["remote_write"] = [target]
    return _yaml(document)


def alertmanager(args: PrometheusArgs) -> str:
    """``alertmanager.yml``."""
    receivers = args.get("receivers", [])
    routes: list[dict[str, Any]] = []
    has_switch = "dead_mans_switch" in args
    # A repetition waits for the group's next turn: one of 60 s would miss the second turn by a hair and come after 90.
    watchdog = {"group_wait": "0s", "group_interval": "30s", "repeat_interval": "50s"} if has_switch else {}
    routes.append(
        {"receiver": "dead-mans-switch" if has_switch else "nobody", "matchers": ['alertname="Watchdog"'], **watchdog}
    )
    for index, receiver in enumerate(receivers):
        only = {"matchers": ['severity="critical"']} if receiver.get("critical_only") else {}
        routes.append({"receiver": _name(index, receiver), "continue": True, **only})
    known: list[dict[str, Any]] = [{"name": "nobody"}]
    if has_switch:
        known.append(
            {
                "name": "dead-mans-switch",
                "webhook_configs": [{"url_file": f"{SECRETS}/dead-mans-switch", "send_resolved": False}],
            }
        )
    known += [_receiver(index, receiver) for index, receiver in enumerate(receivers)]
    return _yaml(
        {
            "route": {
                "receiver": "nobody",
                "group_by": ["alertname", "cluster"],
                "group_wait": f"{int(args.get('group_wait_seconds', 10))}s",
                "group_interval": f"{int(args.get('group_interval_seconds', 60))}s",
                "repeat_interval": f"{int(args.get('repeat_hours', 12))}h",
                "routes": routes,
            },
            "receivers": known,
        }
    )


def gossip(service: str, count: int) -> list[str]:
    """Arguments with which Alertmanagers are a cluster. ``service``: the swarm's service of all of them."""
    if count == 1:
        return ["--cluster.listen-address="]
    # tasks.NAME lists every replica; it is asked again all the time, so one that moved is found.
    return [f"--cluster.listen-address=0.0.0.0:{GOSSIP_PORT}", f"--cluster.peer=tasks.{service}:{GOSSIP_PORT}"]


def web(bcrypt: str) -> str:
    """``web.yml`` of either: TLS and the password, whose hash makes this file a secret."""
    return _yaml(
        {
            "tls_server_config": {"cert_file": CERTIFICATE_FILE, "key_file": f"{SECRETS}/server.key"},
            "basic_auth_users": {USER: bcrypt},
        }
    )


def receiver_file(index: int) -> str:
    """Name of the file that holds a receiver's secret."""
    return f"receiver-{index}"


def _nodes(job: str, port: int) -> dict[str, Any]:
    relabelled: list[Mapping[str, Any]] = [
        {"source_labels": [f"{_META}address"], "target_label": "__address__", "replacement": f"${{1}}:{port}"},
        *[{"source_labels": [source], "target_label": target} for target, source in _LABELS.items()],
    ]
    return {
        "job_name": job,
        "dockerswarm_sd_configs": [{"host": DOCKER_SOCKET, "role": "nodes", "refresh_interval": "15s"}],
        # $ is doubled nowhere: Prometheus expands variables in external labels only.
        "relabel_configs": relabelled,
    }


def _own(service: str, server_name: str, port: int) -> dict[str, Any]:
    return {
        "scheme": "https",
        "tls_config": {"ca_file": CA_FILE, "server_name": server_name},
        "basic_auth": {"username": USER, "password_file": f"{SECRETS}/password"},
        "dns_sd_configs": [
            {"names": [f"tasks.{service}"], "type": "A", "port": port, "refresh_interval": "10s"},
        ],
    }


def _name(index: int, receiver: ReceiverArgs) -> str:
    return f"{receiver['kind']}-{index}"


def _receiver(index: int, receiver: ReceiverArgs) -> dict[str, Any]:
    file = f"{SECRETS}/{receiver_file(index)}"
    match ReceiverKind(receiver["kind"]):
        case ReceiverKind.SLACK:
            kind = "slack_configs"
            text = "{{ range .Alerts }}{{ .Annotations.summary }} {{ .Annotations.runbook_url }}\n{{ end }}"
            config: dict[str, Any] = {"api_url_file": file, "channel": receiver["channel"], "text": text}
        case ReceiverKind.EMAIL:
            kind = "email_configs"
            config = {
                "to": receiver["to"],
                "from": receiver["sender"],
                "smarthost": receiver["server"],
                "auth_username": receiver.get("username", receiver["sender"]),
                "auth_password_file": file,
                "require_tls": True,
            }
        case ReceiverKind.PAGERDUTY:
            kind, config = "pagerduty_configs", {"routing_key_file": file}
            if "url" in receiver:
                config["url"] = receiver["url"]
        case ReceiverKind.WEBHOOK:
            kind, config = "webhook_configs", {"url_file": file}
    return {"name": _name(index, receiver), kind: [{**config, "send_resolved": True}]}


def secrets_of(receivers: Sequence[ReceiverArgs]) -> dict[str, Any]:
    """File name to secret, for every receiver."""
    return {receiver_file(index): receiver["secret"] for index, receiver in enumerate(receivers)}


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, width=1000)
