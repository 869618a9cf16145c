"""A Kubernetes API server with its controllers and no nodes, for the kubernetes stand-in's tests."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

ADMIN, VIEWER = "admin-token", "viewer-token"
SECONDS = 120


def _ports(count: int) -> list[int]:
    """Free ports; another process could take one before it is used, which fails the test's setup."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@dataclass
class ControlPlane:
    """etcd, kube-apiserver and kube-controller-manager in a folder of their own.

    Attributes:
        programs: the folder with the programs.
        folder: for data, keys and logs.
    """

    programs: Path
    folder: Path
    server: str = ""
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start them and wait until the API is ready."""
        client, peer, api = _ports(3)
        key, tokens = self.folder / "sa.key", self.folder / "tokens.csv"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens.write_text(f"{ADMIN},admin,1,system:masters\n{VIEWER},viewer,2,viewers\n")
        etcd = f"http://127.0.0.1:{client}"
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        )
        self._run(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={api}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.96.0.0/16",
        )
        self.server = f"https://127.0.0.1:{api}"
        config = self.folder / "kubeconfig"
        config.write_text(json.dumps(self.kubeconfig()))
        self._until_ready()
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={config}",
            f"--service-account-private-key-file={key}",
            "--leader-elect=false",
            "--secure-port=0",
        )

    def _run(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.log").open("w") as log:
            command = [str(self.programs / program), *arguments]
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder))

    def _until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and all(one.poll() is None for one in self._processes):
            try:
                if self.call("GET", "/readyz", plain=True) == "ok":
                    return
            except (urllib3.exceptions.HTTPError, AssertionError):
                pass
            time.sleep(0.3)
        logs = {path.name: path.read_text()[-1500:] for path in self.folder.glob("*.log")}
        raise TimeoutError(f"the API is not ready: {logs}")

    def kubeconfig(self, token: str = ADMIN) -> dict[str, Any]:
        """A kubeconfig with a token."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": self.server, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "test", "user": {"token": token}}],
        }

    def call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", plain: bool = False
    ) -> Any:
        """Call the API as the admin, past the provider; fails the test on an error."""
        pool = urllib3.PoolManager(cert_reqs="CERT_NONE", retries=False, timeout=10)
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind}
        with urllib3.warnings.catch_warnings():
            urllib3.disable_warnings()
            answer = pool.request(method, self.server + path, headers=headers, body=json.dumps(body) if body else None)
        assert answer.status < 400, f"{method} {path}: {answer.status} {answer.data.decode()[:500]}"
        return answer.data.decode() if plain else json.loads(answer.data)

    def merge(self, path: str, body: Any) -> Any:
        """Change an object past the provider."""
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def stop(self) -> None:
        """End them at once: nothing of theirs is kept, and a graceful end waits a minute for open watches."""
        for one in reversed(self._processes):
            one.kill()
            one.wait(30)
