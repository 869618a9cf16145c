"""The stand-in for Pulumi's EKS provider under the real engine, child by child as the genuine provider made them.

The table was recorded with the genuine plugin (pulumi_eks 4.3.0, engine 3.259) against an aws plugin that wrote down
what it was asked; the same arguments are given here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.rig import Stack

pytestmark = pytest.mark.sandbox

Make = Callable[..., Stack]

PROGRAM = """
import pulumi, pulumi_aws as aws, pulumi_eks as eks

vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
subnets = [
    aws.ec2.Subnet(f"s{n}", vpc_id=vpc.id, cidr_block=f"10.0.{n}.0/24", availability_zone=f"us-east-1{'ab'[n]}").id
    for n in range(2)
]
settings = pulumi.Config()


def without_creator(args):
    if args.type_ == "aws:eks/cluster:Cluster":
        access = {**args.props["accessConfig"], "bootstrapClusterCreatorAdminPermissions": False}
        more = {"accessConfig": access, "zonalShiftConfig": {"enabled": True}}
        return pulumi.ResourceTransformResult({**args.props, **more}, args.opts)


cluster = eks.Cluster(
    "N",
    name="mine",
    vpc_id=vpc.id,
    subnet_ids=subnets,
    version="1.35",
    authentication_mode=eks.AuthenticationMode.API,
    skip_default_node_group=True,
    create_oidc_provider=False,
    bootstrap_self_managed_addons=False,
    use_default_vpc_cni=True,
    kube_proxy_addon_options={"enabled": False},
    coredns_addon_options={"enabled": False},
    endpoint_private_access=True,
    endpoint_public_access=settings.get_bool("public") or False,
    public_access_cidrs=["203.0.113.0/24"] if settings.get_bool("public") else None,
    enabled_cluster_log_types=["api", "audit"],
    tags={"a": "b"},
    opts=pulumi.ResourceOptions(transforms=[without_creator] if settings.get_bool("transform") else []),
    **(settings.get_object("more") or {}),
)
pulumi.export("kubeconfig", cluster.kubeconfig)
pulumi.export("json", cluster.kubeconfig_json)
pulumi.export("arn", cluster.eks_cluster.arn)
pulumi.export("group", cluster.cluster_security_group_id)
pulumi.export("nodes", cluster.node_security_group.id)
pulumi.export("issuer", cluster.oidc_issuer)
pulumi.export("core", cluster.core.apply(lambda core: core.vpc_id))
pulumi.export("role", cluster.core.apply(lambda core: core.cluster_iam_role.name))
"""

CHILDREN = {
    ("eks:index:Cluster", "N", "pulumi:pulumi:Stack"),
    ("eks:index:ServiceRole", "N-eksRole", "eks:index:Cluster"),
    ("aws:iam/role:Role", "N-eksRole-role", "eks:index:ServiceRole"),
    ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "N-eksRole-4b490823", "eks:index:ServiceRole"),
    ("aws:ec2/securityGroup:SecurityGroup", "N-eksClusterSecurityGroup", "eks:index:Cluster"),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", "N-eksClusterInternetEgressRule", "eks:index:Cluster"),
    ("aws:eks/cluster:Cluster", "N-eksCluster", "eks:index:Cluster"),
    ("aws:ec2/securityGroup:SecurityGroup", "N-nodeSecurityGroup", "eks:index:Cluster"),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", "N-eksExtApiServerClusterIngressRule", "eks:index:Cluster"),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", "N-eksNodeIngressRule", "eks:index:Cluster"),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", "N-eksNodeInternetEgressRule", "eks:index:Cluster"),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", "N-eksClusterIngressRule", "eks:index:Cluster"),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", "N-eksNodeClusterIngressRule", "eks:index:Cluster"),
    ("pulumi:providers:kubernetes", "N-eks-k8s", "eks:index:Cluster"),
}
"""(type, logical name, parent's type) of what the genuine provider registered."""


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _children(stack: Stack) -> dict[str, dict[str, Any]]:
    """The component and what is below it, by logical name."""
    found = stack.resources()
    kinds = {item["urn"]: item["type"] for item in found}
    below = [item for item in found if _name(item["urn"]).startswith("N")]
    return {_name(item["urn"]): {**item, "parent_type": kinds[item["parent"]]} for item in below}


def test_each_child_has_the_type_name_parent_and_inputs_of_the_genuine_ones(project: Make) -> None:
    stack = project(PROGRAM, {"aws:region": "us-east-1"})
    stack.up().ok()
    made = _children(stack)
    assert {(item["type"], name, item["parent_type"]) for name, item in made.items()} == CHILDREN

    role = made["N-eksRole-role"]["inputs"]
    statement = json.loads(role["assumeRolePolicy"])["Statement"][0]
    assert statement["Principal"]["Service"] == ["eks.amazonaws.com"]
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert role["tags"] == {"a": "b"}
    attachment = made["N-eksRole-4b490823"]["inputs"]
    assert attachment["policyArn"] == "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
    assert attachment["role"] == made["N-eksRole-role"]["id"], "a plugin that takes no resources gets the id"

    for name, more in (
        ("N-eksClusterSecurityGroup", {}),
        ("N-nodeSecurityGroup", {"kubernetes.io/cluster/mine": "owned"}),
    ):
        group = made[name]["inputs"]
        assert group["tags"] == {"Name": name, "a": "b", **more}
        assert group["revokeRulesOnDelete"] is True and group["description"] == "Managed by Pulumi"

    cluster = made["N-eksCluster"]["inputs"]
    assert cluster["accessConfig"] == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True}
    assert cluster["bootstrapSelfManagedAddons"] is False and cluster["version"] == "1.35"
    assert cluster["enabledClusterLogTypes"] == ["api", "audit"]
    assert cluster["roleArn"] == made["N-eksRole-role"]["outputs"]["arn"]
    assert cluster["vpcConfig"]["securityGroupIds"] == [made["N-eksClusterSecurityGroup"]["id"]]
    assert cluster["tags"] == {"Name": "N-eksCluster", "a": "b"}

    assert _rules(made) == {
        "N-eksClusterInternetEgressRule": ("egress", "-1", 0, 0, "cluster", "0.0.0.0/0"),
        "N-eksExtApiServerClusterIngressRule": ("ingress", "tcp", 443, 443, "nodes", "cluster"),
        "N-eksNodeIngressRule": ("ingress", "-1", 0, 0, "nodes", "self"),
        "N-eksNodeInternetEgressRule": ("egress", "-1", 0, 0, "nodes", "0.0.0.0/0"),
        "N-eksClusterIngressRule": ("ingress", "tcp", 443, 443, "cluster", "nodes"),
        "N-eksNodeClusterIngressRule": ("ingress", "tcp", 1025, 65535, "nodes", "cluster"),
    }
    _check_outputs(stack, made)
    stack.preview("--expect-no-changes").ok()
    stack.destroy().ok()


def _rules(made: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    groups = {made["N-eksClusterSecurityGroup"]["id"]: "cluster", made["N-nodeSecurityGroup"]["id"]: "nodes"}
    found = {}
    for name, item in made.items():
        if item["type"] == "aws:ec2/securityGroupRule:SecurityGroupRule":
            given = item["inputs"]
            source = groups.get(given.get("sourceSecurityGroupId")) or ("self" if given.get("self") else "")
            peer = source or ",".join(given["cidrBlocks"])
            ports = given["fromPort"], given["toPort"]
            found[name] = (given["type"], given["protocol"], *ports, groups[given["securityGroupId"]], peer)
    return found


def _check_outputs(stack: Stack, made: dict[str, dict[str, Any]]) -> None:
    outputs = stack.outputs()
    assert outputs["arn"] == made["N-eksCluster"]["outputs"]["arn"]
    assert outputs["group"] == made["N-eksClusterSecurityGroup"]["id"]
    assert outputs["nodes"] == made["N-nodeSecurityGroup"]["id"]
    assert outputs["role"] == made["N-eksRole-role"]["id"]
    assert outputs["core"].startswith("vpc-") and not outputs["issuer"].startswith("https://")
    assert json.loads(outputs["json"]) == outputs["kubeconfig"]
    user = outputs["kubeconfig"]["users"][0]["user"]
    assert list(user) == ["exec"], "no token and no certificate stands in a kubeconfig"
    words = user["exec"]["args"]
    assert words == ["--region", "us-east-1", "eks", "get-token", "--cluster-name", "mine", "--output", "json"]


def test_transforms_of_the_program_reach_the_children(project: Make) -> None:
    stack = project(PROGRAM, {"aws:region": "us-east-1", "transform": "true"})
    stack.up().ok()
    inputs = _children(stack)["N-eksCluster"]["inputs"]
    assert inputs["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] is False
    assert inputs["zonalShiftConfig"] == {"enabled": True}
    stack.preview("--expect-no-changes").ok()
    stack.destroy().ok()


def test_an_argument_that_the_stand_in_cannot_honour_is_refused_by_name(project: Make) -> None:
    stack = project(PROGRAM, {"aws:region": "us-east-1", "more": {"storage_classes": "gp3"}})
    refused = stack.preview().finished.failed()
    assert "the stand-in for the EKS provider does not support storageClasses" in refused.text
    assert "sandbox/providers/eks/" not in refused.text, "the user sees a message, not the stand-in's stack"
