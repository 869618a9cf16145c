"""What is outside of the cluster, at an address that every host reaches: whoever is told, and a Prometheus that keeps
what is sent to it. Both live in the VPC's router, so that no fault of a host is theirs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import requests
import yaml

from sandbox.machines import debian, names
from sandbox.machines.namespaces import Namespace
from tests.sandbox.machines.rig import until
from tests.sandbox.monitoring.watched import Watched
from tests.sinks import Arrived, HttpSink

HOOK = f"http://{names.API}:8099"
STORE = f"http://{names.API}:8098"
USER, PASSWORD = "writer", "remote-PLANTED"


@dataclass(frozen=True)
class Message:
    """What a receiver was told about one alert."""

    at: float
    status: str
    labels: dict[str, str]


class Outside:
    """The receivers and the store."""

    def __init__(self, sink: HttpSink, space: Namespace) -> None:
        self._sink, self._space = sink, space

    def calls(self, path: str) -> list[Arrived]:
        """Calls of a receiver."""
        return self._sink.at(path)

    def told(self, alert: str, status: str, path: str = "/ops") -> list[Message]:
        """What a receiver was told about an alert."""
        return [
            Message(call.at, one["status"], one["labels"])
            for call in self.calls(path)
            for one in call.body["alerts"]
            if (one["labels"]["alertname"], one["status"]) == (alert, status)
        ]

    def stored(self, query: str) -> list[Any]:
        """Result of an instant query to the store."""

        def ask() -> requests.Response:
            with requests.Session() as session:
                session.trust_env = False
                url = f"{STORE}/api/v1/query"
                return session.get(url, params={"query": query}, auth=(USER, PASSWORD), timeout=20)

        answer = self._space.run(ask)
        answer.raise_for_status()
        return list(answer.json()["data"]["result"])


@contextmanager
def outside(stack: Watched, folder: Path) -> Iterator[Outside]:
    """Both, from when the stack has a VPC until before it goes."""
    vpc = stack.instances("manager")[0]["VpcId"]
    space = Namespace(names.router(names.sandbox_key(stack.machines.folder), vpc))
    sink = HttpSink(space.listen(names.API, 8099))
    store = _store(space, folder)
    try:
        found = Outside(sink, space)
        until("the store answers", lambda: _answers(found), 60)
        yield found
    finally:
        store.terminate()
        store.wait(30)
        sink.close()
        space.close()


def _store(space: Namespace, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir()
    (folder / "prometheus.yml").write_text("{}\n")
    users = {USER: bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}
    (folder / "web.yml").write_text(yaml.safe_dump({"basic_auth_users": users}))
    program = debian.newest("prometheus").folder / "usr/bin/prometheus"
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [
                "nsenter", f"--net={space.path}", str(program), "--web.enable-remote-write-receiver",
                f"--config.file={folder / 'prometheus.yml'}", f"--web.config.file={folder / 'web.yml'}",
                f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={STORE.removeprefix('http://')}",
            ],
            stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "1"},
        )  # fmt: skip


def _answers(found: Outside) -> bool:
    try:
        return bool(found.stored("vector(1)"))
    except requests.RequestException:
        return False
