"""EC2's part: instances and everything of a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.leaks.model import Client, Finding, pages, tags_of

TERMINATED_VISIBLE = timedelta(hours=1)
"""Described for a while, usually under an hour: EC2 User Guide, "Terminate Amazon EC2 instances"."""

GROUP_TAG = "aws:autoscaling:groupName"
_AMI_SNAPSHOT = "Auto-created snapshot for AMI "
"""Snapshots below the machine images that the sandbox itself registers."""


def instances(client: Client) -> Iterator[Finding]:
    """Instances; terminated ones end by themselves."""
    for reservation in pages(client("ec2"), "describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            tags = tags_of(instance.get("Tags"))
            state = instance["State"]["Name"]
            ends = _terminated_at(instance.get("StateTransitionReason", "")) if state == "terminated" else None
            yield Finding(
                "instance",
                instance["InstanceId"],
                tags,
                ends=ends,
                ending=state in {"terminated", "shutting-down"},
                note=state,
                vpc=instance.get("VpcId", ""),
                group_made=GROUP_TAG in tags,
            )


def _terminated_at(reason: str) -> datetime | None:
    match = re.search(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (GMT|UTC)\)", reason)
    if match is None:
        return None
    return datetime.strptime(match.group(1), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) + TERMINATED_VISIBLE


def _simple(
    client: Client, kind: str, operation: str, result: str, identifier: str, **arguments: Any
) -> Iterator[tuple[dict[str, Any], Finding]]:
    for item in pages(client("ec2"), operation, result, **arguments):
        yield (
            item,
            Finding(kind, item[identifier], tags_of(item.get("Tags") or item.get("TagSet")), vpc=item.get("VpcId", "")),
        )


def volumes(client: Client) -> Iterator[Finding]:
    """Volumes; attached ones go with their instance if it does, so they are left behind as it is."""
    for item, found in _simple(client, "volume", "describe_volumes", "Volumes", "VolumeId"):
        attached = ", ".join(a["InstanceId"] for a in item.get("Attachments") or [])
        yield Finding(
            found.kind,
            found.id,
            found.tags,
            ending=item["State"] in {"deleting", "deleted"},
            note=f"{item['State']}{' at ' + attached if attached else ''}",
            group_made=bool(attached),
        )


def snapshots(client: Client) -> Iterator[Finding]:
    """Snapshots of this account."""
    listed = _simple(client, "snapshot", "describe_snapshots", "Snapshots", "SnapshotId", OwnerIds=["self"])
    for item, found in listed:
        if not str(item.get("Description", "")).startswith(_AMI_SNAPSHOT):
            yield found


def interfaces(client: Client) -> Iterator[Finding]:
    """Network interfaces."""
    listed = _simple(
        client, "network interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"
    )
    for item, found in listed:
        attached = bool(item.get("Attachment"))
        yield replace(found, note=item.get("Description", ""), group_made=attached)


def vpcs(client: Client) -> Iterator[Finding]:
    """VPCs but the default one."""
    for item, found in _simple(client, "vpc", "describe_vpcs", "Vpcs", "VpcId"):
        if not item.get("IsDefault"):
            yield found


def _default_vpcs(client: Client) -> set[str]:
    return {v["VpcId"] for v in pages(client("ec2"), "describe_vpcs", "Vpcs") if v.get("IsDefault")}


def subnets(client: Client) -> Iterator[Finding]:
    """Subnets but those of the default VPC."""
    default = _default_vpcs(client)
    for item, found in _simple(client, "subnet", "describe_subnets", "Subnets", "SubnetId"):
        if item["VpcId"] not in default:
            yield found


def security_groups(client: Client) -> Iterator[Finding]:
    """Security groups; a VPC's default one goes with its VPC."""
    for item, found in _simple(client, "security group", "describe_security_groups", "SecurityGroups", "GroupId"):
        if item["GroupName"] != "default":
            yield found


def route_tables(client: Client) -> Iterator[Finding]:
    """Route tables; a VPC's main one goes with its VPC."""
    for item, found in _simple(client, "route table", "describe_route_tables", "RouteTables", "RouteTableId"):
        if not any(a.get("Main") for a in item.get("Associations") or []):
            yield found


def internet_gateways(client: Client) -> Iterator[Finding]:
    """Internet gateways but the default VPC's."""
    default = _default_vpcs(client)
    listed = _simple(client, "internet gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId")
    for item, found in listed:
        if not any(a.get("VpcId") in default for a in item.get("Attachments") or []):
            yield found


def nat_gateways(client: Client) -> Iterator[Finding]:
    """NAT gateways; deleted ones are described for about an hour."""
    for item, found in _simple(client, "nat gateway", "describe_nat_gateways", "NatGateways", "NatGatewayId"):
        ending = item["State"] in {"deleting", "deleted"}
        yield Finding(found.kind, found.id, found.tags, ending=ending, note=item["State"])


def addresses(client: Client) -> Iterator[Finding]:
    """Elastic addresses."""
    for _, found in _simple(client, "elastic address", "describe_addresses", "Addresses", "AllocationId"):
        yield found


def endpoints(client: Client) -> Iterator[Finding]:
    """VPC endpoints."""
    for item, found in _simple(client, "vpc endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"):
        ending = str(item.get("State", "")).lower() in {"deleting", "deleted"}
        yield Finding(found.kind, found.id, found.tags, ending=ending, note=item.get("ServiceName", ""))


def flow_logs(client: Client) -> Iterator[Finding]:
    """Flow logs."""
    for _, found in _simple(client, "flow log", "describe_flow_logs", "FlowLogs", "FlowLogId"):
        yield found


def launch_templates(client: Client) -> Iterator[Finding]:
    """Launch templates."""
    listed = _simple(client, "launch template", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId")
    for item, found in listed:
        yield Finding(found.kind, found.id, found.tags, note=item["LaunchTemplateName"])


def key_pairs(client: Client) -> Iterator[Finding]:
    """Key pairs."""
    for _, found in _simple(client, "key pair", "describe_key_pairs", "KeyPairs", "KeyPairId"):
        yield found
