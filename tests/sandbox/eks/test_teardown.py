"""The teardown of a cluster against a real API server and controllers that hold their finalizers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from provider.errors import ProviderError
from tests.sandbox.eks.lab import Lab, frozen_api_server, until
from tests.sandbox.rig import Sandbox

pytestmark = pytest.mark.sandbox
_numbers = itertools.count()


@pytest.fixture
def lab(planes: Sandbox) -> Iterator[Lab]:
    """A cluster of its own for each test, in an empty account."""
    planes.reset()
    yield Lab(planes, f"shop{next(_numbers)}")
    planes.reset()


def _left(lab: Lab) -> set[tuple[str, str]]:
    """What is left of the cluster's, without the VPC and its parts, which Pulumi deletes."""
    network = {"vpc", "subnet"}
    return {
        (f["kind"], f["class"]) for f in lab.leaks()["left_behind"] + lab.leaks()["kept"] if f["kind"] not in network
    }


def test_controllers_remove_what_they_made_and_leaks_names_what_policy_kept(lab: Lab) -> None:
    lab.service("web")
    lab.ingress("web")
    lab.storage_class("gp3", "Delete")
    lab.storage_class("precious", "Retain")
    scratch, database = lab.claim("scratch", "gp3"), lab.claim("database", "precious")
    said = lab.teardown()
    for gone in ("Service default/web", "Ingress default/web", "PersistentVolumeClaim default/scratch"):
        assert f"    {gone}\n" in said
    assert database in said and "its PersistentVolume says Retain" in said
    assert "control-plane logs turned off: audit" in said
    assert lab.get("/api/v1/namespaces/default/persistentvolumeclaims/database"), "the claim of a kept volume stays"
    volumes = {v["VolumeId"] for v in lab.ec2.describe_volumes()["Volumes"]}
    assert database in volumes and scratch not in volumes
    assert lab.elbv2.describe_load_balancers()["LoadBalancers"] == []
    lab.end()
    lab.sweep()
    assert _left(lab) == {("volume", "kept by policy")}


def test_dead_controllers_are_waited_for_to_a_bound_and_then_done_without(lab: Lab) -> None:
    path = lab.service("web")
    held = lab.service("held", finalizers=("acme.io/hold",))
    lab.storage_class("gp3", "Delete")
    volume = lab.claim("scratch", "gp3")
    lab.controllers(alive=False)
    begun = time.monotonic()
    said = lab.teardown(seconds=30)
    assert time.monotonic() - begun < 60, "it is bounded"
    assert lab.elbv2.describe_load_balancers()["LoadBalancers"] == []
    assert volume not in {v["VolumeId"] for v in lab.ec2.describe_volumes()["Volumes"]}
    assert "Service default/web was stuck: no controller took off service.kubernetes.io/load-balancer-cleanup" in said
    assert lab.get(path) is None
    until("the released volume is gone", lambda: not lab.api.request("GET", "/api/v1/persistentvolumes")["items"])
    assert "Service default/held: still waits for acme.io/hold" in said, (
        "an operator's own finalizer is never taken off"
    )
    assert lab.get(held) is not None
    lab.api.request("PATCH", held, {"metadata": {"finalizers": None}}, kind="application/merge-patch+json")


def test_a_dead_api_server_does_not_stop_it_and_a_volume_of_unknown_policy_is_kept(lab: Lab) -> None:
    lab.service("web")
    lab.storage_class("gp3", "Delete")
    volume = lab.claim("scratch", "gp3")
    lab.controllers(alive=False)
    begun = time.monotonic()
    with frozen_api_server(lab.sandbox, lab.name):
        said = lab.teardown(seconds=30)
    assert time.monotonic() - begun < 180, "three attempts to connect of 5 s each are the longest that nothing happens"
    assert "only AWS was searched" in said
    assert lab.elbv2.describe_load_balancers()["LoadBalancers"] == []
    assert volume in said and "no PersistentVolume said whether it may go" in said
    assert volume in {v["VolumeId"] for v in lab.ec2.describe_volumes()["Volumes"]}


def test_what_mounts_a_claim_goes_from_its_topmost_owner_down(lab: Lab) -> None:
    lab.node()
    lab.storage_class("gp3", "Delete")
    volume = lab.claim("scratch", "gp3")
    path = lab.deployment("shop", "scratch")
    said = lab.teardown()
    assert "Deployment default/shop was deleted: its pods used a volume that goes" in said
    assert "PersistentVolumeClaim default/scratch" in said and lab.get(path) is None
    assert volume not in {v["VolumeId"] for v in lab.ec2.describe_volumes()["Volumes"]}
    lab.eks.delete_nodegroup(clusterName=lab.name, nodegroupName="n")
    until("the node group is gone", lambda: not lab.eks.list_nodegroups(clusterName=lab.name)["nodegroups"])
    lab.end()
    assert "network interface eni-" in lab.sweep(), "the node left one"
    assert _left(lab) == set()


def test_retain_keeps_every_volume_and_fail_refuses_to_begin(lab: Lab) -> None:
    lab.service("web")
    lab.storage_class("gp3", "Delete")
    volume = lab.claim("scratch", "gp3")
    with pytest.raises(ProviderError, match=f"volumes is fail .* has 1, so nothing was deleted: volume {volume}"):
        lab.teardown("fail")
    assert len(lab.elbv2.describe_load_balancers()["LoadBalancers"]) == 1
    said = lab.teardown("retain")
    assert "volumes is retain" in said and lab.elbv2.describe_load_balancers()["LoadBalancers"] == []
    [kept] = lab.api.request("GET", "/api/v1/persistentvolumes")["items"]
    assert kept["spec"]["persistentVolumeReclaimPolicy"] == "Retain", "else deleting its namespace would delete it"
    [found] = lab.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert (tags["timonel:keep"], tags["timonel:stack"]) == ("volumes is retain", "p/eks")


def test_a_dead_webhook_does_not_block_the_deletes(lab: Lab) -> None:
    path = lab.service("web")
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["services"], "operations": ["DELETE", "UPDATE"]}
    hook = {
        "name": "deny.acme.io",
        "clientConfig": {"service": {"namespace": "kube-system", "name": "nobody"}},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    folder = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    lab.make(folder, {**kind, "metadata": {"name": "deny"}, "webhooks": [hook]})
    until("the webhook blocks", lambda: _is_blocked(lab, path))
    said = lab.teardown()
    assert "ValidatingWebhookConfiguration deny" in said and lab.get(path) is None


def test_deletion_protection_of_the_cluster_stops_it_before_anything_is_deleted(lab: Lab) -> None:
    path = lab.service("web")
    lab.eks.update_cluster_config(name=lab.name, deletionProtection=True)
    until("protected", lambda: lab.described["deletionProtection"] and lab.described["status"] == "ACTIVE")
    with pytest.raises(ProviderError, match="has deletion protection, so it cannot be deleted and nothing in it was"):
        lab.teardown()
    assert lab.get(path) is not None
    lab.eks.update_cluster_config(name=lab.name, deletionProtection=False)
    until("unprotected", lambda: lab.described["status"] == "ACTIVE")


def _is_blocked(lab: Lab, path: str) -> bool:
    try:
        lab.api.request("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, kind="application/merge-patch+json")
    except Exception as error:  # noqa: BLE001 (whichever it is, it must be the webhook's)
        return "deny.acme.io" in str(error)
    return False
