"""Which machine image nodes start from, and whether it fits their instance types: looked up at preview."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import versions
from components.errors import InputError
from components.hosts.args import Architecture

_AWS_NAMES = {"x86_64": Architecture.AMD64, "arm64": Architecture.ARM64}
_SUPPORTED: dict[tuple[str, str], tuple[Architecture, ...]] = {}
"""What AWS said of an instance type, by region and type: a fact that does not change while a program runs."""


@dataclass(frozen=True)
class MachineImage:
    """An image that exists in the region."""

    id: str
    """AMI id."""
    root_device_name: str
    """``/dev/sda1`` or what the image uses."""


def look_up(
    *, region: str, architecture: Architecture, image_id: str | None, opts: pulumi.InvokeOptions
) -> MachineImage:
    """The image that the user named, else the pinned one; only ever by id, so that a newer image is no diff.

    Raises:
        InputError: nothing is pinned for the region, AWS does not know the id, or it is for another architecture.
    """
    wanted = image_id or versions.pinned_image(versions.load(), region, architecture)
    try:
        found = aws.ec2.get_ami(
            filters=[{"name": "image-id", "values": [wanted]}],
            # A pinned id must be Canonical's: a wrong line in the file must not start somebody else's image.
            owners=None if image_id else [versions.CANONICAL],
            include_deprecated=True,
            opts=opts,
        )
    except Exception as error:
        raise InputError(
            "image.id", wanted, f"be an image that exists in {region}", f"AWS did not find it: {error}"
        ) from error
    check_architecture("image.id", wanted, found.architecture, architecture)
    return MachineImage(wanted, found.root_device_name)


def check_instance_types(
    instance_types: Mapping[str, str],
    architecture: Architecture,
    region: str,
    opts: pulumi.InvokeOptions,
    asked_by: str = "image.architecture",
) -> None:
    """Ask AWS whether each type (by the path of the argument that names it) runs ``architecture``.

    A type is asked for once in a program: the program asks before its first component, and each component for itself.

    Args:
        instance_types: type by path.
        architecture: what the image is for.
        region: the region's name.
        opts: options of the lookup.
        asked_by: path of the argument that chooses the architecture.

    Raises:
        InputError: it does not, or AWS does not know the type.
    """
    for path, instance_type in instance_types.items():
        if (region, instance_type) not in _SUPPORTED:
            try:
                found = aws.ec2.get_instance_type(instance_type=instance_type, opts=opts)
            except Exception as error:
                raise InputError(
                    path, instance_type, "be an instance type of the region", f"AWS did not find it: {error}"
                ) from error
            _SUPPORTED[region, instance_type] = tuple(
                _AWS_NAMES[name] for name in found.supported_architectures if name in _AWS_NAMES
            )
        supported = _SUPPORTED[region, instance_type]
        if architecture not in supported:
            raise InputError(
                path,
                instance_type,
                f"run {architecture.value}, as {asked_by} says",
                f"It runs {' and '.join(supported) or 'neither amd64 nor arm64'}, and the image would not boot on it.",
            )


def check_architecture(path: str, image_id: str, found: str, wanted: Architecture) -> None:
    """Hold an image's architecture, in AWS's spelling, against the wanted one.

    Raises:
        InputError: they differ.
    """
    if _AWS_NAMES.get(found) is not wanted:
        raise InputError(
            path,
            image_id,
            f"be an image for {wanted.value}, as image.architecture says",
            f"AWS says that it is for {found}.",
        )
