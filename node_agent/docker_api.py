"""The Docker Engine API over its unix socket (docs.docker.com/reference/api/engine)."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote, urlencode

from node_agent.ports import AwayError

SOCKET = "/var/run/docker.sock"
NEWEST = (1, 47)
"""The newest API version whose fields this agent was written against; older and newer daemons are met half way."""


class ApiError(Exception):
    """The daemon refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class DockerApi:
    """Requests to the local dockerd."""

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path
        self._version = ""

    def call(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None, timeout: float = 20.0
    ) -> Any:
        """One request; the answer's JSON.

        Raises:
            AwayError: dockerd does not answer in time.
            ApiError: it refuses.
        """
        if not self._version:
            self._version = self._negotiate()
        return self._request(method, f"/v{self._version}{path}", query, body, timeout)

    def _negotiate(self) -> str:
        told = self._request("GET", "/version", None, None, 10.0)
        newest, oldest = _numbers(told["ApiVersion"]), _numbers(told.get("MinAPIVersion", "1.24"))
        chosen = max(min(newest, NEWEST), oldest)
        return f"{chosen[0]}.{chosen[1]}"

    def _request(self, method: str, path: str, query: dict[str, Any] | None, body: Any, timeout: float) -> Any:
        if query:
            path += "?" + urlencode(
                {k: json.dumps(v) if isinstance(v, dict | list | bool) else v for k, v in query.items()}
            )
        connection = _Connection(self._path, timeout)
        try:
            data = json.dumps(body).encode() if body is not None else None
            headers = {"Content-Type": "application/json"} if data is not None else {}
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._version = ""  # it may come back as another version
            raise AwayError(f"dockerd: {method} {path.split('?')[0]}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise ApiError(answer.status, _message(raw))
        return json.loads(raw) if raw.strip() else None


def name(text: str) -> str:
    """A path segment."""
    return quote(text, safe="")


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _message(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["message"])
    except (ValueError, KeyError, TypeError):
        return raw.decode(errors="replace")[:300]
