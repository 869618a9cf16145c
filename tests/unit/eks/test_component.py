"""EksCluster: what is made, in which order, and what is refused before anything is made."""

import json
from typing import Any

import pulumi
import pytest

from components.cluster import Cluster, Platform
from components.eks import transforms
from components.eks.component import EksCluster, principal_suffix
from components.eks.system import EksSystem
from components.errors import InputError
from tests.engine import Engine, Json
from tests.golden_files import assert_golden
from tests.unit.eks.args import arguments
from tests.unit.eks.conftest import MakeEks

CLUSTER = "eks:index:Cluster"
ADDON = "aws:eks/addon:Addon"
GROUP = "aws:eks/nodeGroup:NodeGroup"
POOL = "timonel:index:EksNodePool"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ENTRY = "aws:eks/accessEntry:AccessEntry"
POLICY = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
OPS = "arn:aws:iam::123456789012:role/ops"
TWO_POOLS = [{"name": "a"}, {"name": "b", "ami_family": "bottlerocket", "architecture": "arm64", "disk_gib": 80}]


def test_the_control_plane_is_asked_for_with_nothing_that_needs_pulumi_eks_s_own_kubernetes_provider(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_eks(public_access_cidrs=["203.0.113.0/24"])
    asked = engine.one(CLUSTER)
    assert_golden("eks/cluster.json", json.dumps(asked.inputs, indent=2, sort_keys=True) + "\n")
    through_it = {"storageClasses", "roleMappings", "userMappings", "instanceRoles", "instanceRole", "fargate"}
    assert not through_it & set(asked.inputs), "pulumi_eks would write these by a provider that cannot be configured"
    assert asked.inputs["authenticationMode"] == "API", "the ConfigMap is written by that provider too"
    assert len(asked.transforms) == 1


def test_what_is_inside_the_cluster_is_reached_by_the_program_s_own_provider_only(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_system(engine, make_eks)
    for resource in engine.resources:
        if resource.typ.startswith("kubernetes:"):
            assert "pulumi:providers:kubernetes::inside::" in resource.provider, resource.urn


def test_nothing_depends_on_an_output_of_the_control_plane_for_its_name(engine: Engine, make_eks: MakeEks) -> None:
    make_eks(node_pools=TWO_POOLS)
    named = [each for each in engine.resources if "clusterName" in each.inputs]
    assert len(named) > 10
    assert {each.inputs["clusterName"] for each in named} == {"timonel-test-eks"}


def test_an_add_on_never_waits_for_a_node_that_waits_for_it(engine: Engine, make_eks: MakeEks) -> None:
    make_eks(node_pools=TWO_POOLS)
    early = {engine.one(ADDON, f"eks-{name}").urn for name in ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")}
    pools = {each.urn for each in engine.of(POOL)}
    groups = {each.urn for each in engine.of(GROUP)}
    control_plane = engine.one(CLUSTER).urn
    for pool in engine.of(POOL):
        assert early <= set(pool.depends_on), "without them a node never becomes Ready"
        assert engine.one(ASSOCIATION, "eks-cni-association").urn in pool.depends_on, (
            "a pod gets its role when it starts"
        )
    for name in ("vpc-cni", "kube-proxy", "eks-pod-identity-agent"):
        assert not (pools | groups) & set(engine.one(ADDON, f"eks-{name}").depends_on)
        assert control_plane in engine.one(ADDON, f"eks-{name}").depends_on
    for name in ("coredns", "aws-ebs-csi-driver"):
        assert groups <= set(engine.one(ADDON, f"eks-{name}").depends_on), "EKS waits 20 minutes for pods of it to run"


def test_every_add_on_has_the_pinned_version_or_the_user_s(engine: Engine, make_eks: MakeEks) -> None:
    make_eks(version="1.35", addon_versions={"coredns": "v9.9.9-eksbuild.9"})
    found = {each.inputs["addonName"]: each.inputs["addonVersion"] for each in engine.of(ADDON)}
    assert found["coredns"] == "v9.9.9-eksbuild.9"
    assert found["kube-proxy"].startswith("v1.35.")
    assert len(found) == 5


def test_the_log_group_is_there_before_the_cluster_and_keeps_what_the_argument_says(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_eks(log_retention_days=30)
    group = engine.one("aws:cloudwatch/logGroup:LogGroup")
    assert group.inputs["name"] == "/aws/eks/timonel-test-eks/cluster"
    assert group.inputs["retentionInDays"] == 30
    assert group.urn in engine.one(CLUSTER).depends_on, "EKS makes it itself, to keep for ever, when it is not there"


def test_nodes_have_encrypted_gp3_volumes_and_a_metadata_service_that_pods_do_not_reach(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_eks(node_pools=TWO_POOLS)
    for template in engine.of(TEMPLATE):
        assert template.inputs["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        }
        for mapping in template.inputs["blockDeviceMappings"]:
            assert (mapping["ebs"]["volumeType"], mapping["ebs"]["encrypted"]) == ("gp3", "true")
        assert {each["resourceType"] for each in template.inputs["tagSpecifications"]} == {
            "instance",
            "volume",
            "network-interface",
        }
    data = {m["deviceName"]: m["ebs"]["volumeSize"] for m in engine.of(TEMPLATE)[1].inputs["blockDeviceMappings"]}
    assert data == {"/dev/xvda": 4, "/dev/xvdb": 80}, "Bottlerocket keeps images and containers on its second volume"


def test_a_pool_s_size_in_between_is_nobody_s_but_the_autoscaler_s(engine: Engine, make_eks: MakeEks) -> None:
    make_eks(node_pools=[{"name": "a", "min_size": 2, "max_size": 9}])
    group = engine.one(GROUP)
    assert group.inputs["scalingConfig"] == {"minSize": 2, "maxSize": 9, "desiredSize": 2}
    assert group.ignore_changes == ("scalingConfig.desiredSize",)
    assert "nodeGroupName" not in group.inputs, "with a fixed name it could not be replaced before it is deleted"


def test_every_admin_is_an_entry_of_its_own_and_the_deployer_is_one_by_default(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_eks()
    entry, policy = engine.one(ENTRY), engine.one(POLICY)
    assert entry.inputs["principalArn"] == "arn:aws:iam::123456789012:user/tester"
    assert policy.inputs["policyArn"] == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    assert policy.inputs["accessScope"] == {"type": "cluster"}


def test_a_deployer_in_a_session_is_named_by_its_role_path_and_all(engine: Engine, make_eks: MakeEks) -> None:
    session = "arn:aws:sts::123456789012:assumed-role/Admin/me"
    role = "arn:aws:iam::123456789012:role/sso/Admin"
    identity = {"id": "1", "accountId": "123456789012", "arn": session, "userId": "A"}
    engine.answers["aws:index/getCallerIdentity:getCallerIdentity"] = identity
    engine.answers["aws:iam/getSessionContext:getSessionContext"] = lambda args: {**args, "issuerArn": role}
    make_eks()
    assert engine.one(ENTRY).inputs["principalArn"] == role


def test_the_order_of_admins_changes_no_name(engine: Engine, make_eks: MakeEks) -> None:
    other = "arn:aws:iam::123456789012:role/other/ops"
    make_eks(admins=[other, OPS])
    names = {each.name for each in engine.of(ENTRY)}
    assert names == {f"eks-admin-{principal_suffix(OPS)}", f"eks-admin-{principal_suffix(other)}"}
    assert len(names) == 2, "two roles of one name in other paths are two principals"


def test_a_further_entry_has_its_policy_where_it_says_and_no_other(engine: Engine, make_eks: MakeEks) -> None:
    entries = [
        {"name": "dev", "principal_arn": OPS, "policy": "edit", "namespaces": ["web", "api"]},
        {"name": "rbac", "principal_arn": f"{OPS}2", "kubernetes_groups": ["readers"]},
    ]
    make_eks(access_entries=entries)
    scope = engine.one(POLICY, "eks-access-dev").inputs["accessScope"]
    assert scope == {"type": "namespace", "namespaces": ["api", "web"]}
    assert engine.one(ENTRY, "eks-access-rbac").inputs["kubernetesGroups"] == ["readers"]
    assert [each.name for each in engine.of(POLICY) if "rbac" in each.name] == []


def test_the_cni_plugin_and_the_ebs_driver_have_roles_that_only_pods_of_this_cluster_get(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_eks()
    trusts = {each.name: each.inputs["assumeRolePolicy"] for each in engine.of("aws:iam/role:Role")}
    assert trusts["eks-cni-role"] == trusts["eks-ebs-csi-role"]
    assert_golden("policies/pod-identity.json", trusts["eks-cni-role"] + "\n")
    accounts = {each.inputs["serviceAccount"] for each in engine.of(ASSOCIATION)}
    assert accounts == {"aws-node", "ebs-csi-controller-sa"}
    attached = {each.inputs["policyArn"].rpartition("/")[2] for each in engine.of(ATTACHMENT) if "node" in each.name}
    assert "AmazonEKS_CNI_Policy" not in attached, "with it every pod of the node could take its network apart"


ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


def test_auto_mode_leaves_nodes_and_add_ons_to_aws(engine: Engine, make_eks: MakeEks) -> None:
    make_eks(enable_auto_mode=True)
    assert engine.one(CLUSTER).inputs["autoMode"] == {"enabled": True}
    assert [*engine.of(ADDON), *engine.of(GROUP), *engine.of(ASSOCIATION)] == []


@pytest.mark.parametrize("protection", [True, False])
def test_protection_guards_the_cluster_in_pulumi_and_in_eks_and_its_key(
    engine: Engine, make_eks: MakeEks, protection: bool
) -> None:
    make_eks(enable_protection=protection)
    cluster, key = engine.one(CLUSTER), engine.one("aws:kms/key:Key")
    assert (cluster.protect, cluster.inputs["deletionProtection"], key.protect) == (protection, protection, protection)


def test_the_kubeconfig_is_secret_and_holds_no_token(engine: Engine, make_eks: MakeEks) -> None:
    cluster = make_eks(access={"region": "us-east-1", "profile": "ci", "role_arn": OPS})
    assert engine.is_secret(cluster.kubeconfig)
    text = engine.value(cluster.kubeconfig)
    assert_golden("eks/kubeconfig.json", f"{text}\n")
    assert "ci" not in json.loads(text)["users"][0]["user"]["exec"]["args"], "an operator elsewhere has no such profile"


def test_the_program_s_own_provider_reaches_aws_as_the_others_do(engine: Engine, make_eks: MakeEks) -> None:
    del make_eks  # only for what the fixture answers
    access: Any = {"region": "us-east-1", "profile": "ci", "role_arn": OPS}
    made = engine.run(lambda: EksCluster("eks", arguments(access=access)).provider_args)
    document = json.loads(engine.value(made["kubeconfig"]))
    assert document["users"][0]["user"]["exec"]["args"][-4:] == ["--role-arn", OPS, "--profile", "ci"]
    assert made["cluster_identifier"] == "arn:aws:eks:us-east-1:123456789012:cluster/timonel-test-eks"


def test_it_is_a_cluster_as_the_rest_of_the_program_knows_them(engine: Engine, make_eks: MakeEks) -> None:
    cluster: Cluster = make_eks()
    assert cluster.platform is Platform.KUBERNETES
    assert engine.value(cluster.endpoint) == "https://api"
    assert engine.value(cluster.nodes_security_group_id) == "sg-eks"


@pytest.mark.parametrize(("running", "ahead"), [("1.34", False), ("1.35", False), ("1.36", True)])
def test_a_cluster_that_aws_upgraded_is_said_to_be_and_left(
    engine: Engine, make_eks: MakeEks, running: str, ahead: bool
) -> None:
    engine.answers["aws:eks/getClusters:getClusters"] = {"names": ["timonel-test-eks"]}
    engine.answers["aws:eks/getCluster:getCluster"] = {"name": "timonel-test-eks", "version": running}
    make_eks(version="1.35")
    assert any("cluster runs 1.36" in each for each in engine.warnings) is ahead
    assert engine.one(GROUP).inputs["version"] == "1.35", "nodes follow the settings, not AWS"


def test_a_jump_over_a_version_is_refused_before_anything_is_made(engine: Engine, make_eks: MakeEks) -> None:
    engine.answers["aws:eks/getClusters:getClusters"] = {"names": ["timonel-test-eks"]}
    engine.answers["aws:eks/getCluster:getCluster"] = {"name": "timonel-test-eks", "version": "1.34"}
    with pytest.raises(InputError, match="one minor version at a time"):
        make_eks(version="1.36")
    assert [each.urn for each in engine.resources if each.custom] == []


def test_an_instance_type_of_another_architecture_is_refused_by_its_place(engine: Engine, make_eks: MakeEks) -> None:
    with pytest.raises(InputError) as caught:
        make_eks(node_pools=[{"name": "a"}, {"name": "b", "architecture": "arm64", "instance_types": ["m5.large"]}])
    assert caught.value.path == "node_pools[1].instance_types[0]"
    assert "node_pools[1].architecture says" in str(caught.value)


def transformed(typ: str, props: Json, *, keep_version: bool = False) -> pulumi.ResourceTransformResult | None:
    transform = transforms.control_plane(zonal_shift=True, keep_version=keep_version)
    args = pulumi.ResourceTransformArgs(
        custom=True, type_=typ, name="eks-eksCluster", props=props, opts=pulumi.ResourceOptions(ignore_changes=["x"])
    )
    found = transform(args)
    assert found is None or isinstance(found, pulumi.ResourceTransformResult)
    return found


def test_the_creator_is_no_hidden_admin_and_traffic_can_leave_a_zone() -> None:
    given = {
        "version": "1.35",
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
    }
    found = transformed(transforms.CLUSTER, given)
    assert found is not None
    assert found.props == {
        "version": "1.35",
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "zonalShiftConfig": {"enabled": True},
    }
    assert found.opts.ignore_changes == ["x"]


def test_only_a_cluster_that_is_ahead_keeps_its_version() -> None:
    found = transformed(transforms.CLUSTER, {}, keep_version=True)
    assert found is not None
    assert found.opts.ignore_changes == ["x", "version"]


def test_no_other_resource_of_pulumi_eks_is_touched() -> None:
    assert transformed("aws:iam/role:Role", {"name": "x"}) is None


def make_system(engine: Engine, make_eks: MakeEks, **changes: Any) -> None:
    del make_eks  # only for what the fixture answers

    def program() -> None:
        import pulumi_kubernetes as kubernetes

        cluster = EksCluster("eks", arguments())
        provider = kubernetes.Provider("inside", kubeconfig=cluster.provider_args["kubeconfig"])
        args: Any = {"cluster_name": "c", "vpc_id": "vpc-1", "access": cluster.access, **changes}
        EksSystem("sys", args, cluster.lifeline, cluster.ready, pulumi.ResourceOptions(providers=[provider]))

    engine.run(program)


def test_the_default_storage_class_is_encrypted_gp3_and_goes_with_the_cluster(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_system(engine, make_eks)
    made = engine.one("kubernetes:storage.k8s.io/v1:StorageClass")
    assert made.inputs["parameters"].items() >= {"type": "gp3", "encrypted": "true"}.items()
    assert made.inputs["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert made.deleted_with == engine.one(CLUSTER).urn


def test_in_auto_mode_its_driver_is_aws_s_own(engine: Engine, make_eks: MakeEks) -> None:
    make_system(engine, make_eks, enable_auto_mode=True)
    assert engine.one("kubernetes:storage.k8s.io/v1:StorageClass").inputs["provisioner"] == "ebs.csi.eks.amazonaws.com"


def test_the_teardown_is_deleted_before_all_else_and_never_skipped(engine: Engine, make_eks: MakeEks) -> None:
    make_system(engine, make_eks, volumes="retain")
    teardown, system = engine.one("timonel:index:EksTeardown"), engine.one("timonel:index:EksSystem")
    assert teardown.deleted_with == system.deleted_with == "", (
        "what goes with the cluster is not asked to delete itself"
    )
    assert engine.one("kubernetes:storage.k8s.io/v1:StorageClass").urn in teardown.depends_on
    needed_by_others = ("aws:kms", "aws:cloudwatch", "aws:iam", "timonel:index:EksSweep")
    wanted = {
        each.urn
        for each in engine.resources
        if "EksCluster$" in each.urn and each.custom and not each.typ.startswith(needed_by_others)
    }
    assert len(wanted) > 10
    assert wanted <= set(teardown.depends_on)
    assert engine.one(CLUSTER).urn in teardown.depends_on
    assert teardown.inputs["volumes"] == "retain"


def test_the_sweep_is_deleted_after_the_cluster_and_its_logs_and_before_the_network(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_eks()
    sweep = engine.one("timonel:index:EksSweep")
    assert sweep.inputs["clusterName"] == "timonel-test-eks"
    assert sweep.urn in engine.one(CLUSTER).depends_on
    assert sweep.urn in engine.one("aws:cloudwatch/logGroup:LogGroup").depends_on, (
        "else a revived group would be its own"
    )


def test_what_eks_has_once_for_a_principal_is_deleted_before_its_successor_is_made(
    engine: Engine, make_eks: MakeEks
) -> None:
    make_eks()
    assert [each.delete_before_replace for each in [*engine.of(ENTRY), *engine.of(POLICY)]] == [True, True]


def test_the_driver_tags_the_volumes_of_claims_with_the_stack_s(engine: Engine, make_eks: MakeEks) -> None:
    make_system(engine, make_eks)
    found = engine.one("kubernetes:storage.k8s.io/v1:StorageClass").inputs["parameters"]
    assert set(found.values()) == {"gp3", "true", "timonel:stack=timonel/test"}
