"""EKS's access entries, policies, Pod Identity associations and add-ons."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.eks import NAME, World
from tests.unit.sandbox.test_eks_clusters import refused
from tests.unit.sandbox.world import until

pytestmark = pytest.mark.sandbox
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


@pytest.fixture
def world(aws: Sandbox) -> World:
    made = World(aws)
    made.cluster()
    return made


def test_an_access_entry_is_made_once(world: World) -> None:
    arn = world.make_role("dev", "ec2.amazonaws.com", Path="/team/")
    entry = {"clusterName": NAME, "principalArn": arn}
    made = world.eks.create_access_entry(**entry, kubernetesGroups=["devs"])["accessEntry"]
    assert made["username"] == "arn:aws:sts::123456789012:assumed-role/dev/{{SessionName}}", "without the role's path"
    refused("ResourceInUseException", "already in use", world.eks.create_access_entry, **entry)
    changed = world.eks.update_access_entry(**entry, kubernetesGroups=[], username="someone")["accessEntry"]
    assert (changed["kubernetesGroups"], changed["username"]) == ([], "someone")
    assert world.eks.describe_access_entry(**entry)["accessEntry"]["username"] == "someone"
    assert world.eks.list_access_entries(clusterName=NAME)["accessEntries"] == [arn]
    world.eks.delete_access_entry(**entry)
    refused("ResourceNotFoundException", "could not be found", world.eks.describe_access_entry, **entry)


def test_an_entry_needs_a_principal_that_exists_and_names_of_its_own(world: World) -> None:
    create = world.eks.create_access_entry
    nobody = "arn:aws:iam::123456789012:role/nobody"
    refused("InvalidParameterException", "invalid principal", create, clusterName=NAME, principalArn=nobody)
    groups = {"clusterName": NAME, "principalArn": world.pod_role, "kubernetesGroups": ["system:masters"]}
    refused("InvalidParameterException", "cannot start with system:", create, **groups)
    typed = {"clusterName": NAME, "principalArn": world.pod_role, "type": "EC2_LINUX", "kubernetesGroups": ["a"]}
    refused("InvalidParameterException", "takes neither", create, **typed)


def test_an_access_policy_has_a_scope(world: World) -> None:
    entry = {"clusterName": NAME, "principalArn": world.pod_role}
    refused(
        "ResourceNotFoundException",
        "could not be found",
        world.eks.associate_access_policy,
        **entry,
        policyArn=VIEW,
        accessScope={"type": "cluster"},
    )
    world.eks.create_access_entry(**entry)
    wrong = {"policyArn": VIEW, "accessScope": {"type": "namespace"}}
    refused("InvalidParameterException", "needs namespaces", world.eks.associate_access_policy, **entry, **wrong)
    world.eks.associate_access_policy(**entry, policyArn=VIEW, accessScope={"type": "cluster"})
    scope = {"type": "namespace", "namespaces": ["a", "b-*"]}
    world.eks.associate_access_policy(**entry, policyArn=VIEW, accessScope=scope)
    [found] = world.eks.list_associated_access_policies(**entry)["associatedAccessPolicies"]
    assert (found["policyArn"], found["accessScope"]) == (VIEW, scope), "a second association replaces the scope"
    by_policy = world.eks.list_access_entries(clusterName=NAME, associatedPolicyArn=VIEW)["accessEntries"]
    assert by_policy == [world.pod_role]
    world.eks.disassociate_access_policy(**entry, policyArn=VIEW)
    assert world.eks.list_associated_access_policies(**entry)["associatedAccessPolicies"] == []
    assert VIEW in [p["arn"] for p in world.eks.list_access_policies()["accessPolicies"]]


def test_the_creator_is_an_administrator_unless_told_otherwise(world: World) -> None:
    assert world.eks.list_access_entries(clusterName=NAME)["accessEntries"] == [], "it was told otherwise here"
    me = world.aws.client("sts").get_caller_identity()["Arn"]
    assert me == "arn:aws:iam::123456789012:user/sandbox"
    world.cluster(name="other", accessConfig={"authenticationMode": "API"})
    assert world.eks.list_access_entries(clusterName="other")["accessEntries"] == [me]
    found = world.eks.list_associated_access_policies(clusterName="other", principalArn=me)
    assert found["associatedAccessPolicies"][0]["policyArn"] == ADMIN


def test_a_config_map_cluster_takes_no_entries(world: World) -> None:
    world.cluster(name="old", accessConfig={"bootstrapClusterCreatorAdminPermissions": False})
    entry = {"clusterName": "old", "principalArn": world.pod_role}
    refused("InvalidRequestException", "authentication mode", world.eks.create_access_entry, **entry)


def test_a_service_account_has_one_association(world: World) -> None:
    place = {"clusterName": NAME, "namespace": "default", "serviceAccount": "app"}
    create = world.eks.create_pod_identity_association
    refused("InvalidParameterException", "trusted entity", create, **place, roleArn=world.node_role)
    made = create(**place, roleArn=world.pod_role)["association"]
    refused("ResourceInUseException", made["associationId"], create, **place, roleArn=world.pod_role)
    other = world.make_role("pod2", "pods.eks.amazonaws.com")
    known = {"clusterName": NAME, "associationId": made["associationId"]}
    assert world.eks.update_pod_identity_association(**known, roleArn=other)["association"]["roleArn"] == other
    [listed] = world.eks.list_pod_identity_associations(clusterName=NAME, namespace="default")["associations"]
    assert (listed["associationId"], "roleArn" in listed) == (made["associationId"], False)
    world.eks.delete_pod_identity_association(**known)
    refused("ResourceNotFoundException", "No association", world.eks.describe_pod_identity_association, **known)


def test_the_catalogue_offers_each_addon_for_each_version(world: World) -> None:
    for version in ("1.34", "1.35", "1.36"):
        found = world.eks.describe_addon_versions(kubernetesVersion=version)["addons"]
        assert len(found) == 5
        for addon in found:
            defaults = [v for v in addon["addonVersions"] if v["compatibilities"][0]["defaultVersion"]]
            assert len(defaults) == 1, addon["addonName"]
    [one] = world.eks.describe_addon_versions(addonName="vpc-cni", kubernetesVersion="1.35")["addons"]
    version = one["addonVersions"][0]["addonVersion"]
    told = world.eks.describe_addon_configuration(addonName="vpc-cni", addonVersion=version)
    assert "env" in json.loads(told["configurationSchema"])["properties"]
    assert told["podIdentityConfiguration"][0]["serviceAccount"] == "aws-node"


def test_an_addon_that_needs_nodes_is_degraded_without_them(world: World) -> None:
    for name in ("vpc-cni", "coredns"):
        assert world.eks.create_addon(clusterName=NAME, addonName=name)["addon"]["status"] == "CREATING"
    refused("ResourceInUseException", "already exists", world.eks.create_addon, clusterName=NAME, addonName="coredns")
    until("vpc-cni active", lambda: world.addon("vpc-cni")["status"] == "ACTIVE")
    until("coredns degraded", lambda: world.addon("coredns")["status"] == "DEGRADED")
    assert world.addon("coredns")["health"]["issues"][0]["code"] == "InsufficientNumberOfReplicas"
    world.nodegroup()
    until("coredns active", lambda: world.addon("coredns")["status"] == "ACTIVE")
    assert world.addon("coredns")["health"] == {"issues": []}


def test_an_addon_version_fits_the_cluster_and_its_settings_fit_the_schema(world: World) -> None:
    create = world.eks.create_addon
    newer = {"clusterName": NAME, "addonName": "kube-proxy", "addonVersion": "v1.35.3-eksbuild.21"}
    refused("InvalidParameterException", "not supported", create, **newer)
    refused("InvalidParameterException", "not supported", create, clusterName=NAME, addonName="nonsense")
    odd = {"clusterName": NAME, "addonName": "vpc-cni", "configurationValues": '{"envv": {}}'}
    refused("InvalidParameterException", "schema validation", create, **odd)
    old = "v1.34.0-eksbuild.2"
    create(clusterName=NAME, addonName="kube-proxy", addonVersion=old)
    until("active", lambda: world.addon("kube-proxy")["status"] == "ACTIVE")
    new = "v1.34.6-eksbuild.21"
    world.aws.control("PUT", "settings", {"transition": 3.0})
    answer = world.eks.update_addon(
        clusterName=NAME, addonName="kube-proxy", addonVersion=new, configurationValues="mode: nftables"
    )
    assert (world.addon("kube-proxy")["status"], world.addon("kube-proxy")["addonVersion"]) == ("UPDATING", old)
    assert world.updated(answer, addonName="kube-proxy")["type"] == "AddonUpdate"
    until("active", lambda: world.addon("kube-proxy")["status"] == "ACTIVE")
    found = world.addon("kube-proxy")
    assert (found["addonVersion"], found["configurationValues"]) == (new, "mode: nftables")


def test_a_twin_that_eks_did_not_make_conflicts_until_it_is_overwritten(world: World) -> None:
    world.eks.create_addon(clusterName=NAME, addonName="kube-proxy")
    until("active", lambda: world.addon("kube-proxy")["status"] == "ACTIVE")

    def gone() -> bool:
        return "kube-proxy" not in world.eks.list_addons(clusterName=NAME)["addons"]

    world.eks.delete_addon(clusterName=NAME, addonName="kube-proxy", preserve=True)
    until("gone", gone)
    world.eks.create_addon(clusterName=NAME, addonName="kube-proxy")
    until("failed", lambda: world.addon("kube-proxy")["status"] == "CREATE_FAILED")
    assert world.addon("kube-proxy")["health"]["issues"][0]["code"] == "ConfigurationConflict"
    world.eks.delete_addon(clusterName=NAME, addonName="kube-proxy", preserve=True)
    until("gone", gone)
    world.eks.create_addon(clusterName=NAME, addonName="kube-proxy", resolveConflicts="OVERWRITE")
    until("active", lambda: world.addon("kube-proxy")["status"] == "ACTIVE")


def test_an_addon_owns_its_pod_identity_associations(world: World) -> None:
    identity = [{"serviceAccount": "aws-node", "roleArn": world.pod_role}]
    made = world.eks.create_addon(clusterName=NAME, addonName="vpc-cni", podIdentityAssociations=identity)["addon"]
    [listed] = world.eks.list_pod_identity_associations(clusterName=NAME)["associations"]
    assert (listed["ownerArn"], [listed["associationArn"]]) == (made["addonArn"], made["podIdentityAssociations"])
    until("active", lambda: world.addon("vpc-cni")["status"] == "ACTIVE")
    world.eks.delete_addon(clusterName=NAME, addonName="vpc-cni")
    until("gone", lambda: world.eks.list_addons(clusterName=NAME)["addons"] == [])
    assert world.eks.list_pod_identity_associations(clusterName=NAME)["associations"] == []
