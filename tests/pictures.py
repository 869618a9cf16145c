"""`make pictures`: what an operator sees, photographed in a real browser: docs/pictures/*.png, for docs/monitoring.md.

The stack `monitored` comes up on booted hosts, with a Prometheus that has pages (`standins.PAGES`). A worker dies, and
when NodeDown fires, headless Chromium takes the pages. It asks a relay on loopback, which logs in with the exported
password and holds the certificate against the exported authority: no password stands on a command line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from sandbox.machines import actions, standins
from sandbox.state import CHECKOUT
from tests.sandbox.machines.rig import until
from tests.sandbox.monitoring.watched import Watched, watched

FOLDER = CHECKOUT / "docs" / "pictures"
LARGEST = 200_000
"""Bytes of one picture in the repository."""
CHROMIUM = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=15000",
)
MEMORY = "max by (node) (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"
GRAPH = {"g0.expr": MEMORY, "g0.tab": "0", "g0.range_input": "5m", "g0.stacked": "0"}
PAGES = {
    "alerts": ("/classic/alerts", 1100),
    "targets": ("/classic/targets", 1500),
    "graph": (f"/classic/graph?{urlencode(GRAPH)}", 900),
}
"""Name -> path and height."""

RELAY = """
import http.server, json, sys, requests
told = json.loads(sys.stdin.readline())
session = requests.Session()
session.trust_env, session.verify, session.auth = False, told["ca"], (told["user"], told["password"])
class Relay(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = session.get(told["url"] + self.path, timeout=20)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.end_headers()
        self.wfile.write(answer.content)
    do_POST = do_GET
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
print(server.server_port, flush=True)
server.serve_forever()
"""


def main() -> None:
    """Take every picture."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, watched(Path(folder)) as stack:
        _with_pages(stack)
        stack.stack.up().ok()
        seen = 'count_over_time(up{job="node"}[5m]) >= 8'
        until("both nodes have two minutes of history", lambda: len(stack.query(seen)[0]) == 2, 600, 5)
        [worker] = stack.instances("worker")
        # Else the group takes the node out before the alert fires.
        group = next(tag["Value"] for tag in worker["Tags"] if tag["Key"] == "aws:autoscaling:groupName")
        scaling = stack.machines.client("autoscaling")
        scaling.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["HealthCheck"])
        actions.power_cut(stack.machines.folder, worker["InstanceId"])
        firing = 'ALERTS{alertname="NodeDown",alertstate="firing"}'
        until("NodeDown fires", lambda: stack.query(firing)[0], 600, 2)
        with _relayed(stack) as address:
            for name, (path, height) in PAGES.items():
                _photograph(f"{address}{path}", FOLDER / f"{name}.png", height)


def _with_pages(stack: Watched) -> None:
    images = stack.stack.folder / "components" / "monitoring" / "images.yaml"
    pinned = images.read_text()
    images.write_text(pinned.replace(" prom/prometheus:", f" {standins.PAGES}:"))
    item = standins.find(standins.HUB, standins.PAGES)
    assert item is not None
    standins.packed(item)


@contextmanager
def _relayed(stack: Watched) -> Iterator[str]:
    """Address on loopback where Prometheus' pages are, without TLS and login."""
    ca = stack.folder / "ca.pem"
    ca.write_text(stack.outputs["dockerCaCertificate"])
    told = {
        "url": stack.outputs["prometheusUrl"],
        "ca": str(ca),
        "user": stack.outputs["monitoringUser"],
        "password": stack.outputs["monitoringPassword"],
    }
    command = [sys.executable, "-m", "sandbox", "exec", "--", "python", "-c", RELAY]
    relay = subprocess.Popen(
        command, env=stack.machines.environment, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert relay.stdin is not None and relay.stdout is not None
    try:
        relay.stdin.write(json.dumps(told) + "\n")
        relay.stdin.flush()
        yield f"http://127.0.0.1:{relay.stdout.readline().strip()}"
    finally:
        relay.kill()
        relay.wait()


def _photograph(url: str, target: Path, height: int) -> None:
    with tempfile.TemporaryDirectory() as profile:
        options = [f"--user-data-dir={profile}", f"--window-size=1280,{height}", f"--screenshot={target}"]
        subprocess.run([*CHROMIUM, *options, url], check=True, capture_output=True, timeout=120)
    subprocess.run(["pngquant", "--force", f"--output={target}", "64", str(target)], check=True)
    size = target.stat().st_size
    assert size < LARGEST, f"{target}: {size} bytes, and {LARGEST} are allowed"
    print(f"{target.relative_to(CHECKOUT)}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
