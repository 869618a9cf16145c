"""The Docker and Datadog stand-ins under the real engine, and the agent's stand-in on a host."""

import json
from pathlib import Path

import pytest

from sandbox.machines.host import Host
from tests.sandbox.machines.rig import Machines, shell, until
from tests.sandbox.rig import Project

pytestmark = pytest.mark.machines

PROGRAM = """
import base64, json, pulumi, pulumi_docker as docker
from pulumi_datadog.monitor_json import MonitorJson

config = pulumi.Config()
swarm = docker.Provider("swarm", host=config.require("host"))
inside = pulumi.ResourceOptions(provider=swarm)
key = config.require_secret("key").apply(lambda text: base64.b64encode(text.encode()).decode())
secret = docker.Secret("key", data=key, opts=inside)
network = docker.Network("net", driver="overlay", opts=inside)
docker.Service(
    "agent",
    mode={"global_": True},
    task_spec={
        "container_spec": {
            "image": config.require("image"),
            "env": {
                "DD_API_KEY": "ENC[file@/run/secrets/key]",
                "DD_SECRET_BACKEND_COMMAND": "/readsecret_multiple_providers.sh",
                "DD_SITE": "datadoghq.eu",
                "DD_HOSTNAME": "node-1",
                "DD_TAGS": "cluster:c role:manager",
            },
            "secrets": [{"secret_id": secret.id, "secret_name": secret.name, "file_name": "/run/secrets/key"}],
        },
        "networks_advanceds": [{"id": network.id}],
    },
    opts=inside,
)
MonitorJson("down", monitor=json.dumps({
    "name": "NodeDown", "type": "service check", "message": "m", "tags": ["timonel_stack:" + config.require("stack")],
    "query": '"datadog.agent.up".over("cluster:c").by("host").last(2).count_by_status()',
}))
"""


def test_an_agent_reports_with_a_key_that_stands_nowhere_and_all_goes_with_destroy(
    machines: Machines, manager: Host, tmp_path: Path
) -> None:
    leader = manager.leader()
    assert leader is not None
    keys = machines.control("GET", "datadog/keys")
    project = Project(machines, tmp_path / "app", PROGRAM, "app")
    settings = {"app:host": f"unix:///proc/{leader.pid}/root/run/docker.sock", "app:image": "datadog/agent:7"}
    stack = project.stack("dev", settings | {"app:stack": "app/dev"})
    stack.pulumi("config", "set", "--secret", "app:key", keys["api_key"], "-s", "dev").ok()
    stack.pulumi("config", "set", "--secret", "datadog:apiKey", keys["api_key"], "-s", "dev").ok()
    stack.pulumi("config", "set", "--secret", "datadog:appKey", keys["app_key"], "-s", "dev").ok()
    stack.up().ok()
    stack.preview("--expect-no-changes").ok()

    def heartbeat() -> bool:
        series = machines.control("GET", "datadog")["series"]
        return any(
            s["metric"] == "datadog.agent.running" and s["tags"] == ["cluster:c", "role:manager"] for s in series
        )

    until("the agent reports from the host", heartbeat, 60)
    assert keys["api_key"] not in json.dumps(stack.export())
    assert keys["api_key"] not in shell(manager, "docker service inspect $(docker service ls -q); docker ps --no-trunc")
    assert [m["name"] for m in machines.control("GET", "datadog")["monitors"]] == ["NodeDown"]
    left = json.loads(machines.cli("leaks", "--json", "--stack", "app/dev").out)["left_behind"]
    assert [item["name"] for item in left] == ["NodeDown"], "leaks sees what is not destroyed"

    stack.refresh().ok()
    stack.preview("--expect-no-changes").ok()
    stack.pulumi("config", "set", "app:image", "datadog/agent:8", "-s", "dev").ok()
    shown = stack.preview().ok()
    assert [(step["op"], step["diffs"]) for step in shown.steps] == [("update", ["taskSpec.containerSpec.image"])]
    stack.up().ok()
    stack.remove()
    assert machines.control("GET", "datadog")["monitors"] == []
