"""What stands behind a managed node group: a launch template, an instance profile and an Auto Scaling group of its own.

https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html. The instances are real ones of the
sandbox's EC2 (volumes, interfaces, tags), but no machine boots for them and no kubelet runs: their nodes are stood in
for by sandbox/kubernetes. AMIs: one made-up image for each architecture and region.
"""

from __future__ import annotations

import hashlib
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from sandbox.aws.autoscaling import engine
from sandbox.aws.autoscaling.model import Refresh, group_life
from sandbox.aws.autoscaling.refresh import current, to_replace
from sandbox.aws.ec2.images import eks_node_image
from sandbox.aws.ec2.states import NODE_TAG
from sandbox.aws.eks import checks
from sandbox.aws.eks.errors import InvalidParameterError
from sandbox.aws.eks.model import Cluster, Content, Region, Resource


def architecture(ami_type: str) -> str:
    """x86_64 or arm64, for which an AMI type is."""
    return "arm64" if "ARM_64" in ami_type else "x86_64"


def user_template(region: Region, asked: Content | None) -> tuple[Content | None, dict[str, Any]]:
    """The launch template of a request as the API shows it, and its data; (None, {}) without one.

    Raises:
        InvalidParameterError: there is no such template or version.
    """
    if not asked:
        return None, {}
    backend: Any = checks.ec2(region.name)
    try:
        found = (
            backend.get_launch_template(asked["id"])
            if asked.get("id")
            else backend.get_launch_template_by_name(asked["name"])
        )
        version = found.get_version(asked.get("version") or "$Default")
    except Exception as error:
        raise InvalidParameterError(f"launchTemplate: {asked} was not found: {error}") from error
    return {"id": found.id, "name": found.name, "version": str(version.number)}, dict(version.data)


def check_types(region: Region, types: list[str], ami_type: str) -> None:
    """Refuse instance types that do not exist or are of another architecture than the AMI.

    Raises:
        InvalidParameterError: as AWS says it.
    """
    wanted = architecture(ami_type)
    for kind in types:
        try:
            [found] = checks.ec2(region.name).describe_instance_types([kind])
        except Exception as error:
            raise InvalidParameterError(f"The following supplied instance types do not exist: [{kind}]") from error
        if wanted not in found["ProcessorInfo"]["SupportedArchitectures"] and ami_type != "CUSTOM":
            raise InvalidParameterError(f"[{kind}] is not a valid instance type for requested amiType {ami_type}")


def _data(region: Region, cluster: Cluster, content: Content, given: dict[str, Any], profile: str) -> dict[str, Any]:
    """The data of EKS's own launch template: the user's, with what EKS adds."""
    data = {k: v for k, v in given.items() if k != "InstanceType"}
    data.setdefault("ImageId", eks_node_image(region.name, architecture(content["amiType"])).id)
    data["InstanceType"] = content["instanceTypes"][0]
    data["IamInstanceProfile"] = {"Name": profile}
    if not data.get("SecurityGroupIds") and not data.get("NetworkInterfaces"):
        data["SecurityGroupIds"] = [cluster.content["resourcesVpcConfig"]["clusterSecurityGroupId"]]
    if not data.get("BlockDeviceMappings"):
        size = content.get("diskSize") or 20
        data["BlockDeviceMappings"] = [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": size, "DeleteOnTermination": True}}
        ]
    return data


def make(region: Region, cluster: Cluster, nodegroup: Resource, given: dict[str, Any]) -> None:
    """Make the template, profile and group; instances start at once."""
    content, name = nodegroup.content, str(nodegroup.private["name"])
    ec2: Any = checks.ec2(region.name)
    role = checks.role(content["nodeRole"], "ec2.amazonaws.com", "nodeRole")
    checks.iam().create_instance_profile(name, "/", [role.name])
    data = _data(region, cluster, content, given, name)
    tags = {"launch-template": {"eks:cluster-name": cluster.name, NODE_TAG: content["nodegroupName"]}}
    template = ec2.create_launch_template(name, "", data, tags)
    nodegroup.private["template"] = template.id
    scaling, spot = content["scalingConfig"], content["capacityType"] == "SPOT"
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": template.id, "Version": "1"},
            "Overrides": [{"InstanceType": t} for t in content["instanceTypes"]],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0 if spot else 100},
    }
    backend = autoscaling_backends[DEFAULT_ACCOUNT_ID][region.name]
    backend.create_auto_scaling_group(
        name=name,
        availability_zones=[],
        desired_capacity=scaling["desiredSize"],
        max_size=scaling["maxSize"],
        min_size=scaling["minSize"],
        launch_config_name="",
        launch_template={},
        vpc_zone_identifier=",".join(content["subnets"]),
        default_cooldown=None,
        health_check_period=15,
        health_check_type="EC2",
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=["AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"],
        tags=_tags(cluster, content),
        capacity_rebalance=True,
        mixed_instances_policy=policy,
    )
    engine.reconcile(group(region, nodegroup))


def _tags(cluster: Cluster, content: Content) -> list[dict[str, Any]]:
    tags = {
        "eks:cluster-name": cluster.name,
        NODE_TAG: content["nodegroupName"],
        f"kubernetes.io/cluster/{cluster.name}": "owned",
        f"k8s.io/cluster-autoscaler/{cluster.name}": "owned",
        "k8s.io/cluster-autoscaler/enabled": "true",
    }
    return [
        {"Key": k, "Value": v, "PropagateAtLaunch": True, "ResourceType": "auto-scaling-group"} for k, v in tags.items()
    ]


def group(region: Region, nodegroup: Resource) -> Any:
    """The Auto Scaling group; None when it is gone."""
    return autoscaling_backends[DEFAULT_ACCOUNT_ID][region.name].autoscaling_groups.get(nodegroup.private["name"])


def instances(region: Region, nodegroup: Resource) -> list[Any]:
    """Its instances that run."""
    found = group(region, nodegroup)
    members = found.instance_states if found else []
    return [m.instance for m in members if m.instance._state.name == "running" and m.lifecycle_state == "InService"]


def resize(region: Region, nodegroup: Resource) -> None:
    """Give the group the node group's sizes."""
    found, scaling = group(region, nodegroup), nodegroup.content["scalingConfig"]
    found.min_size, found.max_size = scaling["minSize"], scaling["maxSize"]
    found.set_desired_capacity(scaling["desiredSize"])


def observe(region: Region, nodegroup: Resource) -> None:
    """Take over the group's sizes: an autoscaler changes them there."""
    found = group(region, nodegroup)
    if found is not None:
        nodegroup.content["scalingConfig"] |= {
            "minSize": int(found.min_size),
            "maxSize": int(found.max_size),
            "desiredSize": int(found.desired_capacity),
        }


def roll(region: Region, cluster: Cluster, nodegroup: Resource, given: dict[str, Any]) -> None:
    """Replace every instance by one of a new template version, new ones first."""
    found = group(region, nodegroup)
    data = _data(region, cluster, nodegroup.content, given, nodegroup.private["name"])
    template = checks.ec2(region.name).get_launch_template(nodegroup.private["template"])
    version = template.create_version(data, nodegroup.content["version"])
    found.launch_template_version = str(version.number)
    preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    todo = to_replace(found, preferences, None)
    digest = hashlib.sha256(f"{nodegroup.private['name']}{version.number}".encode()).hexdigest()
    group_life(found).refreshes.insert(0, Refresh(digest[:36], preferences, None, todo, len(todo)))


def rolling(region: Region, nodegroup: Resource) -> bool:
    """Whether instances are being replaced."""
    found = group(region, nodegroup)
    return found is not None and current(found) is not None


def end(region: Region, nodegroup: Resource) -> None:
    """Let the instances go; the group is there until the last has ended."""
    found = group(region, nodegroup)
    group_life(found).deleting = True
    found.min_size = found.desired_capacity = 0
    for member in list(found.instance_states):
        engine.terminate(found, member, "the node group is deleted", with_hooks=False)
    engine.advance(found)


def remove(region: Region, nodegroup: Resource) -> None:
    """Take away template and profile."""
    name = nodegroup.private["name"]
    checks.ec2(region.name).delete_launch_template(name, None)
    checks.iam().delete_instance_profile(name, ignore_attached_roles=True)
