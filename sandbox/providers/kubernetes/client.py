"""The way to a cluster's API: HTTP, tokens of a credentials plugin, discovery, errors with a reason."""

import functools
import json
import os
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from sandbox.providers.kubernetes.settings import Connection
from sandbox.providers.serve import ProviderError

CONNECT_SECONDS, READ_SECONDS, EXEC_SECONDS = 10.0, 60.0, 60.0
TOKEN_SECONDS = 600.0
"""How long a token without an expiry is used."""
AGENT = "pulumi-kubernetes (stand-in)"
"""Who the API's audit log says it was."""
UNAUTHORIZED, NOT_FOUND, CONFLICT, INVALID = 401, 404, 409, 422


class UnreachableError(ProviderError):
    """The cluster does not answer, or lets nobody in."""


class ApiError(ProviderError):
    """The API said no."""

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        """Hold HTTP's code, Kubernetes' reason, its message and details."""
        self.code, self.reason, self.message = code, reason, message
        self.causes = list((details or {}).get("causes") or [])
        super().__init__(f"{reason or code}: {message}")


@dataclass(frozen=True)
class Place:
    """Where objects of a kind are in the API."""

    prefix: str
    """``/api/v1`` or ``/apis/<group>/<version>``."""
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """The path of an object, or without a name of all objects."""
        parts = [self.prefix]
        if self.namespaced:
            parts.append(f"/namespaces/{urllib.parse.quote(namespace)}")
        parts.append(f"/{self.plural}")
        return "".join(parts) + (f"/{urllib.parse.quote(name)}" if name else "")


class Client:
    """One cluster. Nothing is called before the first request."""

    def __init__(self, connection: Connection) -> None:
        """Hold the connection."""
        self._connection = connection
        self._lock = threading.Lock()
        self._token, self._until = connection.token, float("inf") if connection.token else 0.0
        self._places: dict[tuple[str, str], Place] = {}

    @functools.cached_property
    def _pool(self) -> urllib3.PoolManager:
        connection = self._connection
        context = ssl.create_default_context(cadata=connection.authority or None)
        if not connection.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if connection.certificate:
            # The ssl module reads certificates from files only.
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "client.pem"
                path.touch(mode=0o600)
                path.write_text(connection.certificate)
                context.load_cert_chain(path)
        return urllib3.PoolManager(
            ssl_context=context,
            maxsize=32,
            retries=urllib3.Retry(2, read=0, redirect=0, status=0, backoff_factor=0.1),
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )

    def _bearer(self) -> str:
        with self._lock:
            if time.time() >= self._until and self._connection.command:
                self._token, self._until = _run(self._connection.command)
            return self._token

    def request(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None, kind: str = ""
    ) -> dict[str, Any]:
        """Call the API.

        Args:
            method: HTTP's.
            path: from the root.
            body: an object, sent as JSON.
            query: the URL's query.
            kind: the body's content type, for patches.

        Raises:
            UnreachableError: nobody answers, or credentials are refused.
            ApiError: the answer is an error.
        """
        url = self._connection.server + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "Content-Type": kind or "application/json", "User-Agent": AGENT}
        if token := self._bearer():
            headers["Authorization"] = f"Bearer {token}"
        data = json.dumps(body).encode() if body is not None else None
        try:
            answer = self._pool.request(method, url, body=data, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(
                f"the cluster at {self._connection.server} does not answer: {_last(error)}"
            ) from None
        if answer.status == UNAUTHORIZED:
            with self._lock:
                self._until = 0.0 if self._connection.command else self._until
            raise UnreachableError(f"the cluster at {self._connection.server} does not accept the credentials")
        return _result(answer.status, answer.data)

    def place(self, api_version: str, kind: str) -> Place:
        """Find a kind in the API. Raises ApiError with code 404 when the cluster does not have it."""
        known = self._places.get((api_version, kind))
        if known is None:
            prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            for item in self.request("GET", prefix).get("resources") or []:
                if "/" not in item["name"]:
                    found = Place(prefix, item["name"], bool(item["namespaced"]))
                    self._places[api_version, item["kind"]] = found
            known = self._places.get((api_version, kind))
        if known is None:
            raise ApiError(NOT_FOUND, "NotFound", f"the cluster has no kind {kind} in {api_version}")
        return known


def _last(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error).rpartition(": ")[2] or type(error).__name__


def _result(status: int, data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data) if data else {}
    except ValueError:
        found = {"message": data.decode(errors="replace")[:500]}
    if status >= 400:
        text = str(found.get("message") or "no message")
        raise ApiError(status, str(found.get("reason") or ""), text, found.get("details"))
    return found if isinstance(found, dict) else {"items": found}


def _run(command: Mapping[str, Any]) -> tuple[str, float]:
    """Run a credentials plugin; give the token and when it ends."""
    version = command.get("apiVersion") or "client.authentication.k8s.io/v1beta1"
    told = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    given = {item["name"]: item["value"] for item in command.get("env") or []}
    environment = {**os.environ, "KUBERNETES_EXEC_INFO": json.dumps(told), **given}
    words = [str(command["command"]), *(str(item) for item in command.get("args") or [])]
    try:
        answer = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=EXEC_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreachableError(f"the credentials plugin {words[0]}: {error}") from None
    if answer.returncode != 0:
        raise UnreachableError(f"the credentials plugin {words[0]} failed: {answer.stderr.strip()[-500:]}")
    try:
        status = json.loads(answer.stdout)["status"]
        return str(status["token"]), _expiry(status.get("expirationTimestamp"))
    except (ValueError, KeyError, TypeError):
        raise UnreachableError(f"the credentials plugin {words[0]} gave no token") from None


def _expiry(text: str | None) -> float:
    if not text:
        return time.time() + TOKEN_SECONDS
    import datetime  # noqa: PLC0415

    # A minute early, so that no request carries a token that ends on its way.
    return datetime.datetime.fromisoformat(text).timestamp() - 60
