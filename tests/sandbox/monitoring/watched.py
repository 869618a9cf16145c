"""A stack that Prometheus watches, on booted hosts, and what its pages answer to an operator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from sandbox.state import CHECKOUT
from tests.sandbox.machines.rig import Machines, booted, until
from tests.sandbox.rig import Stack, clone

STACK = "monitored"
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


class Watched:
    """The stack and its pages."""

    def __init__(self, machines: Machines, folder: Path, name: str = STACK) -> None:
        self.machines = machines
        self.folder = folder
        self.stack = Stack(machines, clone(folder / "clone"), name)

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the stack file's ``config``."""
        path = self.stack.folder / f"Pulumi.{self.stack.name}.yaml"
        document = yaml.safe_load(path.read_text())
        change(document["config"])
        path.write_text(yaml.safe_dump(document))

    def configure(self, **prometheus: Any) -> None:
        """Change ``timonel:monitoring.prometheus``, and by ``secrets`` ``timonel:secrets``."""
        secrets = prometheus.pop("secrets", {})

        def change(config: dict[str, Any]) -> None:
            if secrets:
                config["timonel:secrets"] = secrets
            config["timonel:monitoring"]["prometheus"] = prometheus

        self.edit(change)

    def choose(self, kind: str, *, config: dict[str, Any] | None = None, **settings: Any) -> None:
        """Change the backend: the line ``kind``, and further keys of the stack file."""

        def change(found: dict[str, Any]) -> None:
            found |= config or {}
            found["timonel:monitoring"] |= {"kind": kind, **settings}

        self.edit(change)
        vars(self).pop("outputs", None)  # a backend that comes back has another password

    def on_manager(self, script: str) -> str:
        """What a shell script prints on the first manager on which it succeeds."""
        said = []
        for instance in self.instances("manager"):
            host = self.machines.host(instance["InstanceId"])
            if host.powered():
                done = host.run("sh", "-c", script)
                if done.returncode == 0:
                    return str(done.stdout)
                said.append(done.stderr)
        raise AssertionError(f"{script}: {said}")

    def workers(self, count: int) -> None:
        """Change the fewest workers."""
        self.edit(lambda config: config["timonel:cluster"]["workerPools"][0].update(minSize=count))

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

    def wait_until_ready(self) -> None:
        """Until each of six connections reaches Prometheus.

        Before the load balancer has seen one healthy target, it sends connections to every manager in turn.
        """
        url = f"{self.outputs['prometheusUrl']}/api/v1/status/buildinfo"

        def answers() -> bool:
            return all(self.ask([(url, "")])[0][0] == 200 for _ in range(6))

        until("Prometheus answers whoever asks", answers, 60)

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


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """The stack in a sandbox of its own, not yet up."""
    with booted(folder / "sandbox") as machines:
        make_images()
        yield Watched(machines, folder)


def make_images() -> None:
    """Make the images of monitoring: at their first use cAdvisor's takes longer than a service may take to come up."""
    subprocess.run([sys.executable, "-m", "sandbox.machines.standins"], check=True, cwd=CHECKOUT, capture_output=True)
