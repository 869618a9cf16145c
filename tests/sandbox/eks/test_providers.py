"""Both stand-ins together, under the real engine, with a real control plane behind the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.rig import Project, Sandbox

pytestmark = pytest.mark.sandbox

PROGRAM = """
import pulumi, pulumi_aws as aws, pulumi_eks as eks, pulumi_kubernetes as kubernetes

vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
subnets = [
    aws.ec2.Subnet(f"s{n}", vpc_id=vpc.id, cidr_block=f"10.0.{n}.0/24", availability_zone=f"us-east-1{'ab'[n]}").id
    for n in range(2)
]
cluster = eks.Cluster(
    "c",
    name="whole",
    vpc_id=vpc.id,
    subnet_ids=subnets,
    version="1.35",
    authentication_mode=eks.AuthenticationMode.API,
    skip_default_node_group=True,
    bootstrap_self_managed_addons=False,
    use_default_vpc_cni=True,
    kube_proxy_addon_options={"enabled": False},
    coredns_addon_options={"enabled": False},
    endpoint_private_access=True,
    endpoint_public_access=True,
    public_access_cidrs=["203.0.113.0/24"],
    tags={"a": pulumi.Config().get("tag") or "b"},
)
provider = kubernetes.Provider(
    "k",
    kubeconfig=cluster.kubeconfig_json,
    cluster_identifier=cluster.eks_cluster.arn,
    delete_unreachable=True,
    enable_server_side_apply=True,
)
options = pulumi.ResourceOptions(provider=provider, deleted_with=cluster.eks_cluster)
space = kubernetes.core.v1.Namespace("team", metadata={"labels": {"app.io/team": "a"}}, opts=options)
kubernetes.core.v1.ConfigMap(
    "settings",
    metadata={"namespace": space.metadata.name},
    data={"a": pulumi.Config().get("data") or "1"},
    opts=options,
)
kubernetes.core.v1.Secret(
    "secret",
    metadata={"namespace": space.metadata.name},
    string_data={"password": pulumi.Output.secret("planted-secret-value")},
    opts=options,
)
kubernetes.storage.v1.StorageClass("gp3", provisioner="ebs.csi.aws.com", parameters={"type": "gp3"}, opts=options)
pulumi.export("namespace", space.metadata.name)
"""


def test_a_cluster_and_what_is_in_it_are_made_changed_and_destroyed(planes: Sandbox, tmp_path: Path) -> None:
    planes.reset()
    project = Project(planes, tmp_path / "project", PROGRAM)
    stack = project.stack("test", {"aws:region": "us-east-1"})
    first = stack.preview().ok()
    assert len(first.of("kubernetes:core/v1:Namespace")) == 1, "a preview needs no cluster"
    stack.up().ok()
    stack.preview("--expect-no-changes").ok()
    stack.refresh().ok()
    stack.preview("--expect-no-changes").ok()
    assert "planted-secret-value" not in str(stack.export())

    project.configure("test", {"aws:region": "us-east-1", "data": "2", "tag": "c"})
    changed = stack.preview().ok()
    assert [step["op"] for step in changed.of("kubernetes:core/v1:ConfigMap")] == ["update"], (
        "a change of the cluster's tags hides nothing that is inside"
    )
    assert all(step["op"] == "update" for step in changed.steps), "and replaces nothing"
    stack.up().ok()
    stack.preview("--expect-no-changes").ok()
    stack.destroy().ok()
