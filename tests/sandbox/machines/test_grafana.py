"""The stand-in for Grafana: it reads what MonitoringStack provisions, and does not start on what is wrong with it."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.monitoring import configs, grafana
from components.monitoring.dashboards import DATASOURCE_UID, dashboards
from provider.certificates import make_authority, sign_server
from sandbox.machines import standins
from tests.sandbox.machines.rig import until

pytestmark = pytest.mark.sandbox

PASSWORD = "s3cret-$HOME-$$"


class Laid:
    """The files and settings of the service, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        now = datetime.now(UTC)
        authority = make_authority("test", 1, now)
        made = sign_server(authority, ["localhost"], 1, now)
        self.ca = self.write("etc/timonel/ca.pem", authority.certificate)
        self.write("etc/timonel/server.pem", made.certificate)
        self.write("run/secrets/server.key", made.private_key)
        self.write("run/secrets/admin-password", PASSWORD)
        source = grafana.data_source("monitoring-prometheus", PASSWORD, authority.certificate)
        self.write(grafana.DATA_SOURCE_FILE, source)
        self.write(grafana.FOLDER_FILE, self.moved(grafana.folder()))
        for name, text in dashboards().items():
            self.write(f"{grafana.DASHBOARDS}/{name}", text)

    def write(self, path: str, text: str) -> Path:
        """A file of the container."""
        target = self.folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def moved(self, text: str) -> str:
        """Paths of the container, in this folder."""
        for root in ("/etc/", configs.SECRETS):
            text = text.replace(root, f"{self.folder}{root}")
        return text

    def environment(self, **changes: str) -> dict[str, str]:
        """The service's, in this folder."""
        told = grafana.environment("https://localhost/")
        moved = {name: self.moved(str(value)) for name, value in told.items()}
        paths = {"GF_PATHS_PROVISIONING": f"{self.folder}/etc/grafana/provisioning"}
        return {**moved, **paths, "GF_SERVER_HTTP_PORT": str(self.port), **changes}

    def start(self, **changes: str) -> subprocess.Popen[str]:
        """Start it."""
        program = standins.built("grafana")
        environment = {"PATH": os.environ["PATH"], **self.environment(**changes)}
        return subprocess.Popen([program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def refusal(self, **changes: str) -> str:
        """What it says when it does not start."""
        process = self.start(**changes)
        try:
            said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
        assert process.returncode == 1, said
        return said

    @contextmanager
    def running(self) -> Iterator[None]:
        """While it serves."""
        process = self.start()
        try:
            until("it answers", lambda: self.ask("/api/health", user="")[0] == 200, 20, 0.1)
            yield
        finally:
            process.kill()
            process.communicate()

    def ask(self, path: str, user: str = configs.USER, password: str = PASSWORD) -> tuple[int, Any]:
        """Status and answer."""
        request = urllib.request.Request(f"https://localhost:{self.port}{path}")
        if user:
            login = base64.b64encode(f"{user}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        context = ssl.create_default_context(cafile=str(self.ca))
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except urllib.error.URLError:
            return 0, None


@pytest.fixture(name="laid")
def _laid(tmp_path: Path) -> Laid:
    return Laid(tmp_path)


def test_it_starts_on_what_is_provisioned_and_shows_it_to_who_logs_in(laid: Laid) -> None:
    with laid.running():
        assert [laid.ask("/api/search", user="")[0], laid.ask("/api/search", password="wrong")[0]] == [401, 401]
        status, found = laid.ask("/api/search")
        assert status == 200
        assert {hit["uid"] for hit in found} == {json.loads(text)["uid"] for text in dashboards().values()}
        _, board = laid.ask("/api/dashboards/uid/timonel-nodes")
        assert board["dashboard"] == json.loads(dashboards()["nodes.json"])
        assert board["meta"]["provisioned"] is True
        _, [source] = laid.ask("/api/datasources")
        assert source["uid"] == DATASOURCE_UID
        assert PASSWORD not in json.dumps(source)
        status, said = laid.ask("/login")
        assert (status, "stand-in" in said["message"]) == (501, True), "what it cannot do is refused in words"


def _board(change: Any) -> str:
    board = json.loads(dashboards()["nodes.json"])
    change(board)
    return json.dumps(board)


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        (f"{grafana.DASHBOARDS}/nodes.json", "{", "nodes.json"),
        (f"{grafana.DASHBOARDS}/nodes.json", _board(lambda b: b.update(pannels=[])), "schema"),
        (f"{grafana.DASHBOARDS}/nodes.json", _board(lambda b: b["panels"][0].update(gridpos={})), "schema"),
        (f"{grafana.DASHBOARDS}/nodes.json", _board(lambda b: b["panels"][0]["datasource"].update(uid="x")), '"x"'),
        (f"{grafana.DASHBOARDS}/twice.json", dashboards()["nodes.json"], "uid"),
        (grafana.DATA_SOURCE_FILE, "datasources: [", "prometheus.yaml"),
        (grafana.DATA_SOURCE_FILE, yaml.safe_dump({"datasources": [{"nmae": "x"}]}), "nmae"),
        (grafana.FOLDER_FILE, yaml.safe_dump({"providers": [{"type": "file", "options": {"path": "/no"}}]}), "/no"),
    ],
)
def test_it_does_not_start_on_a_file_that_is_wrong(laid: Laid, path: str, text: str, reason: str) -> None:
    laid.write(path, text)
    said = laid.refusal()
    assert reason in said, said
    assert PASSWORD not in said


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"GF_SECURITY_ADMIN_PASSWORD__FILE": "/run/secrets/none"}, "GF_SECURITY_ADMIN_PASSWORD__FILE"),
        ({"GF_AUTH_ANONYMUS_ENABLED": "false"}, "GF_AUTH_ANONYMUS_ENABLED"),
        ({"GF_AUTH_ANONYMOUS_ENABLED": "true"}, "GF_AUTH_ANONYMOUS_ENABLED"),
        ({"GF_ANALYTICS_REPORTING_ENABLED": "true"}, "GF_ANALYTICS_REPORTING_ENABLED"),
        ({"GF_SECURITY_ADMIN_PASSWORD": "twice"}, "both"),
    ],
)
def test_it_does_not_start_on_a_setting_that_is_wrong(laid: Laid, changes: dict[str, str], reason: str) -> None:
    said = laid.refusal(**changes)
    assert reason in said, said
