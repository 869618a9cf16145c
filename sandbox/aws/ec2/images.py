"""Machine images: Canonical's pinned ones, those of sandbox/images.yaml, and Canonical's SSM parameters.

https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/: owner 099720109477, parameters
/aws/service/canonical/ubuntu/server/<release>/stable/current/<amd64|arm64>/hvm/ebs-gp3/ami-id. The ids come from
components/versions.yaml, read as data: what the product pins exists here, in its region and architecture, with root
device /dev/sda1 of 8 GiB, gp3, deleted on termination. moto knows no Ubuntu image of Canonical's, and gives every
image 15 GiB that survive. Nodes of EKS get one made-up image for each architecture, of Amazon's EKS account. A pinned
id that AWS has never had exists here all the same: only AWS can tell (`verified` in that file).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from moto.core.utils import utcnow
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ssm.models import Parameter, ParameterDict

from sandbox.state import CHECKOUT

CANONICAL = "099720109477"
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}
SSM_PREFIX = "/aws/service/canonical"
EKS_OWNER = "602401143452"
"""The account whose AMIs EKS's managed node groups start from."""


@dataclass(frozen=True)
class Image:
    """A machine image to register."""

    id: str
    region: str
    architecture: str
    name: str
    owner: str
    parameter: str | None = None
    root: str = "/dev/sda1"


@cache
def known() -> tuple[Image, ...]:
    """Every image of the two data files. A missing or changed versions file gives none of its images, not an error."""
    return (*_pinned(), *_own())


def _pinned() -> Iterator[Image]:
    path = CHECKOUT / "components" / "versions.yaml"
    content = yaml.safe_load(path.read_text()) if path.exists() else {}
    for distribution, regions in (content.get("images") or {}).items():
        release = str(distribution).removeprefix("ubuntu-")
        for region, architectures in regions.items():
            for architecture, image in architectures.items():
                date = str(image.get("date", "")).replace("-", "")
                name = f"ubuntu/images/hvm-ssd-gp3/ubuntu-noble-{release}-{architecture}-server-{date}"
                parameter = f"{SSM_PREFIX}/ubuntu/server/{release}/stable/current/{architecture}/hvm/ebs-gp3/ami-id"
                yield Image(image["id"], region, ARCHITECTURES[architecture], name, CANONICAL, parameter)


def _own() -> Iterator[Image]:
    content = yaml.safe_load((CHECKOUT / "sandbox" / "images.yaml").read_text())
    for image in content["images"]:
        yield Image(image["id"], image["region"], image["architecture"], image["name"], image["owner"])


def eks_node_image(region: str, architecture: str) -> Image:
    """The image of EKS's nodes in a region."""
    identifier = f"ami-0e{hashlib.sha256(f'{region} {architecture}'.encode()).hexdigest()[:15]}"
    name = f"amazon-eks-node-al2023-{architecture}-standard"
    return Image(identifier, region, architecture, name, EKS_OWNER, root="/dev/xvda")


def _load_amis(self: Any) -> None:
    _ORIGINAL["load"](self)
    nodes = [eks_node_image(self.region_name, architecture) for architecture in ARCHITECTURES.values()]
    for image in (*known(), *nodes):
        if image.region == self.region_name:
            self.amis[image.id] = Ami(
                self,
                image.id,
                name=image.name,
                description=image.name,
                owner_id=self.account_id if image.owner == "self" else image.owner,
                public=image.owner != "self",
                virtualization_type="hvm",
                architecture=image.architecture,
                image_location=f"amazon/{image.name}",
                hypervisor="xen",
                root_device_type="ebs",
                root_device_name=image.root,
                boot_mode="uefi-preferred",
                region_name=f"{image.region}a",
            )


def _mappings(self: Ami) -> list[dict[str, Any]]:
    ebs = {
        "SnapshotId": self.ebs_snapshot.id,
        "VolumeSize": 8,
        "VolumeType": "gp3",
        "DeleteOnTermination": True,
        "Encrypted": False,
    }
    return [{"DeviceName": self.root_device_name, "Ebs": ebs}]


def _check_loading_status(self: ParameterDict, key: str) -> None:
    _ORIGINAL["check"](self, key)
    if not str(key or "").startswith(SSM_PREFIX) or getattr(self, "canonical_loaded", False):
        return
    self.canonical_loaded = True  # type: ignore[attr-defined]
    for image in known():
        if image.parameter and image.region == self.region_name:
            parameter = Parameter(  # type: ignore[abstract]
                account_id=self.account_id,
                name=image.parameter,
                value=image.id,
                parameter_type="String",
                description=None,
                allowed_pattern=None,
                keyid=None,
                last_modified_date=utcnow(),
                version=1,
                data_type="aws:ec2:image",
            )
            super(ParameterDict, self).__getitem__(image.parameter).append(parameter)


_ORIGINAL: dict[str, Any] = {}


def install() -> None:
    """Patch moto's images and SSM's public parameters."""
    if _ORIGINAL:
        return
    _ORIGINAL.update({"load": AmiBackend._load_amis, "check": ParameterDict._check_loading_status})
    AmiBackend._load_amis = _load_amis  # type: ignore[method-assign]
    Ami.block_device_mappings = property(_mappings)  # type: ignore[assignment,method-assign]
    ParameterDict._check_loading_status = _check_loading_status  # type: ignore[method-assign]
