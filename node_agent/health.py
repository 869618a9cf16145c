"""``/healthz`` on port 2378: 200 only while this manager has a leader. The load balancer of the Docker API asks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from node_agent.world import Facts

PORT = 2378
STALE = 120.0
"""Seconds after which a pass is too old to vouch for anything (a join to three dead managers takes 90)."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """As the base class, without its look-up of the host's name: that can hang for ten seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


def verdict(facts: Facts, now: float) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    alive = now - facts.passed < STALE
    body = {"has_leader": facts.has_leader, "leads": facts.leads, "agent_alive": alive, "epoch": facts.epoch}
    return (200 if alive and facts.has_leader else 503), body


def serve(facts: Callable[[], Facts], port: int = PORT) -> ThreadingHTTPServer:
    """Serves in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = verdict(facts(), time.time()) if self.path == "/healthz" else (404, {})
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes every few seconds are no news."""

    server = _Server(("0.0.0.0", port), Handler)  # noqa: S104  (the security group lets only the load balancer in)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
