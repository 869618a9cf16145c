"""A cluster's real API server: who may do what, nodes, pods, and that nothing of it is left."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.kubernetes import build
from sandbox.kubernetes.record import recorded
from sandbox.state import read_json
from tests.unit.sandbox.eks import NAME, World
from tests.unit.sandbox.world import until

pytestmark = pytest.mark.sandbox
ADMIN = "AmazonEKSClusterAdminPolicy"
WAIT = 120.0
"""Seconds: the machine may be busy; on an idle one all of it takes a second or two."""


class Kube:
    """kubectl as a principal, by `aws eks get-token`."""

    def __init__(self, world: World, folder: Path, keys: dict[str, str], name: str) -> None:
        cluster = world.describe()
        path = folder / f"{name}.kubeconfig"
        environment = [{"name": k, "value": v} for k, v in keys.items()]
        command = ["eks", "get-token", "--cluster-name", NAME, "--region", "us-east-1", "--output", "json"]
        execute = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "aws",
            "args": command,
            "env": environment,
            "interactiveMode": "Never",
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": cluster["endpoint"],
                        "certificate-authority-data": cluster["certificateAuthority"]["data"],
                    },
                }
            ],
            "users": [{"name": "u", "user": {"exec": execute}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        path.write_text(json.dumps(content))
        self.path = path

    def __call__(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(build.program("kubectl")), "--kubeconfig", str(self.path), *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        return subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def ok(self, *arguments: str, stdin: str | None = None) -> str:
        done = self(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def refused(self, words: str, *arguments: str) -> None:
        done = self(*arguments)
        assert done.returncode != 0, f"kubectl {arguments} was allowed: {done.stdout}"
        assert words in done.stderr, done.stderr


class Cluster:
    """The world's cluster with kubectl as its administrator and as others."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        begun = time.monotonic()
        world.eks.create_cluster(**world.arguments(version="1.35", accessConfig={"authenticationMode": "API"}))
        until("cluster active", lambda: world.describe()["status"] != "CREATING", 300)
        assert world.describe()["status"] == "ACTIVE", world.describe()["health"]
        self.seconds = time.monotonic() - begun
        print(f"create_cluster to ACTIVE: {self.seconds:.1f} s")
        own = read_json(world.aws.state.credentials)
        self.admin = self.kube("admin", own["access_key"], own["secret_key"])

    def kube(self, name: str, key: str, secret: str, session: str = "") -> Kube:
        keys = {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_ENDPOINT_URL": self.world.aws.endpoint,
            **({"AWS_SESSION_TOKEN": session} if session else {}),
        }
        return Kube(self.world, self.folder, keys, name)

    def role(self, name: str, policy: str | None = None, *namespaces: str, entry: bool = True) -> Kube:
        """kubectl as a session of a new role, with an entry and a policy if asked."""
        arn = self.world.make_role(name, "ec2.amazonaws.com")
        if entry:
            self.world.eks.create_access_entry(clusterName=NAME, principalArn=arn)
        if policy:
            scope: dict[str, Any] = {"type": "cluster"}
            if namespaces:
                scope = {"type": "namespace", "namespaces": list(namespaces)}
            self.world.eks.associate_access_policy(
                clusterName=NAME,
                principalArn=arn,
                policyArn=f"arn:aws:eks::aws:cluster-access-policy/{policy}",
                accessScope=scope,
            )
        taken = self.world.aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
        return self.kube(name, taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"])


@pytest.fixture(scope="module")
def cluster(world: World, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(world, tmp_path_factory.mktemp("kube"))


def test_the_api_server_answers_and_its_certificate_is_the_one_described(cluster: Cluster, tmp_path: Path) -> None:
    described = cluster.world.describe()
    authority = tmp_path / "ca.crt"
    authority.write_bytes(base64.b64decode(described["certificateAuthority"]["data"]))
    answer = requests.get(f"{described['endpoint']}/healthz", verify=str(authority), timeout=30)
    assert (answer.status_code, answer.text) == (200, "ok"), "without credentials, as EKS's does"
    answer = requests.get(f"{described['endpoint']}/api/v1/secrets", verify=str(authority), timeout=30)
    assert answer.status_code in {401, 403}
    version = json.loads(cluster.admin.ok("version", "-o", "json"))["serverVersion"]["gitVersion"]
    assert version == build.version()


def test_the_creator_is_an_administrator(cluster: Cluster) -> None:
    who = json.loads(cluster.admin.ok("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    assert who["username"] == "arn:aws:iam::123456789012:user/sandbox"
    assert f"eks-access:{ADMIN}" in who["groups"]
    assert cluster.admin.ok("auth", "can-i", "*", "*").strip() == "yes"


def test_a_principal_without_an_entry_is_refused(cluster: Cluster) -> None:
    stranger = cluster.role("stranger", entry=False)
    stranger.refused("must be logged in", "get", "namespaces")


def test_an_entry_without_a_policy_may_do_nothing(cluster: Cluster) -> None:
    cluster.role("idle").refused("forbidden", "get", "namespaces")


def test_a_view_policy_reads_and_cannot_write(cluster: Cluster) -> None:
    viewer = cluster.role("viewer", "AmazonEKSViewPolicy")
    who = json.loads(viewer.ok("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    assert who["username"] == "arn:aws:sts::123456789012:assumed-role/viewer/me"
    viewer.ok("get", "configmaps", "-A")
    viewer.refused("forbidden", "get", "secrets", "-A")
    viewer.refused("forbidden", "create", "configmap", "x", "--from-literal=a=b")
    arn = "arn:aws:iam::123456789012:role/viewer"
    cluster.world.eks.delete_access_entry(clusterName=NAME, principalArn=arn)
    until("the entry's end counts", lambda: viewer("get", "configmaps").returncode != 0, WAIT)


def test_a_policy_of_namespaces_ends_at_their_border(cluster: Cluster) -> None:
    for name in ("team-a", "other"):
        cluster.admin.ok("create", "namespace", name)
    editor = cluster.role("editor", "AmazonEKSEditPolicy", "team-*")
    make = ("create", "configmap", "x", "--from-literal=a=b", "-n")
    until("the binding", lambda: editor(*make, "team-a").returncode == 0, WAIT)
    editor.refused("forbidden", *make, "other")
    editor.refused("forbidden", "get", "nodes")


def test_an_admin_view_policy_reads_secrets_too(cluster: Cluster) -> None:
    auditor = cluster.role("auditor", "AmazonEKSAdminViewPolicy")
    auditor.ok("get", "secrets", "-A")
    auditor.refused("forbidden", "create", "namespace", "x")


def test_nodes_of_a_group_are_ready_and_run_what_is_bound_to_them(cluster: Cluster) -> None:
    world, admin = cluster.world, cluster.admin
    scaling = {"minSize": 1, "maxSize": 3, "desiredSize": 2}
    arguments = {"clusterName": NAME, "nodegroupName": "n", "nodeRole": world.node_role, "subnets": world.subnets}
    world.eks.create_nodegroup(**arguments, scalingConfig=scaling, labels={"pool": "n"})
    until("node group active", lambda: world.describe_nodegroup()["status"] == "ACTIVE", WAIT)

    def nodes() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(admin.ok("get", "nodes", "-l", "pool=n", "-o", "json"))["items"]
        return found

    found = nodes()
    assert len(found) == 2
    assert {n["metadata"]["labels"]["topology.kubernetes.io/zone"] for n in found} == {"us-east-1a", "us-east-1b"}
    for node in found:
        [ready] = [c for c in node["status"]["conditions"] if c["type"] == "Ready"]
        assert (ready["status"], "no kubelet" in ready["message"]) == ("True", True)
        assert node["spec"]["providerID"].startswith("aws:///us-east-1")
    admin.ok("create", "deployment", "web", "--image=nginx", "--replicas=3")
    admin.ok("rollout", "status", "deployment/web", "--timeout=120s")
    admin.ok("delete", "deployment", "web", "--wait", "--timeout=120s")
    until("pods gone", lambda: "web" not in admin.ok("get", "pods"), WAIT)
    smaller = {"minSize": 1, "maxSize": 3, "desiredSize": 1}
    world.eks.update_nodegroup_config(clusterName=NAME, nodegroupName="n", scalingConfig=smaller)
    until("one node", lambda: len(nodes()) == 1, WAIT)
    world.eks.delete_nodegroup(clusterName=NAME, nodegroupName="n")
    until("no node", lambda: nodes() == [], WAIT)
    until("group gone", lambda: world.eks.list_nodegroups(clusterName=NAME)["nodegroups"] == [], WAIT)


def test_z_a_deleted_cluster_leaves_no_process_and_no_file(cluster: Cluster) -> None:
    folder = cluster.world.aws.state.folder / "kubernetes" / "us-east-1" / NAME
    processes = recorded(folder)
    assert len(processes) == 5, "supervisor, etcd and three servers"
    assert all(p.alive() for p in processes)
    assert (folder / "pki" / "ca.key").stat().st_mode & 0o777 == 0o600
    cluster.world.eks.delete_cluster(name=NAME)
    until("cluster gone", lambda: cluster.world.eks.list_clusters()["clusters"] == [], WAIT)
    assert not any(p.alive() for p in processes)
    assert not folder.exists()
