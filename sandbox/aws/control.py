"""The control API under /_timonel/ (and /healthz): what tests and the machines say to the sandbox itself."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import parse_qs

from moto.moto_api._internal.models import moto_api_backend

from sandbox.aws.clock import Clock
from sandbox.aws.faults import Faults
from sandbox.aws.journal import Journal
from sandbox.state import State

Answer = tuple[str, list[tuple[str, str]], bytes]


class Control:
    """Routes of the control API. Every answer is JSON."""

    def __init__(self, state: State, journal: Journal, faults: Faults, clock: Clock, lock: threading.RLock) -> None:
        self.state = state
        self.journal = journal
        self.faults = faults
        self.clock = clock
        self.lock = lock

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """Answer one request; 400 with the reason when its content is wrong, 404 for an unknown path."""
        try:
            content = json.loads(body) if body else {}
            parameters = {k: v[-1] for k, v in parse_qs(query).items()}
            with self.lock:
                result = self._route(method, path.removeprefix("/_timonel").strip("/").split("/"), parameters, content)
        except LookupError as error:
            return _json("404 Not Found", {"error": str(error)})
        except (ValueError, TypeError) as error:
            return _json("400 Bad Request", {"error": str(error)})
        return _json("200 OK", result)

    def _route(self, method: str, path: list[str], query: dict[str, str], content: Any) -> Any:
        match method, path:
            case "GET", ["healthz"]:
                return {"ok": True, "calls": self.journal.count}
            case "GET", ["faults"]:
                return self.faults.show()
            case "PUT", ["faults"]:
                self.faults.set(content)
                return self.faults.show()
            case "GET", ["calls"]:
                return {"calls": self.journal.since(int(query.get("since", 0))), "count": self.journal.count}
            case "POST", ["reset"]:
                moto_api_backend.reset()
                self.faults.set({})
                self.journal.calls.clear()
                return {}
        raise LookupError(f"no {method} /_timonel/{'/'.join(path)}")


def _json(status: str, content: Any) -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps(content, default=str).encode()
