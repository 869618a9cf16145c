"""Pinned machine images: the data is ``versions.yaml``, so that nothing that moves by itself becomes a diff.

    python -m components.versions refresh            # look the pinned regions up again
    python -m components.versions refresh eu-south-2 # and add a region
    python -m components.versions check              # name what is outdated, write nothing

need credentials for AWS; they read Canonical's public SSM parameters. `refresh` rewrites the file, and the diff is for
review. `check` exits with 1 when a newer image is there: it is news, and never a diff of a stack.
"""

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from components.errors import InputError
from components.hosts.args import Architecture

FILE = Path(__file__).with_name("versions.yaml")
UBUNTU = "ubuntu-24.04"
CANONICAL = "099720109477"
"""Canonical's AWS account. Source: Ubuntu documentation, "Find Ubuntu images on AWS"."""
PARAMETER = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{architecture}/hvm/ebs-gp3/ami-id"
"""SSM parameter of the current image. Source: the same page."""
_NAME_PATTERN = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{architecture}-server-*"

HEADER = f"""\
# Pinned machine images. Data for components/versions.py, which writes this file: `make versions`.
# `verified` says whether the id was looked up in AWS itself (true) or taken from what others published (false).
# Account of the publisher (Canonical): {CANONICAL}.
"""


@dataclass(frozen=True)
class Image:
    """One pinned image."""

    id: str
    """AMI id."""
    date: str
    """Day of the image, or of the list that named it; ISO 8601."""
    verified: bool
    """Whether the id was read from AWS."""
    source: str
    """Where the id was read."""


Images: TypeAlias = Mapping[str, Mapping[Architecture, Image]]
"""Region -> architecture -> image."""


def load(text: str | None = None) -> Images:
    """The pinned images; ``text`` stands for the file's content in tests."""
    raw = yaml.safe_load(FILE.read_text() if text is None else text)
    return {
        region: {Architecture(architecture): Image(**image) for architecture, image in by_architecture.items()}
        for region, by_architecture in raw["images"][UBUNTU].items()
    }


def pinned_image(images: Images, region: str, architecture: Architecture) -> str:
    """AMI id for a region and an architecture.

    Raises:
        InputError: none is pinned there; the message names the command and the setting that help.
    """
    image = images.get(region, {}).get(architecture)
    if image is None:
        raise InputError(
            "image.id",
            None,
            f"be set in region {region} for {architecture}",
            f"No Ubuntu 24.04 image is pinned there; pinned are {', '.join(sorted(images))}. "
            f"Or pin one: python -m components.versions refresh {region}",
        )
    return image.id


def render(images: Images) -> str:
    """The file's content, with the line for Renovate above each id."""
    lines = [HEADER.rstrip(), "images:", f"  {UBUNTU}:"]
    for region in sorted(images):
        lines.append(f"    {region}:")
        for architecture in sorted(images[region]):
            image = images[region][architecture]
            filters = [
                {"Name": "owner-id", "Values": [CANONICAL]},
                {"Name": "name", "Values": [_NAME_PATTERN.format(architecture=architecture.value)]},
                {"region": region},
            ]
            lines += [
                f"      {architecture.value}:",
                f"        # renovate: datasource=aws-machine-image packageName={json.dumps(filters)}",
                f"        id: {image.id}",
                f'        date: "{image.date}"',
                f"        verified: {json.dumps(image.verified)}",
                f"        source: {json.dumps(image.source)}",
            ]
    return "\n".join(lines) + "\n"


Lookup: TypeAlias = Callable[[str, str], str]
"""(region, SSM parameter) -> value."""


def refreshed(images: Images, regions: list[str], lookup: Lookup, today: str) -> Images:
    """The images of all pinned regions and ``regions``, looked up again; what has not changed keeps its date."""
    result: dict[str, dict[Architecture, Image]] = {}
    for region in sorted({*images, *regions}):
        result[region] = {}
        for architecture in Architecture:
            parameter = PARAMETER.format(architecture=architecture.value)
            found = lookup(region, parameter)
            known = images.get(region, {}).get(architecture)
            date = known.date if known is not None and known.id == found and known.verified else today
            result[region][architecture] = Image(found, date, verified=True, source=f"SSM {parameter}")
    return result


def outdated(images: Images, lookup: Lookup) -> list[str]:
    """A line for each pinned image that is not the current one."""
    found = refreshed(images, [], lookup, "")
    return [
        f"{region} {architecture.value}: pinned {image.id} of {image.date}, current {found[region][architecture].id}"
        for region, by_architecture in images.items()
        for architecture, image in by_architecture.items()
        if found[region][architecture].id != image.id
    ]


def _ssm(region: str, parameter: str) -> str:
    import boto3  # noqa: PLC0415 - only the command needs it, and it is slow to import

    value: str = boto3.client("ssm", region_name=region).get_parameter(Name=parameter)["Parameter"]["Value"]
    return value


def main(arguments: list[str]) -> int:
    """The commands; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m components.versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    refresh = commands.add_parser("refresh", help="look the images up in AWS and rewrite versions.yaml")
    refresh.add_argument("regions", nargs="*", help="regions to add")
    commands.add_parser("check", help="name the pinned images that are not the current ones")
    asked = parser.parse_args(arguments)
    if asked.command == "check":
        lines = outdated(load(), _ssm)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return 1 if lines else 0
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    FILE.write_text(render(refreshed(load(), asked.regions, _ssm, today)))
    sys.stdout.write(f"wrote {FILE.name}: read the diff before you commit it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
