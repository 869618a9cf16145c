"""Auto Scaling groups of the sandbox, through boto3 against the API's process."""

from __future__ import annotations

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.world import Account, until

pytestmark = pytest.mark.sandbox


@pytest.fixture
def account(aws: Sandbox) -> Account:
    return Account(aws)


def test_members_spread_over_zones_and_a_replacement_goes_where_one_is_missing(account: Account) -> None:
    account.group(size=6)
    members = account.settled(6)
    assert Counter(m["AvailabilityZone"][-1] for m in members) == {"a": 2, "b": 2, "c": 2}
    [gone, *_] = [m for m in members if m["AvailabilityZone"].endswith("b")]
    account.ec2.terminate_instances(InstanceIds=[gone["InstanceId"]])
    until("it leaves", lambda: gone["InstanceId"] not in [m["InstanceId"] for m in account.members()])
    members = account.settled(6)
    assert Counter(m["AvailabilityZone"][-1] for m in members) == {"a": 2, "b": 2, "c": 2}


def test_instances_follow_the_launch_template_by_its_number(account: Account) -> None:
    account.new_version(InstanceType="m5.large")
    account.group(size=1)
    [member] = account.settled(1)
    assert member["LaunchTemplate"]["Version"] == "1", "version 2 is the latest, but the group names 1"
    found = account.instance(member["InstanceId"])
    assert found["InstanceType"] == "t3.small"
    assert (
        found["MetadataOptions"]["HttpTokens"] == "required"
        and found["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    )
    assert found["IamInstanceProfile"]["Arn"].endswith(":instance-profile/node")
    named = {t["Key"]: t["Value"] for t in found["Tags"]}
    assert named["made"] == "instance" and named["role"] == "node" and named["aws:autoscaling:groupName"] == "g"
    [mapping] = found["BlockDeviceMappings"]
    [volume] = account.ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
    assert (volume["Size"], volume["Encrypted"]) == (30, True)
    assert {t["Key"]: t["Value"] for t in volume["Tags"]} == {"made": "volume"}
    [nic] = account.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert {t["Key"]: t["Value"] for t in nic["TagSet"]} == {"made": "network-interface"}


def test_a_forced_delete_takes_volumes_and_interfaces_with_it(account: Account) -> None:
    account.group(size=2)
    account.settled(2)
    with pytest.raises(ClientError, match="ResourceInUse"):
        account.asg.delete_auto_scaling_group(AutoScalingGroupName="g")
    account.asg.delete_auto_scaling_group(AutoScalingGroupName="g", ForceDelete=True)
    [group] = account.asg.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group["Status"] == "Delete in progress", "AWS describes it until its last instance is gone"
    until("the group is gone", lambda: not account.asg.describe_auto_scaling_groups()["AutoScalingGroups"])
    assert account.ec2.describe_volumes()["Volumes"] == []
    assert account.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_scaled_to_zero_it_is_deleted_without_force(account: Account) -> None:
    account.group(size=2)
    account.settled(2)
    account.asg.update_auto_scaling_group(AutoScalingGroupName="g", MinSize=0, MaxSize=0, DesiredCapacity=0)
    until("no members", lambda: not account.members())
    account.asg.delete_auto_scaling_group(AutoScalingGroupName="g")
    assert account.asg.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_a_launch_hook_holds_the_instance_until_it_is_completed(account: Account) -> None:
    account.aws.control("PUT", "settings", {"auto_complete_hooks": False})
    account.group(size=0)
    account.hook("LAUNCHING")
    account.asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=1)
    until("it runs", lambda: account.instance(account.members()[0]["InstanceId"])["State"]["Name"] == "running")
    assert account.states() == ["Pending:Wait"], "running is not in service"
    [member] = account.members()
    named = {"AutoScalingGroupName": "g", "LifecycleHookName": "h", "InstanceId": member["InstanceId"]}
    account.asg.record_lifecycle_action_heartbeat(**named)
    account.asg.complete_lifecycle_action(**named, LifecycleActionResult="CONTINUE")
    account.settled(1)
    with pytest.raises(ClientError, match="No active Lifecycle Action found"):
        account.asg.complete_lifecycle_action(**named, LifecycleActionResult="CONTINUE")


def test_an_abandoned_launch_is_terminated_and_tried_again(account: Account) -> None:
    account.aws.control("PUT", "settings", {"auto_complete_hooks": False})
    account.group(size=0)
    account.hook("LAUNCHING")
    account.asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=1)
    [first] = account.members()
    account.asg.complete_lifecycle_action(
        AutoScalingGroupName="g", LifecycleHookName="h", InstanceId=first["InstanceId"], LifecycleActionResult="ABANDON"
    )
    until("another is launched", lambda: [m for m in account.members() if m["InstanceId"] != first["InstanceId"]])
    until("the first ends", lambda: account.instance(first["InstanceId"])["State"]["Name"] == "terminated")


def test_a_termination_hook_holds_the_instance_and_its_replacement_comes_meanwhile(account: Account) -> None:
    account.aws.control("PUT", "settings", {"auto_complete_hooks": False})
    account.group(size=1)
    [member] = account.settled(1)
    account.hook("TERMINATING")
    account.asg.set_instance_health(
        InstanceId=member["InstanceId"], HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
    )
    until("replaced while it waits", lambda: account.states() == ["InService", "Terminating:Wait"])
    assert account.instance(member["InstanceId"])["State"]["Name"] == "running", "the hook holds it back"
    account.asg.complete_lifecycle_action(
        AutoScalingGroupName="g",
        LifecycleHookName="h",
        InstanceId=member["InstanceId"],
        LifecycleActionResult="CONTINUE",
    )
    account.settled(1)
    until("it ends", lambda: account.instance(member["InstanceId"])["State"]["Name"] == "terminated")


def test_without_machines_hooks_are_completed_by_the_api_itself(account: Account) -> None:
    account.group(size=0)
    account.hook("LAUNCHING")
    account.asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=1)
    account.settled(1)


def test_protected_members_are_not_scaled_in(account: Account) -> None:
    account.group(size=3)
    members = account.settled(3)
    kept = [m["InstanceId"] for m in members[:2]]
    account.asg.set_instance_protection(AutoScalingGroupName="g", InstanceIds=kept, ProtectedFromScaleIn=True)
    account.asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=0)
    until("one leaves", lambda: len(account.members()) == 2)
    assert sorted(m["InstanceId"] for m in account.members()) == sorted(kept)


def test_suspended_processes_do_nothing(account: Account) -> None:
    account.group(size=1)
    [member] = account.settled(1)
    account.asg.suspend_processes(AutoScalingGroupName="g", ScalingProcesses=["Launch", "ReplaceUnhealthy"])
    account.asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=2)
    account.asg.set_instance_health(
        InstanceId=member["InstanceId"], HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
    )
    import time

    time.sleep(1)
    assert [m["InstanceId"] for m in account.members()] == [member["InstanceId"]]
    account.asg.resume_processes(AutoScalingGroupName="g")
    until("both processes act", lambda: len(account.members()) == 2 and account.states() == ["InService"] * 2)


def test_a_zone_without_capacity_is_passed_over_and_the_activity_says_why(account: Account) -> None:
    account.aws.control("PUT", "faults", {"no_capacity": ["us-east-1a"]})
    account.group(size=3)
    members = account.settled(3)
    assert {m["AvailabilityZone"][-1] for m in members} == {"b", "c"}
    activities = account.asg.describe_scaling_activities(AutoScalingGroupName="g")["Activities"]
    failed = [a for a in activities if a["StatusCode"] == "Failed"]
    assert failed and "us-east-1a" in failed[0]["StatusMessage"]


def test_a_refresh_replaces_one_at_a_time_and_never_falls_below_the_minimum(account: Account) -> None:
    account.group(size=3)
    old = {m["InstanceId"] for m in account.settled(3)}
    account.asg.set_instance_protection(AutoScalingGroupName="g", InstanceIds=sorted(old), ProtectedFromScaleIn=True)
    version = account.new_version(InstanceType="t3.medium")
    account.asg.update_auto_scaling_group(
        AutoScalingGroupName="g", LaunchTemplate={"LaunchTemplateId": account.template, "Version": version}
    )
    preferences = {
        "MinHealthyPercentage": 100,
        "MaxHealthyPercentage": 110,
        "InstanceWarmup": 0,
        "ScaleInProtectedInstances": "Refresh",
    }
    account.asg.start_instance_refresh(AutoScalingGroupName="g", Preferences=preferences)
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        account.asg.start_instance_refresh(AutoScalingGroupName="g")
    least, most = 9, 0

    def done() -> bool:
        nonlocal least, most
        states = account.states()
        least, most = min(least, states.count("InService")), max(most, sum(not s.startswith("T") for s in states))
        [refresh] = account.asg.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"]
        assert refresh["Status"] in {"InProgress", "Successful"}, refresh
        return bool(refresh["Status"] == "Successful")

    until("the refresh is over", done, 30)
    assert (least, most) == (3, 4), "always three in service, never more than one above"
    members = account.settled(3)
    assert not old & {m["InstanceId"] for m in members}
    assert {m["LaunchTemplate"]["Version"] for m in members} == {version}
    assert len({m["AvailabilityZone"] for m in members}) == 3, "each replacement took its predecessor's zone"


@pytest.mark.parametrize(("choice", "replaced"), [("Ignore", 2), ("Refresh", 3)])
def test_a_refresh_treats_protected_members_as_asked(account: Account, choice: str, replaced: int) -> None:
    account.group(size=3)
    old = [m["InstanceId"] for m in account.settled(3)]
    account.asg.set_instance_protection(AutoScalingGroupName="g", InstanceIds=old[:1], ProtectedFromScaleIn=True)
    preferences = {"MinHealthyPercentage": 0, "InstanceWarmup": 0, "ScaleInProtectedInstances": choice}
    account.asg.start_instance_refresh(AutoScalingGroupName="g", Preferences=preferences)

    def status() -> str:
        found = account.asg.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"]
        return str(found[0]["Status"])

    until("it is over", lambda: status() == "Successful", 30)
    assert len({m["InstanceId"] for m in account.settled(3)} - set(old)) == replaced


def test_a_refresh_that_waits_for_protection_can_be_cancelled(account: Account) -> None:
    account.group(size=1, NewInstancesProtectedFromScaleIn=True)
    account.settled(1)
    account.asg.start_instance_refresh(AutoScalingGroupName="g", Preferences={"InstanceWarmup": 0})
    [refresh] = account.asg.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"]
    assert refresh["Status"] == "InProgress"
    account.asg.cancel_instance_refresh(AutoScalingGroupName="g")
    [refresh] = account.asg.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"]
    assert refresh["Status"] == "Cancelled"
    with pytest.raises(ClientError, match="ActiveInstanceRefreshNotFound"):
        account.asg.cancel_instance_refresh(AutoScalingGroupName="g")


def test_a_mixed_group_launches_its_on_demand_base_and_the_rest_as_spot(account: Account) -> None:
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": account.template, "Version": "1"},
            "Overrides": [{"InstanceType": "t3.large"}],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 0},
    }
    group = {"AutoScalingGroupName": "g", "MinSize": 0, "MaxSize": 9, "DesiredCapacity": 3}
    account.asg.create_auto_scaling_group(
        **group, MixedInstancesPolicy=policy, VPCZoneIdentifier=",".join(account.subnets)
    )
    found = [account.instance(m["InstanceId"]) for m in account.settled(3)]
    assert Counter(i.get("InstanceLifecycle", "on-demand") for i in found) == {"on-demand": 1, "spot": 2}
    assert {i["InstanceType"] for i in found} == {"t3.large"}


def test_sizes_that_contradict_each_other_are_refused(account: Account) -> None:
    with pytest.raises(ClientError, match="must be between"):
        account.group(size=10)
    account.group(size=0)
    with pytest.raises(ClientError, match="AlreadyExists"):
        account.group(size=0)
    with pytest.raises(ClientError, match="above max value"):
        account.asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=99)
