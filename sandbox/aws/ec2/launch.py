"""Launches that follow their launch template: metadata options, profile, volumes, and tags on everything made.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html: a parameter of the request overrides the
template's; the template is taken by its number; TagSpecifications tag instances, volumes and network interfaces.
moto ignores the template's metadata options, instance profile, interfaces' and volumes' tags, makes a second root
volume of 8 GiB, and leaves the primary interface behind. An image's root volume: the size of the image's mapping (8
GiB), gp3 here, deleted on termination. Checked as AWS does: the image exists and has the instance type's architecture;
the zone has capacity (fault). Not modelled: quotas, placement groups, credit specifications, licences.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance, MetadataOptions, Reservation
from moto.ec2.utils import convert_tag_spec, parse_user_data

from sandbox.aws.ec2.states import enter, life
from sandbox.aws.world import WORLD


class NoCapacityError(EC2ClientError):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, InsufficientInstanceCapacity."""

    def __init__(self, kind: str, zone: str) -> None:
        super().__init__(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}). "
            "(a fault of the sandbox)",
        )


class ArchitectureError(EC2ClientError):
    """An image cannot run on the instance type."""

    def __init__(self, kind: str, supported: list[str], image: str, architecture: str) -> None:
        super().__init__(
            "InvalidParameterValue",
            f"The architecture '{','.join(supported)}' of the specified instance type does not match the architecture "
            f"'{architecture}' of the specified AMI ({kind}, {image}). Specify an instance type and an AMI that have "
            "matching architectures, and try again.",
        )


def template_data(backend: EC2Backend, template: dict[str, Any] | None) -> dict[str, Any]:
    """The launch template's data; empty without one."""
    if not template:
        return {}
    data: dict[str, Any] = backend._get_template_from_args(template).data
    return data


def run_instances(
    self: EC2Backend,
    image_id: str,
    count: int,
    user_data: Any,
    security_group_names: list[str],
    **kwargs: Any,
) -> Reservation:
    """EC2Backend.run_instances as AWS does it; see the module."""
    data = template_data(self, kwargs.get("launch_template"))
    image_id = image_id or data.get("ImageId", "")
    if kwargs.get("is_instance_type_default") and data.get("InstanceType"):
        kwargs |= {"instance_type": data["InstanceType"], "is_instance_type_default": False}
    _from_template(self, data, kwargs)
    image = self.describe_images(ami_ids=[image_id])[0]
    _check(self, image, kwargs)
    requested = kwargs.pop("block_device_mappings", None) or data.get("BlockDeviceMappings") or []
    tags = _tags(data, kwargs.pop("tags", None) or {})
    interfaces = {int(n.get("DeviceIndex", 0)): n for n in kwargs.get("nics") or []}
    reservation: Reservation = _ORIGINAL["run_instances"](
        self, image_id, count, user_data, security_group_names, block_device_mappings=[], **kwargs
    )
    for instance in reservation.instances:
        enter(instance, "pending")
        life(instance).status_checks = "ok" if WORLD.controller is None else "initializing"
        instance.add_tags(tags.get("instance", {}))
        _volumes(self, instance, image, requested, tags.get("volume", {}))
        for index, nic in instance.nics.items():
            specification = interfaces.get(index, {})
            if not specification.get("NetworkInterfaceId"):
                nic.delete_on_termination = specification.get("DeleteOnTermination") is not False
            nic.add_tags(tags.get("network-interface", {}))
    return reservation


def _from_template(backend: EC2Backend, data: dict[str, Any], kwargs: dict[str, Any]) -> None:
    if data.get("MetadataOptions"):
        kwargs["metadata_options"] = {**data["MetadataOptions"], **(kwargs.get("metadata_options") or {})}
    if data.get("NetworkInterfaces") and not kwargs.get("nics"):
        subnet = kwargs.get("subnet_id")
        kwargs["nics"] = [
            {**nic, **({"SubnetId": subnet} if subnet and "SubnetId" not in nic else {}), "DeviceIndex": index}
            for index, nic in enumerate(data["NetworkInterfaces"])
        ]
        groups = data["NetworkInterfaces"][0].get("Groups") or []
        kwargs["security_group_ids"] = list(kwargs.get("security_group_ids") or []) or groups
        kwargs["nics"][0].pop("Groups", None)
        if subnet is None:
            kwargs["subnet_id"] = kwargs["nics"][0].get("SubnetId")
    if (data.get("Monitoring") or {}).get("Enabled") and kwargs.get("monitoring_state", "disabled") == "disabled":
        kwargs["monitoring_state"] = "enabled"
    if data.get("EbsOptimized") and not kwargs.get("ebs_optimized"):
        kwargs["ebs_optimized"] = True
    if data.get("InstanceInitiatedShutdownBehavior") and not kwargs.get("instance_initiated_shutdown_behavior"):
        kwargs["instance_initiated_shutdown_behavior"] = data["InstanceInitiatedShutdownBehavior"]
    if (data.get("InstanceMarketOptions") or {}).get("MarketType") and not kwargs.get("instance_market_options"):
        kwargs["instance_market_options"] = data["InstanceMarketOptions"]["MarketType"]


def _check(backend: EC2Backend, image: Any, kwargs: dict[str, Any]) -> None:
    kind = kwargs.get("instance_type") or "m1.small"
    found = backend.describe_instance_types([kind]) if not kwargs.get("is_instance_type_default") else []
    if found:
        supported = list(found[0]["ProcessorInfo"]["SupportedArchitectures"])
        if image.architecture not in supported:
            raise ArchitectureError(kind, supported, image.id, image.architecture)
    subnet = kwargs.get("subnet_id")
    zone = backend.get_subnet(subnet).availability_zone if subnet else kwargs.get("placement") or ""
    if WORLD.faults.no_capacity(zone):
        raise NoCapacityError(kind, zone)


def _tags(data: dict[str, Any], requested: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Tags by resource type; those of the request come over the template's."""
    tags = convert_tag_spec(data.get("TagSpecifications") or [])
    for kind, content in requested.items():
        tags[kind] = {**tags.get(kind, {}), **content}
    return tags


def _volumes(
    backend: EC2Backend, instance: Instance, image: Any, requested: list[dict[str, Any]], tags: dict[str, str]
) -> None:
    root = image.root_device_name or "/dev/sda1"
    mappings: dict[str, dict[str, Any]] = {root: {"VolumeSize": 8, "VolumeType": "gp3", "DeleteOnTermination": True}}
    for mapping in requested:
        name = mapping["DeviceName"]
        if mapping.get("NoDevice") is not None:
            mappings.pop(name, None)
        elif mapping.get("Ebs") is not None:
            given = {k: v for k, v in mapping["Ebs"].items() if v is not None}
            mappings[name] = {**mappings.get(name, {"DeleteOnTermination": False}), **given}
    for name, ebs in mappings.items():
        volume = backend.create_volume(
            size=int(ebs["VolumeSize"]) if "VolumeSize" in ebs else None,  # type: ignore[arg-type]
            zone_name=str(instance.placement.zone),
            snapshot_id=ebs.get("SnapshotId"),
            encrypted=_true(ebs.get("Encrypted", False)),
            kms_key_id=ebs.get("KmsKeyId"),
            volume_type=ebs.get("VolumeType", "gp3"),
            iops=int(ebs["Iops"]) if ebs.get("Iops") else None,
            throughput=int(ebs["Throughput"]) if ebs.get("Throughput") else None,
        )
        backend.attach_volume(volume.id, instance.id, name, _true(ebs["DeleteOnTermination"]))
        volume.add_tags(tags)


def _true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def profile_of(data: dict[str, Any]) -> dict[str, str]:
    """Keyword arguments of associate_iam_instance_profile for a template's profile; empty without one."""
    profile = data.get("IamInstanceProfile") or {}
    if profile.get("Arn"):
        return {"iam_instance_profile_arn": profile["Arn"]}
    return {"iam_instance_profile_name": profile["Name"]} if profile.get("Name") else {}


def associate_profile(backend: EC2Backend, instance: Instance, data: dict[str, Any]) -> None:
    """Give an instance its template's profile unless the request gave one."""
    profile = profile_of(data)
    if profile and instance.id not in backend.iam_instance_profile_associations:
        backend.associate_iam_instance_profile(instance_id=instance.id, **profile)


_ORIGINAL: dict[str, Any] = {}


def install() -> None:
    """Patch moto: the backend's launch, and the response that would give the profile to the first instance only."""
    if _ORIGINAL:
        return
    from moto.ec2.responses.instances import InstanceResponse  # noqa: PLC0415
    from moto.ec2.responses.launch_templates import LaunchTemplates  # noqa: PLC0415

    _ORIGINAL.update({"run_instances": EC2Backend.run_instances, "response": InstanceResponse.run_instances})
    EC2Backend.run_instances = run_instances  # type: ignore[method-assign,assignment]

    def response(self: Any) -> Any:
        result = _ORIGINAL["response"](self)
        data = template_data(self.ec2_backend, self._get_param("LaunchTemplate", {}))
        requested = {
            k: v
            for k, v in {
                "iam_instance_profile_name": self._get_param("IamInstanceProfile.Name"),
                "iam_instance_profile_arn": self._get_param("IamInstanceProfile.Arn"),
            }.items()
            if v
        }
        for instance in result.result.instances:
            if requested and instance.id not in self.ec2_backend.iam_instance_profile_associations:
                self.ec2_backend.associate_iam_instance_profile(instance_id=instance.id, **requested)
            associate_profile(self.ec2_backend, instance, data)
        return result

    InstanceResponse.run_instances = response  # type: ignore[method-assign]
    _ORIGINAL["version"] = LaunchTemplates.create_launch_template_version
    LaunchTemplates.create_launch_template_version = _version_from_source  # type: ignore[method-assign]
    MetadataOptions.__init__ = _metadata_options  # type: ignore[method-assign]


def _version_from_source(self: Any) -> Any:
    """CreateLaunchTemplateVersion: with SourceVersion, the data of the request comes over that of the version."""
    source, data = self._get_param("SourceVersion"), dict(self._get_param("LaunchTemplateData", {}))
    if source:
        name, identifier = self._get_param("LaunchTemplateName"), self._get_param("LaunchTemplateId")
        backend = self.ec2_backend
        template = backend.get_launch_template(identifier) if identifier else backend.get_launch_template_by_name(name)
        data = {**template.get_version(source).data, **data}
    if isinstance(data.get("UserData"), str):
        data["UserData"] = parse_user_data(data["UserData"])
    self.params["LaunchTemplateData"] = data
    return _ORIGINAL["version"](self)


def _metadata_options(self: MetadataOptions, options: dict[str, Any] | None = None) -> None:
    """As moto's, and a change of one option keeps the others."""
    options = {k: v for k, v in (options or {}).items() if v is not None}
    self.state = options.get("State", "applied")
    self.http_tokens = options.get("HttpTokens", "optional")
    self.http_put_response_hop_limit = int(options.get("HttpPutResponseHopLimit", 1))
    self.http_endpoint = options.get("HttpEndpoint", "enabled")
    self.http_protocol_ipv6 = options.get("HttpProtocolIpv6", "disabled")
    self.instance_metadata_tags = options.get("InstanceMetadataTags", "disabled")
