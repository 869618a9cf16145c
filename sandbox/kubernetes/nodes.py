"""Nodes without a kubelet: kept Ready, and pods on them said to run. A stand-in, as kwok is one; nothing is executed.

Each EC2 instance of a node group is a Node object with the labels and taints that EKS's nodes have
(https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html,
https://kubernetes.io/docs/reference/labels-annotations-taints/), whose Lease is renewed. A pod that the scheduler
binds to one becomes Running and Ready, a pod of a Job Succeeded; a deleted pod goes at once. Refused by nature: logs,
exec, port-forward, probes, volumes; no pod has a network.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes.client import Client, Object

LEASE_SECONDS = 40
"""leaseDurationSeconds of a kubelet. https://kubernetes.io/docs/concepts/architecture/leases/."""
RENEW_SECONDS = 10.0
MARK = "timonel.dev/no-kubelet"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
NOTE = "the sandbox's stand-in: no kubelet runs"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def node(wanted: dict[str, Any]) -> Object:
    """The Node object of an instance: {name, labels, taints, provider_id, ...}."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": wanted["name"], "labels": {**wanted["labels"], MARK: "true"}},
        "spec": {"providerID": wanted["provider_id"], "taints": wanted["taints"]},
    }


def status(wanted: dict[str, Any]) -> Object:
    """The status of a node that is ready."""
    healthy = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}
    conditions = [
        {
            "type": kind,
            "status": value,
            "reason": "NoKubelet",
            "message": NOTE,
            "lastHeartbeatTime": _now(),
            "lastTransitionTime": _now(),
        }
        for kind, value in healthy.items()
    ]
    capacity = {"cpu": wanted["cpu"], "memory": wanted["memory"], "pods": "110", "ephemeral-storage": "20Gi"}
    system = {
        "kubeletVersion": wanted["version"],
        "kubeProxyVersion": "",
        "containerRuntimeVersion": "none://0",
        "osImage": f"none ({NOTE})",
        "operatingSystem": "linux",
        "architecture": wanted["labels"]["kubernetes.io/arch"],
        **dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion"), ""),
    }
    addresses = [{"type": "InternalIP", "address": wanted["address"]}, {"type": "Hostname", "address": wanted["name"]}]
    return {
        "status": {
            "conditions": conditions,
            "capacity": capacity,
            "allocatable": capacity,
            "nodeInfo": system,
            "addresses": addresses,
        }
    }


class Nodes:
    """Keeps the nodes of one cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._renewed: dict[str, float] = {}

    def keep(self, wanted: list[dict[str, Any]]) -> list[str]:
        """Have exactly these nodes, Ready; returns their names."""
        by_name = {w["name"]: w for w in wanted}
        found = {n["metadata"]["name"]: n for n in self._client.list("/api/v1/nodes", labelSelector=MARK)}
        for name in set(found) - set(by_name):
            self._client.delete(f"/api/v1/nodes/{name}")
            self._client.delete(f"{LEASES}/{name}")
            self._renewed.pop(name, None)
        for name, one in by_name.items():
            if name not in found:
                self._client.ensure("/api/v1/nodes", node(one))
            self._follow(found.get(name), one)
            self._beat(one)
        return list(by_name)

    def _follow(self, found: Object | None, one: dict[str, Any]) -> None:
        """Labels and taints of the node group; taints of Kubernetes itself stay."""
        if found is None:
            return
        labels = found["metadata"].get("labels") or {}
        if any(labels.get(k) != v for k, v in one["labels"].items()):
            self._client.patch(f"/api/v1/nodes/{one['name']}", {"metadata": {"labels": one["labels"]}})

    def _beat(self, one: dict[str, Any]) -> None:
        """A heartbeat: the status once, then the Lease."""
        name, first = one["name"], one["name"] not in self._renewed
        if not first and time.monotonic() - self._renewed[name] < RENEW_SECONDS:
            return
        spec = {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": _micro()}
        if first:
            self._client.patch(f"/api/v1/nodes/{name}/status", status(one), strategic=True)
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
            self._client.ensure(LEASES, lease)
        self._client.patch(f"{LEASES}/{name}", {"spec": spec})
        self._renewed[name] = time.monotonic()


def run_pods(client: Client, nodes: list[str]) -> None:
    """Say that pods bound to these nodes run, and let deleted ones go."""
    ours = set(nodes)
    for pod in client.list("/api/v1/pods", fieldSelector="spec.nodeName!=", resourceVersion="0"):
        metadata, spec = pod["metadata"], pod["spec"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if spec.get("nodeName") not in ours:
            continue
        if metadata.get("deletionTimestamp"):
            client.delete(path, gracePeriodSeconds=0, preconditions={"uid": metadata["uid"]})
        elif pod["status"].get("phase") == "Pending":
            client.patch(f"{path}/status", pod_status(pod), strategic=True)


def pod_status(pod: Object) -> Object:
    """What a kubelet would report once a pod's containers run; once they ended well for a pod of a Job."""
    job = any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences") or [])
    moment, ready = _now(), "False" if job else "True"
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": moment, "finishedAt": moment}}
    state = ended if job else {"running": {"startedAt": moment}}

    def containers(kind: str, state: Object, *, ready: bool) -> list[Object]:
        return [
            {
                "name": c["name"],
                "image": c["image"],
                "imageID": "",
                "ready": ready,
                "started": ready,
                "restartCount": 0,
                "state": state,
            }
            for c in pod["spec"].get(kind) or []
        ]

    kinds = {"PodReadyToStartContainers": "True", "Initialized": "True", "Ready": ready, "ContainersReady": ready}
    conditions = [{"type": k, "status": v, "lastTransitionTime": moment, "message": NOTE} for k, v in kinds.items()]
    return {
        "status": {
            "phase": "Succeeded" if job else "Running",
            "startTime": moment,
            "conditions": conditions,
            "containerStatuses": containers("containers", state, ready=not job),
            "initContainerStatuses": containers("initContainers", ended, ready=True),
        }
    }
