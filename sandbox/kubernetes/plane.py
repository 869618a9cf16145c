"""The processes of one control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, all on loopback.

Flags as in https://kubernetes.io/docs/reference/command-line-tools-reference/. No kubelet: nodes are stood in for
(nodes.py).
"""

from __future__ import annotations

import base64
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from sandbox.kubernetes import build
from sandbox.kubernetes.orphans import end_with_parent
from sandbox.kubernetes.pki import Authority, Pair
from sandbox.processes import ProcessId, end
from sandbox.state import write_json

ANSWER_SECONDS = 180
"""How long the API server may take to answer: 5 s on an idle machine, minutes on a busy one."""
ADDRESS = "127.0.0.1"


@dataclass
class Spec:
    """What a control plane is started with.

    Attributes:
        folder: its own, made by `start`.
        name: of the cluster.
        service_cidr: range of the services.
        issuer: of service account tokens.
        webhook: URL that judges tokens.
    """

    folder: Path
    name: str
    service_cidr: str
    issuer: str
    webhook: str


@dataclass
class Plane:
    """A running control plane."""

    spec: Spec
    endpoint: str = ""
    authority: Authority = field(init=False)
    admin: Pair = field(init=False)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        """Start everything and wait until the API server is ready.

        Raises:
            RuntimeError: a process ended or did not answer in time; holds the end of its log.
        """
        folder = self.spec.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = self.authority = Authority(folder / "pki")
        self.admin = authority.client("admin", "timonel-sandbox", "system:masters")
        etcd, etcd_peer, port = free_ports(3)
        self.endpoint = f"https://{ADDRESS}:{port}"
        server = authority.server("server", ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"])
        self._run("etcd", *self._etcd(etcd, etcd_peer, server))
        self._run("kube-apiserver", *self._api_server(etcd, port, server))
        self.kubeconfig("admin", self.admin)
        self._wait("kube-apiserver")
        manager = authority.client("controller-manager", "system:kube-controller-manager")
        self._run("kube-controller-manager", *self._controller_manager(self.kubeconfig("controller-manager", manager)))
        scheduler = authority.client("scheduler", "system:kube-scheduler")
        flags = ("--leader-elect=false", "--secure-port=0")
        self._run("kube-scheduler", f"--kubeconfig={self.kubeconfig('scheduler', scheduler)}", *flags)

    def _etcd(self, port: int, peer: int, server: Pair) -> list[str]:
        own, other = f"https://{ADDRESS}:{port}", f"http://{ADDRESS}:{peer}"
        return [
            f"--data-dir={self.spec.folder / 'etcd'}",
            f"--listen-client-urls={own}",
            f"--advertise-client-urls={own}",
            f"--listen-peer-urls={other}",
            f"--initial-advertise-peer-urls={other}",
            f"--initial-cluster=default={other}",
            f"--cert-file={server.certificate}",
            f"--key-file={server.key}",
            f"--trusted-ca-file={self.authority.pair.certificate}",
            "--client-cert-auth",
            "--unsafe-no-fsync",  # what a power cut would lose goes with the sandbox anyway
            "--log-level=warn",
        ]

    def _api_server(self, etcd: int, port: int, server: Pair) -> list[str]:
        accounts, ca = self.authority.signing_key("service-accounts"), self.authority.pair.certificate
        webhook = self.spec.folder / "webhook.json"
        write_json(webhook, _kubeconfig(self.spec.webhook, {}, {}))
        return [
            f"--etcd-servers=https://{ADDRESS}:{etcd}",
            f"--etcd-cafile={ca}",
            f"--etcd-certfile={server.certificate}",
            f"--etcd-keyfile={server.key}",
            f"--secure-port={port}",
            f"--bind-address={ADDRESS}",
            f"--advertise-address={ADDRESS}",
            "--endpoint-reconciler-type=none",  # a loopback address cannot stand in the kubernetes Service's endpoints
            f"--service-cluster-ip-range={self.spec.service_cidr}",
            f"--tls-cert-file={server.certificate}",
            f"--tls-private-key-file={server.key}",
            f"--client-ca-file={ca}",
            f"--service-account-issuer={self.spec.issuer}",
            f"--service-account-key-file={accounts.certificate}",
            f"--service-account-signing-key-file={accounts.key}",
            f"--authentication-token-webhook-config-file={webhook}",
            "--authentication-token-webhook-version=v1",
            "--authentication-token-webhook-cache-ttl=1s",  # so that a changed access entry counts at once
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--event-ttl=10m",
        ]

    def _controller_manager(self, kubeconfig: Path) -> list[str]:
        ca = self.authority.pair
        return [
            f"--kubeconfig={kubeconfig}",
            f"--service-account-private-key-file={self.authority.folder / 'service-accounts.key'}",
            f"--root-ca-file={ca.certificate}",
            f"--cluster-signing-cert-file={ca.certificate}",
            f"--cluster-signing-key-file={ca.key}",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--secure-port=0",
        ]

    def kubeconfig(self, name: str, pair: Pair) -> Path:
        """Write a kubeconfig of a client certificate."""
        path = self.spec.folder / f"{name}.kubeconfig"
        cluster = {"certificate-authority": str(self.authority.pair.certificate)}
        user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        write_json(path, _kubeconfig(self.endpoint, cluster, user))
        return path

    @property
    def ca_data(self) -> str:
        """The authority's certificate, base64, as DescribeCluster gives it."""
        return base64.b64encode(self.authority.pair.certificate.read_bytes()).decode()

    def session(self) -> requests.Session:
        """An administrator's HTTP session to the API server."""
        session = requests.Session()
        session.trust_env = False
        session.cert = (str(self.admin.certificate), str(self.admin.key))
        session.verify = str(self.authority.pair.certificate)
        return session

    def _run(self, name: str, *flags: str) -> None:
        log = (self.spec.folder / f"{name}.log").open("ab")
        with log:
            process = subprocess.Popen(
                [build.program(name), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.spec.folder,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, and this process has one thread
            )
        self.processes[name] = process
        known = {n: ProcessId.of(p.pid) for n, p in self.processes.items()}
        record = {n: {"pid": p.pid, "start_time": p.start_time} for n, p in known.items() if p}
        write_json(self.spec.folder / "processes.json", record)

    def _wait(self, name: str) -> None:
        session, deadline = self.session(), time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            self.check()
            try:
                if session.get(f"{self.endpoint}/readyz", timeout=5).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"{name} was not ready within {ANSWER_SECONDS} s:\n{self._tail(name)}")

    def check(self) -> None:
        """See that every process lives.

        Raises:
            RuntimeError: one ended; holds the end of its log.
        """
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}:\n{self._tail(name)}")

    def _tail(self, name: str) -> str:
        lines = (self.spec.folder / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-5:])

    def stop(self) -> None:
        """End every process, the API server's clients first."""
        identities = [ProcessId.of(p.pid) for p in reversed(self.processes.values())]
        end([p for p in identities if p], grace=2.0)


def _kubeconfig(server: str, cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((ADDRESS, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
