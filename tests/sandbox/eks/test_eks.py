"""`Pulumi.eks.yaml` in the sandbox: up, an empty second preview, access, changes, a version bump, destroy."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox.eks.lab import frozen_api_server
from tests.sandbox.rig import Sandbox, Stack, clone

pytestmark = pytest.mark.sandbox

NAME = "eks"
CLUSTER = "aws:eks/cluster:Cluster"
ADDON = "aws:eks/addon:Addon"
GROUP = "aws:eks/nodeGroup:NodeGroup"
CLUSTER_NAME = "timonel-eks-eks"
SHOP = Path(__file__).parent / "shop.yaml"
"""A shop with a volume, behind a load balancer of its Service and one of its Ingress."""
SHAPE = yaml.safe_load((Path(__file__).parents[3] / "Pulumi.eks.yaml").read_text())["config"]


def shape(**cluster: Any) -> dict[str, Any]:
    """The stack file's configuration, with some of ``cluster`` changed."""
    config = copy.deepcopy(SHAPE)
    config["timonel:cluster"].update(cluster)
    return dict(config)


def configure(stack: Stack, config: dict[str, Any]) -> None:
    stack.folder.joinpath(f"Pulumi.{stack.name}.yaml").write_text(yaml.safe_dump({"config": config}))


@pytest.fixture(scope="module")
def standing(planes: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One cluster for this file's tests; the last of them destroys it."""

    planes.reset()
    stack = Stack(planes, clone(tmp_path_factory.mktemp("eks")), NAME)
    configure(stack, shape(version="1.34"))
    stack.up(seconds=900).ok()
    yield stack
    stack.pulumi("stack", "rm", "-s", stack.name, "--yes", "--force")


def kubectl(stack: Stack, tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A client with the exported kubeconfig, as an operator would use it."""
    config = tmp_path / "kubeconfig"
    config.write_text(stack.outputs(secrets=True)["kubeconfig"])
    words = ["env", f"KUBECONFIG={config}", *[f"{key}={value}" for key, value in environment.items()]]
    done = stack.sandbox.exec(*words, "kubectl", *arguments)
    return subprocess.CompletedProcess(list(arguments), done.code, done.out, done.err)


def test_a_second_preview_is_empty(standing: Stack) -> None:
    assert standing.preview("--diff").ok().changed == {}


def test_the_exported_kubeconfig_lists_ready_nodes(standing: Stack, tmp_path: Path) -> None:
    done = kubectl(standing, tmp_path, "get", "nodes", "-o", "json")
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout)["items"]
    ready = [
        node["metadata"]["labels"].get("timonel/pool")
        for node in nodes
        if {"type": "Ready", "status": "True"}.items()
        <= max((c for c in node["status"]["conditions"] if c["type"] == "Ready"), key=str, default={}).items()
    ]
    assert ready == ["general", "general"]


def test_the_state_holds_nothing_by_pulumi_eks_s_own_kubernetes_provider(standing: Stack) -> None:
    resources = standing.resources()
    inner = [
        r["urn"] for r in resources if r["type"] == "pulumi:providers:kubernetes" and "eks:index:Cluster" in r["urn"]
    ]
    assert len(inner) == 1
    assert [r["urn"] for r in resources if r.get("provider", "").startswith(inner[0])] == []


def test_the_creator_is_an_admin_by_an_entry_alone(standing: Stack) -> None:
    [cluster] = standing.resources(CLUSTER)
    assert cluster["outputs"]["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] is False
    entries = standing.sandbox.client("eks").list_access_entries(clusterName=CLUSTER_NAME)["accessEntries"]
    assert len([arn for arn in entries if ":role/" not in arn]) == 1, entries


@pytest.mark.parametrize(
    "change",
    [
        {"timonel:tags": {"team": "sea"}},
        {"publicAccessCidrs": ["198.51.100.0/24"]},
        {"logTypes": ["audit"]},
        {"nodePools": [*SHAPE["timonel:cluster"]["nodePools"], {"name": "more"}]},
    ],
    ids=["tags", "cidrs", "logs", "pools"],
)
def test_a_change_replaces_nothing(standing: Stack, change: dict[str, Any]) -> None:
    config = shape(version="1.34", **{k: v for k, v in change.items() if ":" not in k})
    configure(standing, config | {k: v for k, v in change.items() if ":" in k})
    found = standing.preview().ok()
    configure(standing, shape(version="1.34"))
    assert found.changed, "else it is no change"
    assert {s["op"] for s in found.steps} <= {"create", "update"}, [s for s in found.steps if "replace" in s["op"]]


def test_a_jump_over_a_version_is_refused(standing: Stack) -> None:
    configure(standing, shape(version="1.36"))
    found = standing.preview()
    configure(standing, shape(version="1.34"))
    assert found.finished.code != 0
    assert "timonel:cluster.version" in found.finished.text
    assert "one minor version at a time" in found.finished.text


def test_a_version_bump_goes_control_plane_add_ons_nodes(standing: Stack) -> None:
    configure(standing, shape(version="1.35"))
    done = standing.up(seconds=900).ok()
    order = [s["type"] + ("" if s["type"] != ADDON else " " + s["urn"].rpartition("::")[2]) for s in done.steps]
    order = [each for each in order if each.startswith((CLUSTER, ADDON, GROUP))]
    assert order[0] == CLUSTER
    proxy, coredns = order.index(f"{ADDON} eks-kube-proxy"), order.index(f"{ADDON} eks-coredns")
    groups = [place for place, each in enumerate(order) if each == GROUP]
    assert proxy < min(groups) <= max(groups) < coredns, order
    assert {s["op"] for s in done.steps} == {"update"}, "nothing is replaced"
    assert standing.preview().ok().changed == {}


def test_after_aws_upgraded_the_cluster_up_says_so_and_leaves_it_and_the_rest_follows(standing: Stack) -> None:
    eks = standing.sandbox.client("eks")
    eks.update_cluster_version(name=CLUSTER_NAME, version="1.36")
    eks.get_waiter("cluster_active").wait(name=CLUSTER_NAME, WaiterConfig={"Delay": 1})
    done = standing.up().ok()
    assert "AWS has upgraded it" in done.finished.text
    assert done.changed == {}
    assert eks.describe_cluster(name=CLUSTER_NAME)["cluster"]["version"] == "1.36"
    configure(standing, shape(version="1.36"))
    done = standing.up(seconds=900).ok()
    assert {s["type"] for s in done.steps} >= {ADDON, GROUP}, "what up advised: nodes and add-ons follow"
    assert done.of(CLUSTER) == [], "EKS refuses the version that runs"
    assert standing.preview().ok().changed == {}


def fill(stack: Stack, tmp_path: Path) -> None:
    """Make what AWS' controllers make things for: load balancers of a Service and an Ingress, a volume that is used."""
    assert kubectl(stack, tmp_path, "apply", "-f", str(SHOP)).returncode == 0
    for what, condition in {
        "service/shop": "jsonpath={.status.loadBalancer.ingress}",
        "ingress/shop": "jsonpath={.status.loadBalancer.ingress}",
        "deployment/shop": "condition=Available",
        "pvc/shop": "jsonpath={.status.phase}=Bound",
    }.items():
        done = kubectl(stack, tmp_path, "wait", what, f"--for={condition}", "--timeout=120s")
        assert done.returncode == 0, done.stderr


def destroyed(stack: Stack) -> str:
    """What a plain destroy said; held against the order, and against what `leaks` finds."""
    done = stack.destroy(seconds=900).ok()
    types = [s["type"] for s in done.steps]
    assert types.index("timonel:index:EksTeardown") < types.index(CLUSTER) < types.index("timonel:index:EksSweep")
    assert stack.resources() == []
    return done.finished.text


def test_destroy_leaves_nothing_of_what_controllers_made(standing: Stack, tmp_path: Path) -> None:
    fill(standing, tmp_path)
    said = destroyed(standing)
    for gone in ("Service default/shop", "Ingress default/shop", "PersistentVolumeClaim default/shop"):
        assert gone in said, said
    standing.sandbox.cli("leaks").ok()


def test_destroy_ends_with_a_dead_api_server_and_names_the_volume_that_it_kept(standing: Stack, tmp_path: Path) -> None:
    config = shape(version="1.35")
    config["timonel:cluster"]["system"] = {"teardownTimeoutSeconds": 60}
    configure(standing, config)
    standing.up(seconds=900).ok()
    fill(standing, tmp_path)
    with frozen_api_server(standing.sandbox, CLUSTER_NAME):
        said = destroyed(standing)
    assert "only AWS was searched" in said
    report = json.loads(standing.sandbox.cli("leaks", "--json").ok().out)
    [kept] = report["kept"]
    assert kept["kind"] == "volume", "whether its data may go, only the API server could have said"
    assert kept["id"] in said
