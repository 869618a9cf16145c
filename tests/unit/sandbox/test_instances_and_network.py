"""Instances that take time, deletes that AWS refuses, images, and what machines report."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.rig import Sandbox
from tests.unit.sandbox.world import Account, until

pytestmark = pytest.mark.sandbox


@pytest.fixture
def account(aws: Sandbox) -> Account:
    return Account(aws)


def launch(account: Account, **more: object) -> str:
    arguments = {"LaunchTemplate": {"LaunchTemplateId": account.template}, "SubnetId": account.subnets[0]}
    found = account.ec2.run_instances(MinCount=1, MaxCount=1, **(arguments | more))
    return str(found["Instances"][0]["InstanceId"])


def state(account: Account, instance: str) -> str:
    return str(account.instance(instance)["State"]["Name"])


def test_states_pass_through_their_in_between_ones(account: Account) -> None:
    account.aws.control("PUT", "settings", {"transition": 1.0})
    instance = launch(account)
    assert state(account, instance) == "pending"
    until("running", lambda: state(account, instance) == "running")
    account.ec2.stop_instances(InstanceIds=[instance])
    assert state(account, instance) == "stopping"
    until("stopped", lambda: state(account, instance) == "stopped")
    account.ec2.start_instances(InstanceIds=[instance])
    until("running again", lambda: state(account, instance) == "running")
    account.ec2.terminate_instances(InstanceIds=[instance])
    assert state(account, instance) == "shutting-down"
    assert account.ec2.describe_volumes()["Volumes"], "its volume goes when it is terminated, not before"
    until("terminated", lambda: state(account, instance) == "terminated")
    assert account.ec2.describe_volumes()["Volumes"] == []


def test_with_a_controller_only_its_reports_move_an_instance(account: Account) -> None:
    import os
    import time

    account.aws.control("PUT", "controller", {"pid": os.getpid()})
    try:
        instance = launch(account)
        time.sleep(0.6)
        assert state(account, instance) == "pending", "nothing moves by itself while machines exist"
        [seen] = account.aws.control("GET", "instances")["instances"]
        assert (seen["id"], seen["target"], seen["role_arn"]) == (instance, "running", account.role)
        report = {"state": "running", "status_checks": "impaired", "console_output": "hello"}
        account.aws.control("PUT", f"instances/{instance}", report)
        assert state(account, instance) == "running"
        [status] = account.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
        assert status["InstanceStatus"]["Status"] == "impaired"
        assert account.ec2.get_console_output(InstanceId=instance)["Output"] == "hello"
        account.ec2.reboot_instances(InstanceIds=[instance])
        [seen] = account.aws.control("GET", "instances")["instances"]
        assert (seen["state"], seen["reboots"]) == ("running", 1)
        account.aws.control("PUT", f"instances/{instance}", {"state": "stopped"})
        assert state(account, instance) == "stopped", "a machine that powers off is stopped"
    finally:
        account.aws.control("DELETE", "controller")


def test_a_wrong_report_is_refused_with_the_rule(account: Account) -> None:
    instance = launch(account)
    with pytest.raises(AssertionError, match="must be one of"):
        account.aws.control("PUT", f"instances/{instance}", {"state": "asleep"})
    with pytest.raises(AssertionError, match="no instance"):
        account.aws.control("PUT", "instances/i-0", {"state": "running"})


def test_an_announced_spot_interruption_ends_the_instance_at_its_time(account: Account) -> None:
    instance = launch(account)
    until("running", lambda: state(account, instance) == "running")
    notice = {"action": "terminate", "time": "2020-01-01T00:00:00Z"}
    account.aws.control("PUT", f"instances/{instance}", {"spot_notice": notice})
    until("interrupted", lambda: state(account, instance) == "terminated")


def test_an_image_must_exist_and_fit_the_instance_type(account: Account) -> None:
    with pytest.raises(ClientError, match="does not match the architecture"):
        launch(account, InstanceType="t4g.small")
    with pytest.raises(ClientError, match="InvalidAMIID"):
        launch(account, ImageId="ami-00000000000000000")


def test_pinned_images_are_canonicals_with_an_8_gib_root_that_goes_with_the_instance(account: Account) -> None:
    [image] = account.ec2.describe_images(ImageIds=[account.image], Owners=["099720109477"])["Images"]
    ebs = image["BlockDeviceMappings"][0]["Ebs"]
    assert (image["Architecture"], ebs["VolumeSize"], ebs["DeleteOnTermination"]) == ("x86_64", 8, True)
    account.ec2.create_launch_template(
        LaunchTemplateName="plain", LaunchTemplateData={"ImageId": account.image, "InstanceType": "t3.small"}
    )
    instance = launch(account, LaunchTemplate={"LaunchTemplateName": "plain"})
    assert len(account.instance(instance)["BlockDeviceMappings"]) == 1, "moto would add a second root volume"


def test_what_is_in_use_cannot_be_deleted(account: Account) -> None:
    ec2 = account.ec2
    instance = launch(account)
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_subnet(SubnetId=account.subnets[0])
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=account.security_group)
    ec2.terminate_instances(InstanceIds=[instance])
    until("terminated", lambda: state(account, instance) == "terminated")
    other = ec2.create_security_group(GroupName="o", Description="d", VpcId=account.vpc)["GroupId"]
    pair = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": account.security_group}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[pair])
    with pytest.raises(ClientError, match="dependent object"):
        ec2.delete_security_group(GroupId=account.security_group)
    ec2.delete_security_group(GroupId=other)
    ec2.delete_security_group(GroupId=account.security_group)
    ec2.delete_subnet(SubnetId=account.subnets[0])


def test_a_nat_gateway_takes_time_and_keeps_its_address_until_it_is_gone(account: Account) -> None:
    ec2 = account.ec2
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=account.vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=account.subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]

    def nat_state() -> str:
        return str(ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]["State"])

    until("available", lambda: nat_state() == "available")
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        ec2.release_address(AllocationId=address)
    with pytest.raises(ClientError, match="mapped public address"):
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=account.vpc)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    until("deleted", lambda: nat_state() == "deleted")
    ec2.release_address(AllocationId=address)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=account.vpc)
    ec2.delete_subnet(SubnetId=account.subnets[0])


def test_a_gateway_endpoints_routes_follow_its_tables(account: Account) -> None:
    ec2 = account.ec2
    tables = [ec2.create_route_table(VpcId=account.vpc)["RouteTable"]["RouteTableId"] for _ in range(2)]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=account.vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway", RouteTableIds=tables[:1]
    )["VpcEndpoint"]
    assert endpoint["PrivateDnsEnabled"] is False
    ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], AddRouteTableIds=tables[1:], RemoveRouteTableIds=tables[:1]
    )

    def routes(table: str) -> int:
        found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return sum("DestinationPrefixListId" in r for r in found)

    assert [routes(t) for t in tables] == [0, 1]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    assert [routes(t) for t in tables] == [0, 0]


def test_target_health_is_what_the_machines_report(account: Account) -> None:
    elb = account.aws.client("elbv2")
    group = elb.create_target_group(Name="t", Protocol="TCP", Port=80, VpcId=account.vpc)["TargetGroups"][0][
        "TargetGroupArn"
    ]
    instance = launch(account)
    until("running", lambda: state(account, instance) == "running")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    report = {"id": instance, "state": "unhealthy", "reason": "Target.FailedHealthChecks"}
    account.aws.control("PUT", "target-health", {"target_group": group, "targets": [report]})
    [shown] = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert shown["TargetHealth"] == {"State": "unhealthy", "Reason": "Target.FailedHealthChecks"}


def test_a_target_may_be_deregistered_twice(account: Account) -> None:
    elb = account.aws.client("elbv2")
    made = elb.create_target_group(Name="t", Protocol="TCP", Port=80, VpcId=account.vpc)["TargetGroups"][0]
    group = made["TargetGroupArn"]
    instance = launch(account)
    until("running", lambda: state(account, instance) == "running")
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    for _ in range(2):
        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
    assert elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []
