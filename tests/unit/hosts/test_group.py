"""HostGroup: what AWS is asked for, and what it is never asked for."""

import base64
from typing import Any

import pulumi
import pytest

from components.hosts.args import HostGroupArgs, Purchase
from components.hosts.group import HostGroup
from tests.engine import Engine, Json

GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
HOOK = "aws:autoscaling/lifecycleHook:LifecycleHook"
POLICY = "aws:autoscaling/policy:Policy"


def arguments(**changes: Any) -> HostGroupArgs:
    base: HostGroupArgs = {
        "min_size": 1,
        "max_size": 4,
        "instance_types": ["t3.small"],
        "image_id": "ami-1",
        "root_device_name": "/dev/sda1",
        "disk_gib": 20,
        "subnet_ids": ["subnet-a", "subnet-b"],
        "security_group_ids": ["sg-1"],
        "instance_profile_arn": "arn:profile",
        "user_data": "#!/bin/sh\n",
        "tags": {"timonel:role": "worker", "team": "infra"},
    }
    return {**base, **changes}  # type: ignore[typeddict-item]


def make(engine: Engine, **changes: Any) -> Json:
    engine.run(lambda: HostGroup("web", arguments(**changes)))
    return engine.one(GROUP).inputs


def test_instances_have_imdsv2_an_encrypted_disk_and_no_key_pair(engine: Engine) -> None:
    make(engine)
    template = engine.one(TEMPLATE).inputs
    assert template["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "instanceMetadataTags": "enabled",
    }
    disk = template["blockDeviceMappings"][0]
    assert disk["deviceName"] == "/dev/sda1", "another device name would add a disk and leave the root in the clear"
    assert disk["ebs"] == {"volumeSize": 20, "volumeType": "gp3", "encrypted": "true", "deleteOnTermination": "true"}
    assert "keyName" not in template, "shell access is SSM's"
    assert base64.b64decode(template["userData"]) == b"#!/bin/sh\n"


def test_what_aws_makes_for_an_instance_is_tagged_too(engine: Engine) -> None:
    group = make(engine)
    template = engine.one(TEMPLATE).inputs
    own = {"timonel:role": "worker", "team": "infra", "Name": "web"}
    assert {spec["resourceType"]: spec["tags"] for spec in template["tagSpecifications"]} == {
        "instance": own,
        "volume": own,
        "network-interface": own,
    }
    assert {tag["key"]: tag["value"] for tag in group["tags"]} == own
    assert all(tag["propagateAtLaunch"] for tag in group["tags"])


def test_the_template_is_named_by_number_so_that_a_change_is_seen_and_refreshes(engine: Engine) -> None:
    engine.computed[TEMPLATE] = {"latestVersion": 7}
    group = make(engine)
    assert group["launchTemplate"] == {"id": "web-template-id", "version": "7"}
    assert group["instanceRefresh"]["strategy"] == "Rolling"
    assert group["instanceRefresh"]["preferences"]["scaleInProtectedInstances"] == "Refresh", "not to wait an hour"


def test_a_size_that_may_move_belongs_to_aws(engine: Engine) -> None:
    group = make(engine, min_size=1, max_size=4)
    assert (group["minSize"], group["maxSize"]) == (1, 4)
    assert "desiredCapacity" not in group


def test_a_fixed_size_is_said(engine: Engine) -> None:
    group = make(engine, min_size=3, max_size=3)
    assert group["desiredCapacity"] == 3


def test_up_does_not_wait_for_instances(engine: Engine) -> None:
    group = make(engine)
    assert group["waitForCapacityTimeout"] == "0"
    assert group["healthCheckType"] == "EC2", "a balancer's check must not replace every node at a stroke"


def test_a_group_that_goes_drains_its_instances_through_its_hooks(engine: Engine) -> None:
    assert make(engine)["forceDelete"] is False
    hooks = engine.of(HOOK)
    assert {hook.deleted_with for hook in hooks} == {engine.one(GROUP).urn}, "never before their group"


def test_a_quorum_goes_by_force(engine: Engine) -> None:
    assert make(engine, enable_quorum_care=True)["forceDelete"] is True


def test_members_of_a_quorum_are_not_taken_away_by_aws_and_are_replaced_one_more_at_a_time(engine: Engine) -> None:
    group = make(engine, min_size=3, max_size=3, enable_quorum_care=True)
    assert group["protectFromScaleIn"] is True
    assert group["suspendedProcesses"] == ["AZRebalance"]
    preferences = group["instanceRefresh"]["preferences"]
    assert (preferences["minHealthyPercentage"], preferences["maxHealthyPercentage"]) == (100, 110)


def test_others_may_be_rebalanced_and_go_in_batches(engine: Engine) -> None:
    group = make(engine)
    assert group["protectFromScaleIn"] is False
    assert "suspendedProcesses" not in group
    assert group["instanceRefresh"]["preferences"]["maxHealthyPercentage"] == 125


@pytest.mark.parametrize(("purchase", "base"), [(Purchase.SPOT, 0), (Purchase.MIXED, 2)])
def test_spot_and_mixed_groups_take_what_is_there(engine: Engine, purchase: Purchase, base: int) -> None:
    types = ["t3.small", "t3a.small"]
    group = make(engine, purchase=purchase, instance_types=types, on_demand_base=2)
    policy = group["mixedInstancesPolicy"]
    assert "launchTemplate" not in group, "AWS refuses both"
    assert policy["instancesDistribution"] == {
        "onDemandBaseCapacity": base,
        "onDemandPercentageAboveBaseCapacity": 0,
        "spotAllocationStrategy": "price-capacity-optimized",
    }
    assert [override["instanceType"] for override in policy["launchTemplate"]["overrides"]] == types
    assert policy["launchTemplate"]["launchTemplateSpecification"]["version"] == "1"
    assert group["capacityRebalance"] is True, "a replacement is launched at the rebalance recommendation"


def test_spot_requests_are_tagged_only_where_every_launch_is_one(engine: Engine) -> None:
    make(engine, purchase=Purchase.SPOT)
    kinds = [spec["resourceType"] for spec in engine.one(TEMPLATE).inputs["tagSpecifications"]]
    assert "spot-instances-request" in kinds
    mixed = Engine()
    make(mixed, purchase=Purchase.MIXED)
    kinds = [spec["resourceType"] for spec in mixed.one(TEMPLATE).inputs["tagSpecifications"]]
    assert "spot-instances-request" not in kinds, "EC2 refuses it on the on-demand ones"
    mixed.close()


def test_both_hooks_are_resources_of_their_own(engine: Engine) -> None:
    group = make(engine)
    assert "initialLifecycleHooks" not in group, "they would replace the group at each change"
    hooks = {hook.inputs["name"]: hook.inputs for hook in engine.of(HOOK)}
    assert set(hooks) == {"timonel-launch", "timonel-terminate"}
    assert hooks["timonel-launch"]["defaultResult"] == "ABANDON", "a node that never joined is no node"
    assert hooks["timonel-terminate"]["defaultResult"] == "CONTINUE", "a dead agent must not keep an instance"
    assert all(30 <= hook["heartbeatTimeout"] <= 7200 for hook in hooks.values()), "AWS's limits"


def test_scaling_is_made_only_when_asked_for(engine: Engine) -> None:
    make(engine)
    assert engine.of(POLICY) == []
    other = Engine()
    make(other, target_cpu_percent=60)
    assert other.one(POLICY).inputs["targetTrackingConfiguration"] == {
        "predefinedMetricSpecification": {"predefinedMetricType": "ASGAverageCPUUtilization"},
        "targetValue": 60,
    }
    other.close()


def test_numbers_may_come_as_floats_as_from_another_language(engine: Engine) -> None:
    group = make(engine, min_size=2.0, max_size=2.0, disk_gib=30.0)
    assert group["desiredCapacity"] == 2


def test_name_and_template_version_are_given_and_every_part_is_a_child(engine: Engine) -> None:
    def program() -> HostGroup:
        made = HostGroup("web", arguments())
        pulumi.export("version", made.template_version)
        return made

    made = engine.run(program)
    assert engine.value(made.group_name) == "web-group"
    assert engine.stack_outputs["version"] == "web-template-id/1"
    assert all(found.urn.count("timonel:index:HostGroup$aws:") for found in engine.resources if found.custom)
