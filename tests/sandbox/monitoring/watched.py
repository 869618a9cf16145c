"""A stack that Prometheus watches, on booted hosts, and what its pages answer to an operator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from sandbox.state import CHECKOUT
from tests.sandbox.machines.rig import Machines, booted
from tests.sandbox.rig import Stack, clone

STACK = "monitored"
PORT = 8099
"""Of the webhook's receiver on the manager."""

ASK = """
import json, sys, requests
session = requests.Session()
session.trust_env = False
session.verify, user, password = sys.argv[1:4]
session.auth = (user, password) if user else None
found = []
for url, query in json.load(sys.stdin):
    try:
        answer = session.get(url, params={"query": query} if query else None, timeout=20)
        found.append([answer.status_code, answer.json() if answer.ok else None])
    except requests.exceptions.RequestException as error:
        found.append([type(error).__name__, None])
print(json.dumps(found))
"""

RECEIVER = """
import http.server, json, time
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("/run/hook", "a") as out:
            for alert in told["alerts"]:
                out.write(json.dumps({"at": time.time(), "status": alert["status"], **alert["labels"]}) + "\\n")
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("", %d), Hook).serve_forever()
"""


class Watched:
    """The stack and its pages."""

    def __init__(self, machines: Machines, folder: Path, name: str = STACK) -> None:
        self.machines = machines
        self.folder = folder
        self.stack = Stack(machines, clone(folder / "clone"), name)

    def configure(self, **monitoring: Any) -> None:
        """Change ``timonel:monitoring.prometheus`` and, by ``secrets``, ``timonel:secrets``."""
        path = self.stack.folder / f"Pulumi.{self.stack.name}.yaml"
        document = yaml.safe_load(path.read_text())
        if secrets := monitoring.pop("secrets", None):
            document["config"]["timonel:secrets"] = secrets
        document["config"]["timonel:monitoring"]["prometheus"] = monitoring
        path.write_text(yaml.safe_dump(document))

    def choose(self, kind: str, **settings: Any) -> None:
        """Change the backend: the line ``kind``, and further keys of the stack file."""
        path = self.stack.folder / f"Pulumi.{self.stack.name}.yaml"
        document = yaml.safe_load(path.read_text())
        document["config"]["timonel:monitoring"]["kind"] = kind
        document["config"] |= settings.pop("config", {})
        document["config"]["timonel:monitoring"] |= settings
        path.write_text(yaml.safe_dump(document))

    def on_manager(self, script: str) -> str:
        """What a shell script prints on the manager."""
        [manager] = self.instances("manager")
        return str(self.machines.host(manager["InstanceId"]).run("sh", "-c", script).stdout)

    def workers(self, count: int) -> None:
        """Change the fewest workers."""
        path = self.stack.folder / f"Pulumi.{self.stack.name}.yaml"
        document = yaml.safe_load(path.read_text())
        document["config"]["timonel:cluster"]["workerPools"][0]["minSize"] = count
        path.write_text(yaml.safe_dump(document))

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The stack's, secrets included."""
        return self.stack.outputs(secrets=True)

    def ask(self, asked: list[tuple[str, str]], *, user: str | None = None) -> list[tuple[Any, Any]]:
        """(status, answer) of each (URL, query) with the exported CA and password."""
        ca = self.folder / "ca.pem"
        ca.write_text(self.outputs["dockerCaCertificate"])
        name = self.outputs["monitoringUser"] if user is None else user
        questions = self.folder / "questions.json"
        questions.write_text(json.dumps(asked))
        (self.folder / "ask.py").write_text(ASK)
        told = self.machines.exec(
            "sh", "-c", 'exec python "$0" "$1" "$2" "$3" < "$4"', str(self.folder / "ask.py"),
            str(ca), name, self.outputs["monitoringPassword"], str(questions),
        )  # fmt: skip
        return [(status, answer) for status, answer in json.loads(told.ok().out)]

    def targets(self) -> list[dict[str, Any]]:
        """Prometheus' targets."""
        [(status, answer)] = self.ask([(f"{self.outputs['prometheusUrl']}/api/v1/targets", "")])
        assert status == 200, status
        return list(answer["data"]["activeTargets"])

    def query(self, *queries: str) -> list[list[Any]]:
        """Results of instant queries."""
        url = f"{self.outputs['prometheusUrl']}/api/v1/query"
        return [answer["data"]["result"] for _, answer in self.ask([(url, query) for query in queries])]

    def instances(self, role: str) -> list[dict[str, Any]]:
        """Running instances of a role."""
        wanted = [
            {"Name": "tag:timonel:role", "Values": [role]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        found = self.machines.client("ec2").describe_instances(Filters=wanted)["Reservations"]
        return [instance for group in found for instance in group["Instances"]]

    def receive(self) -> str:
        """Start a receiver of webhooks on the manager; its URL."""
        [manager] = self.instances("manager")
        host = self.machines.host(manager["InstanceId"])
        command = ["systemd-run", "--unit=hook", "python3", "-c", RECEIVER % PORT]
        assert host.run(*command).returncode == 0
        return f"http://{manager['PrivateIpAddress']}:{PORT}/"

    def received(self, alert: str) -> list[dict[str, Any]]:
        """What the receiver was told about an alert."""
        text = self.on_manager("cat /run/hook 2>/dev/null")
        return [told for line in text.splitlines() if (told := json.loads(line))["alertname"] == alert]


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """The stack in a sandbox of its own, not yet up."""
    with booted(folder / "sandbox") as machines:
        make_images()
        yield Watched(machines, folder)


def make_images() -> None:
    """Make the images of monitoring: at their first use cAdvisor's takes longer than a service may take to come up."""
    subprocess.run([sys.executable, "-m", "sandbox.machines.standins"], check=True, cwd=CHECKOUT, capture_output=True)
