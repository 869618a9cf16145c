"""The API's process: one HTTP server on loopback, moto behind one lock, faults before it, the journal after it."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

# Before moto is imported: it reads its settings then.
os.environ.update(
    {
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "true",
        "MOTO_ENABLE_AMI_VALIDATION": "true",
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
        "MOTO_S3_CUSTOM_ENDPOINTS": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
)

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from sandbox.aws import patches
from sandbox.aws.authorize import judge
from sandbox.aws.calls import Call
from sandbox.aws.clock import Clock
from sandbox.aws.control import Control
from sandbox.aws.eks.planes import PLANES
from sandbox.aws.errors import Fault, error_response
from sandbox.aws.journal import Journal
from sandbox.aws.world import WORLD
from sandbox.datadog.account import Account, is_datadog
from sandbox.processes import start_time
from sandbox.state import State, read_json, write_json

UNLOCKED = frozenset({"sqs"})
"""Services whose handlers sleep (long polls), so that holding the lock would stop all others."""

BROKEN = Fault("NotImplemented", "The sandbox's API lacks this call, or failed in it: its api.log says which", 501)
"""Instead of an HTML page, which no SDK can read; 501, since none retries that."""


class StartResponse(Protocol):
    """WSGI's start_response."""

    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> object:
        """Begin the answer."""


class Application:
    """The WSGI application: control paths, then faults, then moto.

    moto's models are plain dicts without locks, and Python threads would not run them in parallel anyway, so every call
    and every tick of the clock holds one lock: conditional writes are atomic and no state is seen half changed.
    """

    def __init__(self, state: State) -> None:
        self.lock = threading.RLock()
        self.journal = Journal()
        self.faults = WORLD.faults
        self.clock = Clock(self.lock)
        self.datadog = Account(state.folder)
        self.control = Control(state, self.journal, self.faults, self.clock, self.lock, self.datadog)
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        body = _read_body(environ)
        path = environ.get("PATH_INFO", "")
        if path == "/healthz" or path.startswith("/_timonel/"):
            status, headers, content = self.control.answer(
                environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], body
            )
        elif is_datadog(environ.get("HTTP_HOST", "")):
            asked = {name[5:].replace("_", "-").lower(): text for name, text in environ.items() if name[:5] == "HTTP_"}
            status, headers, content = self.datadog.answer(environ["REQUEST_METHOD"], path, asked, body)
        else:
            status, headers, content = self._aws(environ, body)
        start_response(status, headers)
        return [content]

    def _aws(self, environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        call = Call.parse(environ, body)
        begun = time.time()
        if call.service in UNLOCKED:
            return self._moto(environ, body)
        with self.lock:
            call = call.identified()
            if call.of_machines:
                return self._moto(environ, body)
            status, headers, content = self._answer(call, environ, body, begun)
            delay = self.faults.delay(call)
        if delay:
            time.sleep(delay)
        return status, headers, content

    def _answer(
        self, call: Call, environ: dict[str, Any], body: bytes, begun: float
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        refusal, needed = judge(call)
        fault = self.faults.decide(call) or refusal
        if fault is not None:
            status, headers, content = error_response(call, fault)
        else:
            status, headers, content = self._moto(environ, body)
            if status.startswith("500") and content.startswith(b"<!doctype html>"):
                status, headers, content = error_response(call, BROKEN)
            content = self.faults.stale(call, status, content)
        self.journal.add(call, begun, status, content, needed)
        return status, headers, content

    def _moto(self, environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        environ["wsgi.input"] = io.BytesIO(body)
        answer: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _: object = None) -> object:
            answer[:] = [status, headers]
            return answer.append

        parts = self.moto(environ, start)
        try:
            content = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        return answer[0], answer[1], content


def _read_body(environ: dict[str, Any]) -> bytes:
    """The whole body, before the lock is taken: a slow client must not stop the others."""
    source = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated") or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", ""):
        content: bytes = source.read()
        environ["CONTENT_LENGTH"] = str(len(content))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return content
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return source.read(length) if length else b""


class _Handler(MotoRequestHandler):
    """moto's handler without a log line for each request: the journal has them."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def serve(folder: Path, port: int, region: str) -> None:
    """Serve until the record in the state folder names another process or is gone; then end.

    Args:
        folder: the state folder, which must exist.
        port: the port to take; 0 or one in use for any free one.
        region: the sandbox's region, for the record only; every region is served.
    """
    state = State(folder)
    patches.install()
    PLANES.state = state
    application = Application(state)
    application.clock.tasks += patches.tasks()
    try:
        server = make_server("127.0.0.1", port, application, threaded=True, request_handler=_Handler)
    except (OSError, SystemExit):
        server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
    own_pid = os.getpid()
    write_json(
        state.record,
        read_json(state.record)
        | {
            "pid": own_pid,
            "start_time": start_time(own_pid),
            "endpoint": f"http://127.0.0.1:{server.server_port}",
            "region": region,
            "started": time.time(),
        },
    )
    threading.Thread(target=_end_without_record, args=(state, own_pid), daemon=True).start()
    application.clock.start()
    server.serve_forever()


def _end_without_record(state: State, own_pid: int) -> None:
    """A test's folder may vanish without `down`: nobody could find or end this process then, so it ends itself."""
    while read_json(state.record).get("pid") == own_pid:
        time.sleep(2)
    sys.stdout.flush()
    os._exit(0)
