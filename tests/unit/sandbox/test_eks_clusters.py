"""EKS's clusters and node groups: what they need, how they change, what they leave."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.eks import NAME, World
from tests.unit.sandbox.world import until

pytestmark = pytest.mark.sandbox
NO_KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
NO_TAINT = [{"key": "k", "effect": "NO_SCHEDULE"}, {"key": "", "effect": "NO_EXECUTE"}]


@pytest.fixture
def world(aws: Sandbox) -> World:
    return World(aws)


def refused(code: str, words: str, call: Any, **arguments: Any) -> None:
    with pytest.raises(ClientError, match=words) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code


def test_a_cluster_has_every_part_that_clients_read(world: World) -> None:
    made = world.eks.create_cluster(**world.arguments(tags={"a": "b"}))["cluster"]
    assert made["status"] == "CREATING"
    assert "endpoint" not in made and "certificateAuthority" not in made, "AWS gives both when they exist"
    cluster = world.active()
    assert cluster["endpoint"].startswith("https://")
    assert cluster["certificateAuthority"]["data"]
    assert cluster["identity"]["oidc"]["issuer"].startswith("https://oidc.eks.us-east-1.amazonaws.com/id/")
    assert cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "172.20.0.0/16", "the VPC lies in 10.0.0.0/8"
    assert (cluster["upgradePolicy"], cluster["zonalShiftConfig"]) == ({"supportType": "EXTENDED"}, {"enabled": False})
    assert (cluster["health"], cluster["tags"], cluster["deletionProtection"]) == ({"issues": []}, {"a": "b"}, False)
    assert cluster["resourcesVpcConfig"]["publicAccessCidrs"] == ["0.0.0.0/0"]
    assert [part["enabled"] for part in cluster["logging"]["clusterLogging"]] == [False]
    refused("ResourceInUseException", "already exists", world.eks.create_cluster, **world.arguments())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": "1.30"}, "unsupported Kubernetes version"),
        ({"version": "9.99"}, "unsupported Kubernetes version"),
        ({"roleArn": "arn:aws:iam::123456789012:role/nobody"}, "does not exist"),
        ({"roleArn": "node"}, "trusted entity"),
        ({"resourcesVpcConfig": {"subnetIds": ["subnet-0"]}}, "does not exist"),
        ({"resourcesVpcConfig": "one zone"}, "two different AZs"),
        ({"resourcesVpcConfig": "closed"}, "cannot be false"),
        ({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.0.128.0/20"}}, "overlaps"),
        ({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "8.8.0.0/16"}}, "private block"),
        ({"computeConfig": {"enabled": True}}, "all either fully enabled"),
        ({"encryptionConfig": [{"provider": {"keyArn": NO_KEY}, "resources": ["secrets"]}]}, "invalid"),
    ],
)
def test_a_cluster_that_aws_would_refuse_is_refused(world: World, change: dict[str, Any], words: str) -> None:
    if change.get("roleArn") == "node":
        change = {"roleArn": world.node_role}
    if change.get("resourcesVpcConfig") == "one zone":
        change = {"resourcesVpcConfig": {"subnetIds": world.subnets[:1]}}
    if change.get("resourcesVpcConfig") == "closed":
        closed = {"subnetIds": world.subnets, "endpointPublicAccess": False, "endpointPrivateAccess": False}
        change = {"resourcesVpcConfig": closed}
    refused("InvalidParameterException", words, world.eks.create_cluster, **world.arguments(**change))


def test_the_version_goes_up_by_one_minor(world: World) -> None:
    world.cluster()
    change = world.eks.update_cluster_version
    words = "Unsupported Kubernetes minor version update from 1.34 to 1.3"
    refused("InvalidParameterException", words, change, name=NAME, version="1.36")
    refused("InvalidParameterException", words, change, name=NAME, version="1.33")
    world.aws.control("PUT", "settings", {"transition": 3.0})
    answer = change(name=NAME, version="1.35")
    assert (answer["update"]["type"], world.describe()["status"]) == ("VersionUpdate", "UPDATING")
    refused("ResourceInUseException", "in progress", change, name=NAME, version="1.36")
    assert world.describe()["version"] == "1.34", "the version is the old one until the update is over"
    assert world.updated(answer)["status"] == "Successful"
    assert (world.describe()["version"], world.describe()["platformVersion"]) == ("1.35", "eks.12")
    assert world.eks.list_updates(name=NAME)["updateIds"] == [answer["update"]["id"]]


def test_a_configuration_changes_one_kind_at_a_time(world: World) -> None:
    world.cluster()
    change = world.eks.update_cluster_config
    cidrs = {"publicAccessCidrs": ["203.0.113.0/24"]}
    both: dict[str, Any] = {"upgradePolicy": {"supportType": "STANDARD"}, "resourcesVpcConfig": cidrs}
    refused("InvalidParameterException", "Only one type", change, name=NAME, **both)
    for one, expected in (
        ({"resourcesVpcConfig": cidrs}, ("EndpointAccessUpdate", "resourcesVpcConfig")),
        ({"upgradePolicy": {"supportType": "STANDARD"}}, ("UpgradePolicyUpdate", "upgradePolicy")),
        ({"zonalShiftConfig": {"enabled": True}}, ("ZonalShiftConfigUpdate", "zonalShiftConfig")),
        ({"logging": {"clusterLogging": [{"types": ["api"], "enabled": True}]}}, ("LoggingUpdate", "logging")),
        ({"deletionProtection": True}, ("DeletionProtectionUpdate", "deletionProtection")),
    ):
        update = world.updated(change(name=NAME, **one))
        assert (update["type"], update["status"]) == (expected[0], "Successful")
    cluster = world.describe()
    assert cluster["resourcesVpcConfig"]["publicAccessCidrs"] == ["203.0.113.0/24"]
    assert cluster["upgradePolicy"]["supportType"] == "STANDARD"
    assert cluster["zonalShiftConfig"]["enabled"]
    [on] = [part for part in cluster["logging"]["clusterLogging"] if part["enabled"]]
    assert on["types"] == ["api"]
    refused("InvalidParameterException", "already at the desired", change, name=NAME, resourcesVpcConfig=cidrs)
    mode = {"authenticationMode": "CONFIG_MAP"}
    refused("InvalidParameterException", "Unsupported authentication mode", change, name=NAME, accessConfig=mode)


def test_deletion_protection_and_node_groups_keep_a_cluster(world: World) -> None:
    world.cluster(deletionProtection=True)
    refused("InvalidRequestException", "deletionProtection", world.eks.delete_cluster, name=NAME)
    world.updated(world.eks.update_cluster_config(name=NAME, deletionProtection=False))
    world.nodegroup()
    refused("ResourceInUseException", "nodegroups attached", world.eks.delete_cluster, name=NAME)
    world.eks.delete_nodegroup(clusterName=NAME, nodegroupName="n")
    until("node group gone", lambda: world.eks.list_nodegroups(clusterName=NAME)["nodegroups"] == [])
    world.eks.delete_cluster(name=NAME)
    until("cluster gone", lambda: world.eks.list_clusters()["clusters"] == [])


def test_interfaces_and_security_group_come_and_go_with_the_cluster(world: World) -> None:
    cluster = world.cluster()
    group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    found = world.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert {i["SubnetId"] for i in found} == set(world.subnets)
    assert all(i["RequesterManaged"] and i["Description"] == f"Amazon EKS {NAME}" for i in found)
    assert all(i["Status"] == "in-use" and i["Groups"][0]["GroupId"] == group for i in found)
    refused("DependencyViolation", "dependencies", world.ec2.delete_subnet, SubnetId=world.subnets[0])
    world.eks.delete_cluster(name=NAME)
    until("cluster gone", lambda: world.eks.list_clusters()["clusters"] == [])
    assert world.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    names = [g["GroupName"] for g in world.ec2.describe_security_groups()["SecurityGroups"]]
    assert not [n for n in names if n.startswith("eks-cluster-sg-")]
    world.ec2.delete_subnet(SubnetId=world.subnets[0])


def test_eks_revives_its_log_group_unless_logging_was_turned_off(world: World) -> None:
    logs, group = world.aws.client("logs"), f"/aws/eks/{NAME}/cluster"

    def there() -> bool:
        return bool(logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])

    on = {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]}
    world.cluster(logging=on)
    until("log group made", there)
    logs.delete_log_group(logGroupName=group)
    until("log group made again", there)
    world.eks.delete_cluster(name=NAME)
    until("cluster gone", lambda: world.eks.list_clusters()["clusters"] == [])
    logs.delete_log_group(logGroupName=group)
    until("flushed once more after the cluster's end", there)
    logs.delete_log_group(logGroupName=group)
    world.cluster(logging=on)
    off = {"clusterLogging": [{"types": ["api", "audit"], "enabled": False}]}
    world.updated(world.eks.update_cluster_config(name=NAME, logging=off))
    logs.delete_log_group(logGroupName=group)
    world.eks.delete_cluster(name=NAME)
    until("cluster gone", lambda: world.eks.list_clusters()["clusters"] == [])
    import time

    time.sleep(0.8)
    assert not there(), "with logging off nothing is delivered"


def test_a_key_for_secrets_can_be_added_once(world: World) -> None:
    key = world.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    world.cluster()
    config = [{"resources": ["secrets"], "provider": {"keyArn": key}}]
    world.updated(world.eks.associate_encryption_config(clusterName=NAME, encryptionConfig=config))
    assert world.describe()["encryptionConfig"] == config
    again = {"clusterName": NAME, "encryptionConfig": config}
    refused("InvalidRequestException", "already associated", world.eks.associate_encryption_config, **again)


def test_a_node_group_is_instances_of_an_auto_scaling_group(world: World) -> None:
    world.cluster()
    made = world.nodegroup(labels={"a": "b"}, taints=[{"key": "k", "value": "v", "effect": "NO_SCHEDULE"}])
    assert (made["version"], made["amiType"]) == ("1.34", "AL2023_x86_64_STANDARD")
    assert (made["instanceTypes"], made["health"]) == (["t3.medium"], {"issues": []})
    asg = world.aws.client("autoscaling")
    name = made["resources"]["autoScalingGroups"][0]["name"]
    [group] = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert len({i["AvailabilityZone"] for i in group["Instances"]}) == 2
    [reservation, *_] = world.ec2.describe_instances()["Reservations"]
    [instance] = reservation["Instances"]
    assert instance["IamInstanceProfile"]["Arn"].endswith(name)
    cluster_group = world.describe()["resourcesVpcConfig"]["clusterSecurityGroupId"]
    assert [g["GroupId"] for g in instance["SecurityGroups"]] == [cluster_group]
    entry = world.eks.describe_access_entry(clusterName=NAME, principalArn=world.node_role)["accessEntry"]
    assert (entry["type"], entry["kubernetesGroups"]) == ("EC2_LINUX", ["system:nodes"])
    asg.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
    until("the autoscaler's size", lambda: world.describe_nodegroup()["scalingConfig"]["desiredSize"] == 3)
    world.eks.delete_nodegroup(clusterName=NAME, nodegroupName="n")
    until("node group gone", lambda: world.eks.list_nodegroups(clusterName=NAME)["nodegroups"] == [])
    assert world.eks.list_access_entries(clusterName=NAME)["accessEntries"] == []
    assert world.ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert world.iam.list_instance_profiles()["InstanceProfiles"] == []


def test_a_node_group_takes_its_launch_template_and_rolls_to_another_version(world: World) -> None:
    def data(size: int) -> dict[str, Any]:
        disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": size, "VolumeType": "gp3", "Encrypted": True}}
        options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
        return {"BlockDeviceMappings": [disk], "MetadataOptions": options}

    world.cluster()
    template = world.ec2.create_launch_template(LaunchTemplateName="disks", LaunchTemplateData=data(30))[
        "LaunchTemplate"
    ]
    made = world.nodegroup(
        launchTemplate={"id": template["LaunchTemplateId"], "version": "1"},
        amiType="AL2023_ARM_64_STANDARD",
        instanceTypes=["m7g.large"],
    )
    assert made["launchTemplate"] == {"id": template["LaunchTemplateId"], "name": "disks", "version": "1"}
    before = {i["InstanceId"] for r in world.ec2.describe_instances()["Reservations"] for i in r["Instances"]}
    [volume, *_] = world.ec2.describe_volumes()["Volumes"]
    assert (volume["Size"], volume["Encrypted"]) == (30, True)
    world.ec2.create_launch_template_version(LaunchTemplateName="disks", LaunchTemplateData=data(40))
    answer = world.eks.update_nodegroup_version(
        clusterName=NAME, nodegroupName="n", launchTemplate={"id": template["LaunchTemplateId"], "version": "2"}
    )
    assert world.describe_nodegroup()["status"] == "UPDATING"
    assert world.updated(answer, nodegroupName="n")["status"] == "Successful"
    until("active", lambda: world.describe_nodegroup()["status"] == "ACTIVE")
    running = [{"Name": "instance-state-name", "Values": ["running"]}]
    after = world.ec2.describe_instances(Filters=running)["Reservations"]
    assert not {i["InstanceId"] for r in after for i in r["Instances"]} & before, "every instance was replaced"
    assert {v["Size"] for v in world.ec2.describe_volumes()["Volumes"]} == {40}


def test_labels_taints_and_sizes_change_in_place(world: World) -> None:
    world.cluster()
    world.nodegroup(labels={"a": "b", "c": "d"})
    answer = world.eks.update_nodegroup_config(
        clusterName=NAME,
        nodegroupName="n",
        labels={"addOrUpdateLabels": {"a": "x"}, "removeLabels": ["c"]},
        taints={"addOrUpdateTaints": [{"key": "k", "value": "v", "effect": "NO_EXECUTE"}]},
        scalingConfig={"minSize": 1, "maxSize": 4, "desiredSize": 3},
    )
    assert world.updated(answer, nodegroupName="n")["type"] == "ConfigUpdate"
    until("active", lambda: world.describe_nodegroup()["status"] == "ACTIVE")
    found = world.describe_nodegroup()
    assert (found["labels"], found["scalingConfig"]["desiredSize"]) == ({"a": "x"}, 3)
    assert found["taints"] == [{"key": "k", "value": "v", "effect": "NO_EXECUTE"}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amiType": "AL2023_ARM_64_STANDARD", "instanceTypes": ["t3.medium"]}, "not a valid instance type"),
        ({"amiType": "AL2_x86_64"}, "1.32 or earlier"),
        ({"version": "1.35"}, "not supported by the cluster"),
        ({"scalingConfig": {"minSize": 3, "maxSize": 2, "desiredSize": 2}}, "in this order"),
        ({"instanceTypes": ["x9.huge"]}, "do not exist"),
        ({"taints": NO_TAINT}, "taint|Invalid length"),
    ],
)
def test_a_node_group_that_aws_would_refuse_is_refused(world: World, change: dict[str, Any], words: str) -> None:
    from botocore.exceptions import ParamValidationError

    world.cluster()
    with pytest.raises((ClientError, ParamValidationError), match=words):
        world.nodegroup(**change)
    assert world.eks.list_nodegroups(clusterName=NAME)["nodegroups"] == []


def test_versions_have_their_days_and_their_status(world: World) -> None:
    found = {v["clusterVersion"]: v for v in world.eks.describe_cluster_versions()["clusterVersions"]}
    assert found["1.35"]["defaultVersion"] and found["1.35"]["versionStatus"] == "STANDARD_SUPPORT"
    assert found["1.34"]["endOfStandardSupportDate"].strftime("%Y-%m-%d") == "2026-12-02"
    assert "endOfStandardSupportDate" not in found["1.36"], "no source gave its days"
    [only] = world.eks.describe_cluster_versions(defaultOnly=True)["clusterVersions"]
    assert only["clusterVersion"] == "1.35"


def test_tags_of_everything_change(world: World) -> None:
    arns = [world.cluster()["arn"], world.nodegroup()["nodegroupArn"]]
    entry = world.eks.describe_access_entry(clusterName=NAME, principalArn=world.node_role)["accessEntry"]
    arns.append(entry["accessEntryArn"])
    for arn in arns:
        world.eks.tag_resource(resourceArn=arn, tags={"a": "b", "c": "d"})
        world.eks.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert world.eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
