"""When an object is ready, by kind: a function gives None when it is, else what is missing."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.providers.kubernetes.client import ApiError, Client
from sandbox.providers.serve import ProviderError


class FailedError(ProviderError):
    """The object will not become ready by itself."""


Object = Mapping[str, Any]
Ready = Callable[[Client, Object], str | None]
SECONDS: Mapping[str, float] = {"PersistentVolumeClaim": 300, "Pod": 300}
"""Longest waits that differ from the usual ones (the genuine provider's)."""
USUAL_SECONDS = 600.0


def condition(item: Object, kind: str) -> Object:
    """One of the object's conditions, empty when it has none."""
    found = (item.get("status") or {}).get("conditions") or []
    return next((entry for entry in found if entry.get("type") == kind), {})


def _told(entry: Object) -> str:
    return f"{entry.get('reason') or 'no reason'}: {entry.get('message') or 'no message'}"


def _seen(item: Object) -> bool:
    generation = item["metadata"].get("generation", 0)
    return bool((item.get("status") or {}).get("observedGeneration", 0) >= generation)


def _deployment(_client: Client, item: Object) -> str | None:
    status, wanted = item.get("status") or {}, item["spec"].get("replicas", 1)
    progressing = condition(item, "Progressing")
    if not _seen(item):
        return "the controller has not seen it"
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        raise FailedError(_told(progressing))
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted or status.get("replicas", 0) > updated or available < wanted:
        return f"{available} of {wanted} replicas available, {updated} up to date"
    return None


def _stateful_set(_client: Client, item: Object) -> str | None:
    status, wanted = item.get("status") or {}, item["spec"].get("replicas", 1)
    if not _seen(item):
        return "the controller has not seen it"
    ready = status.get("readyReplicas", 0)
    by_hand = (item["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
    behind = not by_hand and status.get("updateRevision") != status.get("currentRevision")
    return (
        f"{ready} of {wanted} replicas ready{', an update goes on' if behind else ''}"
        if ready < wanted or behind
        else None
    )


def _daemon_set(_client: Client, item: Object) -> str | None:
    status = item.get("status") or {}
    if not _seen(item):
        return "the controller has not seen it"
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    updated = status.get("updatedNumberScheduled", 0)
    by_hand = (item["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"
    return (
        f"{ready} of {wanted} pods ready, {updated} up to date"
        if ready < wanted or (updated < wanted and not by_hand)
        else None
    )


def _service(client: Client, item: Object) -> str | None:
    spec, status = item["spec"], item.get("status") or {}
    if spec.get("type") == "LoadBalancer" and not (status.get("loadBalancer") or {}).get("ingress"):
        return "it has no load balancer yet"
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None" or not spec.get("selector"):
        return None
    known = item["metadata"]
    query = {"labelSelector": f"kubernetes.io/service-name={known['name']}"}
    path = client.place("discovery.k8s.io/v1", "EndpointSlice").path(known["namespace"])
    slices = client.request("GET", path, query=query).get("items") or []
    ready = [
        one for part in slices for one in part.get("endpoints") or [] if (one.get("conditions") or {}).get("ready")
    ]
    return None if ready else "no pod behind it is ready"


def _claim(client: Client, item: Object) -> str | None:
    phase = (item.get("status") or {}).get("phase")
    if phase == "Bound":
        return None
    name = item["spec"].get("storageClassName")
    if name:
        try:
            path = client.place("storage.k8s.io/v1", "StorageClass").path("", name)
            if client.request("GET", path).get("volumeBindingMode") == "WaitForFirstConsumer":
                return None
        except ApiError:
            return f"there is no storage class {name}"
    return f"it is {phase or 'not seen'}"


def _job(_client: Client, item: Object) -> str | None:
    if condition(item, "Failed").get("status") == "True":
        raise FailedError(_told(condition(item, "Failed")))
    if condition(item, "Complete").get("status") == "True" or condition(item, "Suspended").get("status") == "True":
        return None
    return f"{(item.get('status') or {}).get('succeeded', 0)} pods have succeeded"


def _definition(_client: Client, item: Object) -> str | None:
    if condition(item, "NamesAccepted").get("status") == "False":
        raise FailedError(_told(condition(item, "NamesAccepted")))
    return None if condition(item, "Established").get("status") == "True" else "it is not established"


def _pod(_client: Client, item: Object) -> str | None:
    phase = (item.get("status") or {}).get("phase")
    if phase == "Failed":
        raise FailedError(_told(item["status"]))
    ready = phase == "Succeeded" or condition(item, "Ready").get("status") == "True"
    return None if ready else f"it is {phase or 'not seen'}"


def _ingress(_client: Client, item: Object) -> str | None:
    found = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return None if found else "it has no address yet"


def _namespace(_client: Client, item: Object) -> str | None:
    return None if (item.get("status") or {}).get("phase") == "Active" else "it is not active"


_READY: Mapping[tuple[str, str], Ready] = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("", "Namespace"): _namespace,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
}


def ready(item: Object) -> Ready | None:
    """Give the rule for an object, None when it is ready as soon as it is there."""
    group = str(item["apiVersion"]).rpartition("/")[0]
    return _READY.get((group, item["kind"]))
