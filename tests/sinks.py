"""Where alerts arrive in tests: HTTP as Slack, PagerDuty and webhooks take it, and a mail server with TLS and login."""

import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


def free_port() -> int:
    """A port of the loopback address that nobody listens at now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Arrived:
    """One request."""

    path: str
    body: dict[str, Any]
    at: float


class HttpSink:
    """Keeps every JSON that is posted. Slack's hook answers `ok`, PagerDuty's Events API v2 202 with a receipt."""

    def __init__(self, listener: socket.socket | None = None) -> None:
        """Args:
        listener: a listening socket, such as one of another network namespace. Default: a free port of the loopback.
        """
        self.arrived: list[Arrived] = []
        keep = self.arrived

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                keep.append(Arrived(self.path, body, time.time()))
                events = self.path.startswith("/v2/enqueue")
                answer = b'{"status": "success", "dedup_key": "x"}' if events else b"ok"
                self.send_response(202 if events else 200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=listener is None)
        if listener is not None:
            self._server.socket.close()
            self._server.socket, self._server.server_address = listener, listener.getsockname()
        self.url = "http://{}:{}".format(*self._server.server_address[:2])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def at(self, path: str) -> list[Arrived]:
        """What came to a path."""
        return [one for one in self.arrived if one.path == path]

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class MailSink:
    """A submission server at `localhost`: STARTTLS first, then a login, then mail."""

    def __init__(self, certificate: Path, user: str, password: str) -> None:
        self.mails: list[tuple[Envelope, Message]] = []
        self.logins: list[bool] = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)

        def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
            known = isinstance(data, LoginPassword) and (data.login, data.password) == (
                user.encode(), password.encode(),
            )  # fmt: skip
            self.logins.append(known)
            return AuthResult(success=known)

        self.port = free_port()
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, server_hostname="localhost", tls_context=context,
            require_starttls=True, authenticator=authenticate, auth_required=True, auth_require_tls=True,
            auth_exclude_mechanism=["LOGIN"],  # aiosmtpd's words for it are not those that Alertmanager waits for
        )  # fmt: skip
        self._controller.start()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd."""
        assert isinstance(envelope.content, bytes)
        self.mails.append((envelope, message_from_bytes(envelope.content)))
        return "250 OK"

    def close(self) -> None:
        """End it."""
        self._controller.stop()
