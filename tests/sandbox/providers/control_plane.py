"""A control plane of the sandbox without EKS around it and without nodes, for the kubernetes stand-in's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.kubernetes.plane import Plane, Spec


class ControlPlane:
    """A running control plane, and calls past the provider."""

    def __init__(self, folder: Path) -> None:
        # Nobody judges tokens: every token is refused, and users come by client certificates.
        self._plane = Plane(
            Spec(folder / "plane", "test", "10.96.0.0/16", "https://issuer.invalid", "http://127.0.0.1:9")
        )

    def start(self) -> None:
        """Start it and wait until the API is ready."""
        self._plane.start()

    def stop(self) -> None:
        """End it."""
        self._plane.stop()

    def kubeconfig(self, user: str = "") -> str:
        """A kubeconfig's content: the administrator's, or of a user who may do nothing."""
        pair = self._plane.authority.client(user, user) if user else self._plane.admin
        return self._plane.kubeconfig(user or "admin", pair).read_text()

    def with_token(self, token: str) -> str:
        """A kubeconfig's content with a token."""
        config = json.loads(self.kubeconfig())
        config["users"][0]["user"] = {"token": token}
        return json.dumps(config)

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """Call the API as the administrator; fails the test on an error."""
        with self._plane.session() as session:
            headers = {"Content-Type": kind}
            answer = session.request(method, self._plane.endpoint + path, json=body, headers=headers, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def merge(self, path: str, body: Any) -> Any:
        """Change an object past the provider."""
        return self.call("PATCH", path, body, "application/merge-patch+json")
