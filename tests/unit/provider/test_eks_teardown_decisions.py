"""What the teardown decides, without a cluster and without AWS."""

from typing import Any

import pytest

from provider.eks_teardown.decide import (
    PROVISIONED_BY,
    blocking_webhooks,
    exposed,
    finalizers_left,
    judge_storage,
    karpenter_pools,
    users_of,
)
from provider.eks_teardown.objects import (
    CLAIM,
    GATEWAY,
    INGRESS,
    NODE_POOL,
    POD,
    SERVICE,
    VALIDATING,
    VOLUME,
    Kind,
    Thing,
)
from provider.eks_teardown.owned import Owner, is_remade, rules_referring
from provider.eks_teardown.report import Report

SHOP = Owner("shop", "vpc-1")


def thing(kind: Kind, name: str, spec: dict[str, Any] | None = None, **more: Any) -> Thing:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", **more.pop("metadata", {})}
    return Thing(kind, {"metadata": metadata, "spec": spec or {}, **more})


def ebs(name: str, reclaim: str = "Delete", *, phase: str = "Bound", driver: str = "ebs.csi.aws.com") -> Thing:
    return thing(
        VOLUME,
        name,
        {
            "persistentVolumeReclaimPolicy": reclaim,
            "csi": {"driver": driver, "volumeHandle": f"vol-{name}"},
            "claimRef": {"uid": f"uid-claim-of-{name}"},
        },
        metadata={"annotations": {PROVISIONED_BY: driver}},
        status={"phase": phase},
    )


def claim_of(volume: str) -> Thing:
    return thing(CLAIM, f"claim-of-{volume}", {"volumeName": volume})


def webhook(operations: list[str], client: dict[str, Any]) -> Thing:
    hook = {"clientConfig": client, "rules": [{"operations": operations}]}
    return Thing(VALIDATING, {"metadata": {"name": "w"}, "webhooks": [hook]})


@pytest.mark.parametrize(
    ("operations", "client", "goes"),
    [
        (["DELETE"], {"service": {"namespace": "kyverno"}}, True),
        (["CREATE", "UPDATE"], {"service": {"namespace": "kube-system"}}, True),
        (["*"], {"service": {"namespace": "x"}}, True),
        (["CREATE"], {"service": {"namespace": "istio-system"}}, False),
        (["*"], {"url": "https://127.0.0.1:23443/mutate-pods"}, False),
    ],
)
def test_a_webhook_goes_if_it_lives_in_the_cluster_and_sees_updates_or_deletes(
    operations: list[str], client: dict[str, Any], goes: bool
) -> None:
    assert bool(blocking_webhooks([webhook(operations, client)])) is goes


def test_only_services_of_type_load_balancer_but_every_ingress_and_gateway_are_deleted() -> None:
    balanced, internal = thing(SERVICE, "web", {"type": "LoadBalancer"}), thing(SERVICE, "db", {"type": "ClusterIP"})
    ingress, gateway = thing(INGRESS, "i"), thing(GATEWAY, "g")
    assert exposed([balanced, internal], [ingress], [gateway]) == [balanced, ingress, gateway]


def test_delete_takes_the_claims_of_volumes_that_say_delete_and_keeps_those_that_say_retain() -> None:
    storage = judge_storage([ebs("a"), ebs("b", "Retain")], [claim_of("a"), claim_of("b")], "delete")
    assert [t.label for t in storage.delete] == ["PersistentVolumeClaim default/claim-of-a"]
    assert [t.name for t in storage.wait] == ["a"]
    assert [(k.volume_id, k.reason) for k in storage.kept] == [("vol-b", "its PersistentVolume says Retain")]


def test_retain_deletes_no_claim_and_makes_every_volume_safe_first() -> None:
    storage = judge_storage([ebs("a"), ebs("b", "Retain")], [claim_of("a"), claim_of("b")], "retain")
    assert storage.delete == [] and storage.wait == []
    assert [k.volume_id for k in storage.kept] == ["vol-a", "vol-b"]
    assert [t.name for t in storage.secure] == ["a"], "its reclaim policy must become Retain"


def test_an_unbound_volume_is_deleted_itself_since_no_claim_s_end_would_set_its_provisioner_to_work() -> None:
    storage = judge_storage([ebs("a", phase="Failed"), ebs("b", phase="Released")], [], "delete")
    assert [t.name for t in storage.delete] == ["a"]
    assert [t.name for t in storage.wait] == ["b"]


def test_a_pending_claim_goes_before_it_makes_a_volume() -> None:
    assert [t.name for t in judge_storage([], [thing(CLAIM, "new")], "delete").delete] == ["new"]


def test_volumes_of_other_drivers_and_hand_written_ones_are_not_touched_nor_are_their_claims() -> None:
    by_hand = thing(VOLUME, "hand", {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-x"}})
    storage = judge_storage([ebs("efs", driver="efs.csi.aws.com"), by_hand], [claim_of("efs")], "delete")
    assert [t.name for t in storage.foreign] == ["efs", "hand"]
    assert storage.delete == storage.wait == storage.kept == []


def test_pods_that_mount_a_doomed_claim_are_found_by_name_and_by_ephemeral_volume() -> None:
    direct = thing(POD, "direct", {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]})
    ephemeral = thing(POD, "scratch", {"volumes": [{"name": "tmp", "ephemeral": {}}]})
    other = thing(POD, "other", {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "else"}}]})
    claims = [thing(CLAIM, "data"), thing(CLAIM, "scratch-tmp")]
    assert users_of(claims, [direct, ephemeral, other]) == [direct, ephemeral]


def test_auto_mode_s_node_pools_are_left_to_eks() -> None:
    def pool(name: str, group: str) -> Thing:
        return thing(NODE_POOL, name, {"template": {"spec": {"nodeClassRef": {"group": group}}}})

    pools = [pool("general-purpose", "eks.amazonaws.com"), pool("mine", "karpenter.k8s.aws")]
    assert [p.name for p in karpenter_pools(pools)] == ["mine"]


def test_only_finalizers_that_stand_for_a_thing_in_aws_are_ever_taken_off() -> None:
    names = [
        "service.k8s.aws/resources",
        "group.ingress.k8s.aws/team",
        "kubernetes.io/pvc-protection",
        "acme.io/backup",
    ]
    stuck = thing(SERVICE, "s", metadata={"finalizers": names})
    assert finalizers_left(stuck) == ["kubernetes.io/pvc-protection", "acme.io/backup"]


@pytest.mark.parametrize(
    ("tags", "owned"),
    [
        ({"kubernetes.io/cluster/shop": "owned"}, True),
        ({"elbv2.k8s.aws/cluster": "shop"}, True),
        ({"eks:eks-cluster-name": "shop"}, True),
        ({"kubernetes.io/cluster/shop": "shared"}, False),
        ({"kubernetes.io/cluster/shop2": "owned"}, False),
        ({"elbv2.k8s.aws/cluster": "shop2"}, False),
        ({}, False),
    ],
)
def test_a_load_balancer_is_the_cluster_s_by_its_tags_alone(tags: dict[str, str], owned: bool) -> None:
    assert SHOP.owns_balancer(tags) is owned


def test_security_groups_of_nodes_and_of_the_control_plane_are_not_a_load_balancer_s() -> None:
    owned = {"kubernetes.io/cluster/shop": "owned"}
    assert SHOP.owns_balancer_group("k8s-elb-a1", owned)
    assert SHOP.owns_balancer_group("k8s-traffic-shop", {"elbv2.k8s.aws/cluster": "shop"})
    assert not SHOP.owns_balancer_group("eks-nodes", owned), "Pulumi made it and deletes it"
    assert not SHOP.owns_balancer_group("eks-cluster-sg-shop-1", {**owned, "aws:eks:cluster-name": "shop"})


def test_a_node_s_root_disk_is_not_a_volume_of_a_claim() -> None:
    owned = {"kubernetes.io/cluster/shop": "owned"}
    assert not SHOP.owns_volume(owned)
    assert SHOP.owns_volume({**owned, "ebs.csi.aws.com/cluster": "true"})
    assert not SHOP.owns_volume({"ebs.csi.aws.com/cluster": "true", "KubernetesCluster": "shop2"})


def test_an_interface_without_the_cluster_s_name_needs_its_security_group_as_a_proof() -> None:
    nameless = {"node.k8s.amazonaws.com/instance_id": "i-1"}
    assert SHOP.owns_interface(nameless, ["sg-cluster"], ["sg-cluster"])
    assert not SHOP.owns_interface(nameless, ["sg-other"], ["sg-cluster"])
    named = {**nameless, "cluster.k8s.amazonaws.com/name": "shop2"}
    assert not SHOP.owns_interface(named, ["sg-cluster"], ["sg-cluster"]), "another cluster's name overrules"


def test_rules_are_revoked_only_as_far_as_they_name_the_doomed_group() -> None:
    both = [{"GroupId": "sg-lb", "UserId": "1"}, {"GroupId": "sg-db", "UserId": "1"}]
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": both, "IpRanges": [{}]}
    groups = [{"GroupId": "sg-node", "IpPermissions": [permission], "IpPermissionsEgress": []}]
    [(where, direction, revoked)] = rules_referring(groups, "sg-lb")
    assert (where, direction) == ("sg-node", "ingress")
    pairs = [{"GroupId": "sg-lb"}]
    assert revoked == [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": pairs}]


def test_a_log_group_with_tags_is_not_one_that_eks_made_again() -> None:
    assert is_remade({}) and not is_remade({"timonel:stack": "p/dev"})


def test_the_report_names_each_thing_once_and_forgets_a_failure_that_was_made_good() -> None:
    report = Report()
    report.leave("security group a", "in use")
    report.leave("security group b", "in use")
    report.remove("security group a")
    report.remove("security group a")
    report.keep("volume v", "Retain")
    text = report.render("end")
    assert text.splitlines() == [
        "end",
        "  removed: 1",
        "    security group a",
        "  kept: 1",
        "    volume v: Retain",
        "  could not be removed: 1",
        "    security group b: in use",
    ]
    assert Report().render("end") == "end: nothing was left to clean up"
