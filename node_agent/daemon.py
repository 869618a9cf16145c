"""dockerd's configuration and its systemd service."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from node_agent import pki
from node_agent.config import AgentConfig
from node_agent.engine import INSTANCE, ZONE
from node_agent.files import write_atomically
from node_agent.ports import AwayError, Identity
from node_agent.run import run

DAEMON_JSON = Path("/etc/docker/daemon.json")
DROP_IN = Path("/etc/systemd/system/docker.service.d/timonel.conf")
API_PORT = 2376
METRICS = "0.0.0.0:9323"
"""Scraped by the monitoring stack; reachable only where a security group lets it be."""
LOG_CAP = {"max-size": "10m", "max-file": "3"}


def render(config: AgentConfig, me: Identity, engine_major: int, endpoint: str | None) -> dict[str, Any]:
    """``daemon.json``. ``endpoint``: of CloudWatch Logs where it is not AWS's own."""
    labels = {INSTANCE: me.instance, ZONE: me.zone, "timonel.pool": config.pool}
    labels |= {f"timonel.label.{key}": value for key, value in config.labels.items()}
    found: dict[str, Any] = {
        "bip": config.docker_bridge,
        "default-address-pools": [{"base": config.gwbridge_pool, "size": 24}],
        "mtu": config.mtu,
        "labels": [f"{key}={value}" for key, value in sorted(labels.items())],
        "live-restore": False,  # Swarm refuses to run with it
        "metrics-addr": METRICS,
        "log-driver": "json-file",
        "log-opts": LOG_CAP,
    }
    if engine_major < 23:
        found["experimental"] = True  # older engines serve metrics only then
    elif config.mtu != 1500:
        found["default-network-opts"] = {"overlay": {"com.docker.network.driver.mtu": str(config.mtu)}}
    if config.log_group:
        found["log-driver"] = "awslogs"
        options = {"awslogs-group": config.log_group, "awslogs-region": config.region, "mode": "non-blocking",
                   "max-buffer-size": "4m", "tag": "{{.Name}}"}  # fmt: skip
        found["log-opts"] = {**options, **({"awslogs-endpoint": endpoint} if endpoint else {})}
    if config.is_manager:
        files = pki.paths()
        found |= {"tlsverify": True, "tlscacert": str(files.ca), "tlscert": str(files.certificate),
                  "tlskey": str(files.key)}  # fmt: skip
    return found


def drop_in(config: AgentConfig, dockerd: str) -> str:
    """The service's own command line names its sockets, and ``hosts`` in daemon.json would clash with it."""
    api = f" -H tcp://0.0.0.0:{API_PORT}" if config.is_manager else ""
    command = f"{dockerd} -H fd://{api} --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
    lines = [
        "[Unit]",
        "StartLimitIntervalSec=0",
        "[Service]",
        "EnvironmentFile=-/etc/default/docker",
        "ExecStart=",
        f"ExecStart={command}",
    ]
    return "\n".join([*lines, "Restart=always", "RestartSec=2", ""])


def ensure(config: AgentConfig, me: Identity) -> bool:
    """Writes the configuration and starts dockerd, anew when something changed. Returns whether it changed."""
    dockerd = shutil.which("dockerd") or "/usr/bin/dockerd"
    told = run([dockerd, "--version"]).decode()
    found = re.search(r"(\d+)\.", told)
    major = int(found[1]) if found else 0
    endpoint = os.environ.get("AWS_ENDPOINT_URL_LOGS") or os.environ.get("AWS_ENDPOINT_URL")
    text = json.dumps(render(config, me, major, endpoint), indent=1, sort_keys=True) + "\n"
    changed = write_atomically(DAEMON_JSON, text.encode(), 0o644)
    changed |= write_atomically(DROP_IN, drop_in(config, dockerd).encode(), 0o644)
    if changed:
        run(["systemctl", "daemon-reload"])
    run(["systemctl", "enable", "docker.service"])
    run(["systemctl", "restart" if changed else "start", "docker.service"], timeout=180)
    return changed


def stop() -> None:
    """Stops dockerd, and the socket that would start it again."""
    run(["systemctl", "stop", "docker.socket", "docker.service"], timeout=180)


def start() -> None:
    """Starts dockerd."""
    run(["systemctl", "start", "docker.socket", "docker.service"], timeout=180)


def runs() -> bool:
    """Whether systemd says that dockerd has started and not ended."""
    try:
        return run(["systemctl", "is-active", "docker.service"]).strip() == b"active"
    except AwayError:
        return False


def kill() -> None:
    """Ends dockerd without asking it; its unit starts it again."""
    run(["systemctl", "kill", "--signal=KILL", "docker.service"])
