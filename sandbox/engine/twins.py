"""A create in flight at a kill: what AWS made of it, found by tag and Name, as the state does not have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.leaks.command import clients_of_sandbox
from sandbox.leaks.model import STACK_TAG, Client, Finding
from sandbox.leaks.search import of_token, search
from sandbox.state import State


def candidates(state: State, stack: str, resource: dict[str, Any], deployment: dict[str, Any]) -> list[Finding] | None:
    """Resources of the same kind, stack and Name that the state does not know; None when they could not be told.

    Args:
        state: the sandbox.
        stack: "project/stack".
        resource: the pending operation's resource, with its inputs.
        deployment: the stack's state.
    """
    lister = of_token(resource["type"])
    inputs = resource.get("inputs") or {}
    tags = inputs.get("tags") or {}
    if lister is None or not isinstance(tags, dict) or not (tags.get("Name") or inputs.get("name")):
        return None
    known = {r.get("id") for r in deployment.get("resources") or [] if r["type"] == resource["type"]}
    found = search(_clients(state, inputs), None, whole_account=True, listers=(lister,))
    name = tags.get("Name")
    return [
        f
        for f in found
        if f.id not in known
        and f.stack
        and f.stack in {stack, tags.get(STACK_TAG, "")}
        and (f.name == name if name else f.id == inputs.get("name"))
    ]


def _clients(state: State, inputs: dict[str, Any]) -> dict[str, Client]:
    region = inputs.get("region")
    clients = clients_of_sandbox(state, {region} if isinstance(region, str) else set())
    return {region: clients[region]} if isinstance(region, str) else clients


def undo(state: State, resource: dict[str, Any], deployment: dict[str, Any]) -> str | None:
    """Take back a create in flight of a kind that holds nothing and whose second create AWS refuses.

    Returns:
        What was taken back, for people; None when AWS has nothing of it, or this kind needs no undoing.
    """
    undoer = _UNDO.get(resource["type"])
    if undoer is None:
        return None
    inputs = resource.get("inputs") or {}
    known = {str(r.get("id")) for r in deployment.get("resources") or []}
    for client in _clients(state, inputs).values():
        if (taken := undoer(client, inputs, known)) is not None:
            return taken
    return None


def _route(client: Client, inputs: dict[str, Any], known: set[str]) -> str | None:
    ec2, table, target = client("ec2"), inputs["routeTableId"], inputs.get("destinationCidrBlock")
    for found in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]:
        if target and found.get("DestinationCidrBlock") == target:
            ec2.delete_route(RouteTableId=table, DestinationCidrBlock=target)
            return f"the route {target} of {table}"
    return None


def _association(client: Client, inputs: dict[str, Any], known: set[str]) -> str | None:
    ec2 = client("ec2")
    for table in ec2.describe_route_tables()["RouteTables"]:
        for found in table["Associations"]:
            identifier = found.get("RouteTableAssociationId")
            if found.get("SubnetId") == inputs.get("subnetId") and inputs.get("subnetId") and identifier not in known:
                ec2.disassociate_route_table(AssociationId=identifier)
                return f"the association {identifier} of {found['SubnetId']}"
    return None


def _rule(*, egress: bool) -> Callable[[Client, dict[str, Any], set[str]], str | None]:
    def undo_rule(client: Client, inputs: dict[str, Any], known: set[str]) -> str | None:
        ec2, group = client("ec2"), inputs["securityGroupId"]
        listed = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
        for found in listed["SecurityGroupRules"]:
            identifier = found["SecurityGroupRuleId"]
            if found["IsEgress"] == egress and identifier not in known and _same_rule(found, inputs):
                revoke = ec2.revoke_security_group_egress if egress else ec2.revoke_security_group_ingress
                revoke(GroupId=group, SecurityGroupRuleIds=[identifier])
                return f"the rule {identifier} of {group}"
        return None

    return undo_rule


def _same_rule(found: dict[str, Any], inputs: dict[str, Any]) -> bool:
    reference = (found.get("ReferencedGroupInfo") or {}).get("GroupId")
    pairs = [
        (found.get("IpProtocol"), inputs.get("ipProtocol")),
        (found.get("CidrIpv4"), inputs.get("cidrIpv4")),
        (found.get("CidrIpv6"), inputs.get("cidrIpv6")),
        (found.get("PrefixListId"), inputs.get("prefixListId")),
        (reference, inputs.get("referencedSecurityGroupId")),
    ]
    if inputs.get("ipProtocol") not in {"-1", -1}:
        pairs += [(found.get("FromPort"), inputs.get("fromPort")), (found.get("ToPort"), inputs.get("toPort"))]
    return all((str(a) if a is not None else None) == (_plain(b)) for a, b in pairs)


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    return str(int(value)) if isinstance(value, float) else str(value)


def _listener(client: Client, inputs: dict[str, Any], known: set[str]) -> str | None:
    elb = client("elbv2")
    for found in elb.describe_listeners(LoadBalancerArn=inputs["loadBalancerArn"])["Listeners"]:
        if found.get("Port") == int(inputs["port"]) and found["ListenerArn"] not in known:
            elb.delete_listener(ListenerArn=found["ListenerArn"])
            return f"the listener {found['ListenerArn']}"
    return None


_UNDO: dict[str, Callable[[Client, dict[str, Any], set[str]], str | None]] = {
    "aws:ec2/route:Route": _route,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _association,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule(egress=False),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule(egress=True),
    "aws:lb/listener:Listener": _listener,
}
"""Kinds without a tag of their own (or with one that says little), whose second create AWS refuses as a duplicate."""
