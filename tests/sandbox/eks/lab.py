"""A cluster with a network in the sandbox, spoken to as its admin; the teardown is run on it without an engine."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from provider.eks_teardown.handlers import EksSweepHandler, EksTeardownHandler
from provider.eks_teardown.kubernetes import token_source
from provider.handler import Context, Handler
from sandbox.providers.kubernetes.client import ApiError, Client
from sandbox.providers.kubernetes.settings import Connection
from tests.sandbox.rig import Sandbox

Value = TypeVar("Value")
STACK = "p/eks"
ADMIN_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
SECONDS = 180
"""For what a loaded machine may need: a control plane starts in about ten when it has a core for itself."""


def until(what: str, condition: Callable[[], Value], seconds: float = SECONDS) -> Value:
    """Wait for something to be true and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.3)
    return found


@contextmanager
def frozen_api_server(sandbox: Sandbox, cluster: str) -> Iterator[None]:
    """The API server's process stopped: connections are taken and nothing is answered."""
    [record] = sandbox.state.folder.rglob(f"{cluster}/processes.json")
    pid = json.loads(record.read_text())["kube-apiserver"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # its cluster may have been deleted
            os.kill(pid, signal.SIGCONT)


class Lab:
    """One cluster."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox, self.name = sandbox, name
        self.ec2, self.eks, self.elbv2, self.elb = (sandbox.client(s) for s in ("ec2", "eks", "elbv2", "elb"))
        region = self.ec2.meta.region_name
        tags = [{"Key": "timonel:stack", "Value": STACK}]
        specification = [{"ResourceType": "vpc", "Tags": tags}]
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification)["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"{region}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for i, zone in enumerate("ab")
        ]
        self.said: list[str] = []
        self._cluster()

    def _role(self, service: str) -> str:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made = self.sandbox.client("iam").create_role(RoleName=f"{self.name}-{service}", AssumeRolePolicyDocument=trust)
        return str(made["Role"]["Arn"])

    def _cluster(self) -> None:
        self.eks.create_cluster(
            name=self.name,
            roleArn=self._role("eks"),
            resourcesVpcConfig={"subnetIds": self.subnets},
            accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            bootstrapSelfManagedAddons=False,
            logging={"clusterLogging": [{"types": ["audit"], "enabled": True}]},
        )
        until("the cluster is active", lambda: self.described["status"] == "ACTIVE")
        admin = self.sandbox.client("sts").get_caller_identity()["Arn"]
        self.eks.create_access_entry(clusterName=self.name, principalArn=admin)
        self.eks.associate_access_policy(
            clusterName=self.name, principalArn=admin, policyArn=ADMIN_POLICY, accessScope={"type": "cluster"}
        )
        cluster = self.described
        authority = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
        self.api = Client(Connection(cluster["endpoint"], authority, token=token_source(self.context, self.name)()))

    @property
    def described(self) -> dict[str, Any]:
        """As EKS describes it."""
        found: dict[str, Any] = self.eks.describe_cluster(name=self.name)["cluster"]
        return found

    @property
    def context(self) -> Context:
        """What the provider gives its handlers."""
        return Context(cache(self.sandbox.client), lambda: datetime.now(UTC), self.said.append, threading.Event())

    def controllers(self, *, alive: bool) -> None:
        """Let the cloud's controllers work or not."""
        self.sandbox.control("PUT", "settings", {"cloud_controllers": alive})

    def node(self) -> None:
        """A node, once it is ready."""
        self.eks.create_nodegroup(
            clusterName=self.name,
            nodegroupName="n",
            nodeRole=self._role("ec2"),
            subnets=self.subnets,
            scalingConfig={"minSize": 1, "maxSize": 1, "desiredSize": 1},
        )
        until("a node joined", lambda: self.api.request("GET", "/api/v1/nodes")["items"])

    def deployment(self, name: str, claim: str) -> str:
        """A Deployment of one pod that mounts a claim, once its pod runs. Returns its path."""
        labels = {"app": name}
        mount = {"name": "data", "persistentVolumeClaim": {"claimName": claim}}
        pod = {"containers": [{"name": "main", "image": "busybox"}], "volumes": [mount]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        folder = "/apis/apps/v1/namespaces/default/deployments"
        self.make(folder, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})
        until(f"a pod of {name} runs", lambda: (self.get(f"{folder}/{name}") or {})["status"].get("readyReplicas"))
        return f"{folder}/{name}"

    def make(self, path: str, thing: dict[str, Any]) -> None:
        """Create an object."""
        self.api.request("POST", path, thing)

    def get(self, path: str) -> dict[str, Any] | None:
        """An object, or None."""
        try:
            return self.api.request("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def service(self, name: str, finalizers: tuple[str, ...] = ()) -> str:
        """A Service with a network load balancer, once it has one. Returns its path."""
        annotations = {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}
        metadata = {"name": name, "annotations": annotations, "finalizers": list(finalizers)}
        spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": name}}
        folder = "/api/v1/namespaces/default/services"
        self.make(folder, {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        return self._balanced(f"{folder}/{name}")

    def ingress(self, name: str) -> str:
        """An Ingress of class alb, once it has a load balancer. Returns its path."""
        backend = {"service": {"name": "web", "port": {"number": 80}}}
        spec = {"ingressClassName": "alb", "defaultBackend": backend}
        folder = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
        self.make(folder, {**kind, "metadata": {"name": name}, "spec": spec})
        return self._balanced(f"{folder}/{name}")

    def _balanced(self, path: str) -> str:
        until(f"{path} has a load balancer", lambda: (self.get(path) or {})["status"]["loadBalancer"].get("ingress"))
        return path

    def storage_class(self, name: str, reclaim: str) -> None:
        """A class of the EBS CSI driver that binds at once."""
        thing = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": "ebs.csi.aws.com",
            "reclaimPolicy": reclaim,
            "parameters": {"type": "gp3", "encrypted": "true"},
        }
        self.make("/apis/storage.k8s.io/v1/storageclasses", thing)

    def claim(self, name: str, storage_class: str) -> str:
        """A claim of 2 GiB, once it is bound. Returns the id of its EBS volume."""
        resources = {"requests": {"storage": "2Gi"}}
        spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": storage_class, "resources": resources}
        folder = "/api/v1/namespaces/default/persistentvolumeclaims"
        kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        self.make(folder, {**kind, "metadata": {"name": name}, "spec": spec})
        until(f"claim {name} is bound", lambda: (self.get(f"{folder}/{name}") or {})["status"].get("phase") == "Bound")
        volume = (self.get(f"{folder}/{name}") or {})["spec"]["volumeName"]
        found = self.get(f"/api/v1/persistentvolumes/{volume}") or {}
        return str(found["spec"]["csi"]["volumeHandle"])

    def teardown(self, volumes: str = "delete", seconds: int = 60) -> str:
        """Delete EksTeardown; returns its report."""
        return self._delete(EksTeardownHandler(), {"volumes": volumes, "timeoutSeconds": seconds})

    def sweep(self, seconds: int = 30) -> str:
        """Delete EksSweep; returns its report."""
        return self._delete(EksSweepHandler(), {"timeoutSeconds": seconds})

    def _delete(self, handler: Handler, more: dict[str, Any]) -> str:
        handler.delete({"clusterName": self.name, "vpcId": self.vpc, **more}, self.context)
        return self.said[-1]

    def end(self) -> None:
        """Delete the cluster, as Pulumi does between the two."""
        self.eks.delete_cluster(name=self.name)
        until("the cluster is gone", lambda: self.name not in self.eks.list_clusters()["clusters"])

    def leaks(self) -> dict[str, Any]:
        """What `leaks` finds of the stack and the cluster."""
        finished = self.sandbox.cli("leaks", "--stack", STACK, "--cluster", self.name, "--json")
        found: dict[str, Any] = json.loads(finished.out)
        return found
