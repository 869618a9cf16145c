"""The teardown's half in AWS: the cluster's things go, its neighbours' stay. EKS knows the cluster no more.

One account is filled, torn down and swept once for the whole module: a client of EC2 costs more than a test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws

from provider.eks_teardown import pace
from provider.errors import ProviderError
from tests.unit.provider.conftest import REGION, Harness

LBC = "elbv2.k8s.aws/cluster"


def tags(**content: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in content.items()]


class World:
    """A VPC with two clusters' leftovers, made as the controllers make them."""

    def __init__(self, first: "World | None" = None) -> None:
        """A VPC of its own; with ``first``, in the same account."""
        self.ec2, self.elbv2, self.elb, self.logs = (
            (first.ec2, first.elbv2, first.elb, first.logs)
            if first
            else (boto3.client(name, REGION) for name in ("ec2", "elbv2", "elb", "logs"))
        )
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.ec2.create_tags(Resources=[self.vpc], Tags=tags(**{"timonel:stack": "p/dev"}))
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"{REGION}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for i, zone in enumerate("ab")
        ]

    def inputs(self, **more: Any) -> dict[str, Any]:
        return {"region": REGION, "clusterName": "shop", "vpcId": self.vpc, "timeoutSeconds": 3, **more}

    def balancer(self, name: str, cluster: str) -> str:
        made = self.elbv2.create_load_balancer(
            Name=name, Subnets=self.subnets, Type="application", Tags=tags(**{LBC: cluster})
        )["LoadBalancers"][0]["LoadBalancerArn"]
        group = self.elbv2.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId=self.vpc, Tags=tags(**{LBC: cluster})
        )["TargetGroups"][0]["TargetGroupArn"]
        action = {"Type": "forward", "TargetGroupArn": group}
        self.elbv2.create_listener(LoadBalancerArn=made, Protocol="HTTP", Port=80, DefaultActions=[action])
        return str(made)

    def classic(self, name: str, cluster: str) -> None:
        listener = {"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}
        owner = {f"kubernetes.io/cluster/{cluster}": "owned"}
        self.elb.create_load_balancer(
            LoadBalancerName=name,
            Listeners=[listener],
            Subnets=self.subnets,
            SecurityGroups=[self.group(f"k8s-elb-{name}", **owner)],
            Tags=tags(**owner),
        )

    def group(self, name: str, **its_tags: str) -> str:
        specification = [{"ResourceType": "security-group", "Tags": tags(**its_tags)}] if its_tags else []
        made = self.ec2.create_security_group(
            GroupName=name, Description="d", VpcId=self.vpc, TagSpecifications=specification
        )
        return str(made["GroupId"])

    def allow(self, to: str, source: str) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": source}]}
        self.ec2.authorize_security_group_ingress(GroupId=to, IpPermissions=[rule])

    def interface(self, **its_tags: str) -> str:
        specification = [{"ResourceType": "network-interface", "Tags": tags(**its_tags)}]
        made = self.ec2.create_network_interface(SubnetId=self.subnets[0], TagSpecifications=specification)
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def volume(self, cluster: str, **more: str) -> str:
        its_tags = tags(**{f"kubernetes.io/cluster/{cluster}": "owned", "CSIVolumeName": "pvc-1", **more})
        specification = [{"ResourceType": "volume", "Tags": its_tags}]
        made = self.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8, TagSpecifications=specification)
        return str(made["VolumeId"])

    def volume_tags(self, volume: str) -> dict[str, str]:
        [found] = self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        return {tag["Key"]: tag["Value"] for tag in found["Tags"]}

    def snapshot(self, cluster: str, volume: str) -> str:
        its_tags = tags(**{f"kubernetes.io/cluster/{cluster}": "owned", "CSIVolumeSnapshotName": "s"})
        specification = [{"ResourceType": "snapshot", "Tags": its_tags}]
        return str(self.ec2.create_snapshot(VolumeId=volume, TagSpecifications=specification)["SnapshotId"])

    def protect(self, balancer: str) -> None:
        on = [{"Key": "deletion_protection.enabled", "Value": "true"}]
        self.elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=on)

    def left(self) -> dict[str, set[str]]:
        """What there is, by kind."""
        here = [{"Name": "vpc-id", "Values": [self.vpc]}]
        ec2 = self.ec2
        return {
            "load balancers": {b["LoadBalancerName"] for b in self.elbv2.describe_load_balancers()["LoadBalancers"]},
            "target groups": {g["TargetGroupName"] for g in self.elbv2.describe_target_groups()["TargetGroups"]},
            "classic": {b["LoadBalancerName"] for b in self.elb.describe_load_balancers()["LoadBalancerDescriptions"]},
            "groups": {g["GroupName"] for g in ec2.describe_security_groups(Filters=here)["SecurityGroups"]},
            "interfaces": {i["NetworkInterfaceId"] for i in ec2.describe_network_interfaces()["NetworkInterfaces"]},
            "volumes": {v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]},
            "log groups": {g["logGroupName"] for g in self.logs.describe_log_groups()["logGroups"]},
        }


@dataclass
class Story:
    """What there was, what the teardown said and left, and what the last sweep said and left."""

    world: World
    own: dict[str, str]
    refusal: str = ""
    after_refusal: int = 0
    after_teardown: dict[str, set[str]] | None = None
    said_by_teardown: str = ""
    said_by_sweep: str = ""


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    patch = pytest.MonkeyPatch()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    patch.delenv("AWS_ENDPOINT_URL", raising=False)
    patch.setattr(pace, "LONGEST_INTERVAL", 0.05)
    with mock_aws():
        yield _told()
    patch.undo()


def _told() -> Story:
    engine, world = Harness(), World()
    own = _fill(world)
    told = Story(world, own)
    with pytest.raises(ProviderError) as refused:
        engine.delete("EksTeardown", world.inputs(volumes="fail"))
    told.refusal, told.after_refusal = str(refused.value), len(world.left()["load balancers"])
    engine.delete("EksTeardown", world.inputs(volumes="delete"))
    told.after_teardown, told.said_by_teardown = world.left(), engine.said[-1]
    engine.delete("EksSweep", world.inputs())
    told.said_by_sweep = engine.said[-1]
    return told


def _fill(world: World) -> dict[str, str]:
    """The cluster shop's things, those of its neighbour shop2, and those of another VPC's cluster shop."""
    own = {"balancer": world.balancer("own", "shop")}
    world.protect(own["balancer"])
    world.balancer("other", "shop2")
    World(world).balancer("elsewhere", "shop")
    for name, cluster in (("own", "shop"), ("other", "shop2")):
        world.classic(name, cluster)
    backend = world.group("k8s-traffic-shop", **{LBC: "shop"})
    neighbour = world.group("k8s-traffic-shop2", **{LBC: "shop2"})
    own["nodes"] = world.group("nodes", **{"kubernetes.io/cluster/shop": "owned"})
    world.allow(own["nodes"], backend)
    world.allow(own["nodes"], neighbour)
    world.group("eks-cluster-sg-shop-1", **{"aws:eks:cluster-name": "shop", "kubernetes.io/cluster/shop": "owned"})
    own["volume"] = world.volume("shop")
    own["doomed"] = world.volume("shop", **{"timonel:delete-after-cluster": "true"})
    own["other volume"] = world.volume("shop2")
    own["snapshot"] = world.snapshot("shop", own["volume"])
    instance = {"node.k8s.amazonaws.com/instance_id": "i-1"}
    own["interface"] = world.interface(**{"cluster.k8s.amazonaws.com/name": "shop", **instance})
    own["other interface"] = world.interface(**{"cluster.k8s.amazonaws.com/name": "shop2", **instance})
    world.logs.create_log_group(logGroupName="/aws/eks/shop/cluster")
    world.logs.create_log_group(logGroupName="/aws/eks/shop/cluster-of-mine")
    return own


def test_load_balancers_of_the_cluster_go_and_those_of_its_neighbours_stay(story: Story) -> None:
    assert story.after_teardown is not None
    assert story.after_teardown["load balancers"] == {"other", "elsewhere"}, "the same name in another VPC is another's"
    assert story.after_teardown["target groups"] == {"other", "elsewhere"}
    assert story.after_teardown["classic"] == {"other"}
    assert f"load balancer {story.own['balancer']}" in story.said_by_teardown
    assert "had deletion protection" in story.said_by_teardown


def test_security_groups_of_load_balancers_go_with_the_rules_that_name_them(story: Story) -> None:
    assert story.after_teardown is not None
    assert story.after_teardown["groups"] == {
        "default",
        "nodes",
        "k8s-traffic-shop2",
        "k8s-elb-other",
        "eks-cluster-sg-shop-1",
    }
    [kept] = story.world.ec2.describe_security_groups(GroupIds=[story.own["nodes"]])["SecurityGroups"]
    assert len(kept["IpPermissions"][0]["UserIdGroupPairs"]) == 1, "the rule for a neighbour's group must stay"


def test_a_volume_of_which_no_persistent_volume_is_known_is_kept_tagged_and_named(story: Story) -> None:
    kept = story.world.volume_tags(story.own["volume"])
    assert kept["timonel:keep"] == "no PersistentVolume said whether it may go"
    assert kept["timonel:stack"] == "p/dev", "leaks --stack must find it"
    assert "timonel:keep" not in story.world.volume_tags(story.own["other volume"])
    for said in (story.said_by_teardown, story.said_by_sweep):
        assert story.own["volume"] in said and story.own["other volume"] not in said


def test_policy_fail_refuses_with_names_before_anything_is_deleted(story: Story) -> None:
    assert "volumes is fail and EKS cluster shop has 2" in story.refusal and story.own["volume"] in story.refusal
    assert story.after_refusal == 3


def test_interfaces_and_the_cluster_s_own_group_wait_for_the_last_sweep(story: Story) -> None:
    assert story.after_teardown is not None
    own, other = story.own["interface"], story.own["other interface"]
    assert story.after_teardown["interfaces"] == {own, other}, "nodes may still take them"
    left = story.world.left()
    assert left["interfaces"] == {other}
    assert left["groups"] == {"default", "nodes", "k8s-traffic-shop2", "k8s-elb-other"}, "the nodes' group is Pulumi's"
    assert own in story.said_by_sweep


def test_a_doomed_volume_that_a_node_held_goes_with_the_last_sweep(story: Story) -> None:
    assert story.after_teardown is not None
    assert story.own["doomed"] in story.after_teardown["volumes"]
    assert story.own["doomed"] not in story.world.left()["volumes"]


def test_snapshots_are_backups_and_never_deleted(story: Story) -> None:
    [found] = story.world.ec2.describe_snapshots(SnapshotIds=[story.own["snapshot"]])["Snapshots"]
    assert {"Key": "timonel:keep", "Value": "a snapshot is a backup"} in found["Tags"]


def test_a_log_group_that_eks_made_again_goes_with_the_last_sweep(story: Story) -> None:
    assert story.world.left()["log groups"] == {"/aws/eks/shop/cluster-of-mine"}


def test_the_last_sweep_fails_with_names_when_something_stays(story: Story) -> None:
    world = story.world
    stuck = world.interface(**{"cluster.k8s.amazonaws.com/name": "shop3"})
    image = world.ec2.describe_images()["Images"][0]["ImageId"]
    made = world.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=world.subnets[0])
    instance = made["Instances"][0]["InstanceId"]
    world.ec2.attach_network_interface(NetworkInterfaceId=stuck, InstanceId=instance, DeviceIndex=1)
    with pytest.raises(ProviderError, match=f"could not be removed: 1\n    network interface {stuck}: is in-use"):
        Harness().delete("EksSweep", world.inputs(clusterName="shop3", timeoutSeconds=1))


def test_creating_it_makes_nothing_and_says_nothing() -> None:
    engine, inputs = Harness(), {"region": REGION, "clusterName": "c", "vpcId": "v", "timeoutSeconds": 3}
    for kind, given in (("EksTeardown", {**inputs, "volumes": "delete"}), ("EksSweep", inputs)):
        _, state = engine.create(kind, given)
        assert state == given and engine.said == []


def test_an_unknown_policy_is_refused_by_name() -> None:
    inputs = {"region": REGION, "clusterName": "c", "vpcId": "v", "timeoutSeconds": 3, "volumes": "destroy"}
    [problem] = Harness().check("EksTeardown", inputs)
    assert problem == "volumes got 'destroy', but it must be one of delete, retain, fail"
