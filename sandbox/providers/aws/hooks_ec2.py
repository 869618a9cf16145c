"""Hooks of single security group rules of the old kind (``SecurityGroupRule``), which EC2 knows by their content."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from sandbox.providers.aws import security_groups
from sandbox.providers.aws.hooks import hook
from sandbox.providers.aws.run import Run
from sandbox.providers.aws.table import Call

_PEERS = ("cidrBlocks", "ipv6CidrBlocks", "prefixListIds", "self", "sourceSecurityGroupId")
_PARTS = ("type", "protocol", "fromPort", "toPort", "securityGroupId", "description", *_PEERS)


def _peer(text: str) -> dict[str, Any]:
    """Read the last part of an id to import."""
    if text == "self":
        return {"self": True}
    if text.startswith("sg-"):
        return {"sourceSecurityGroupId": text}
    if text.startswith("pl-"):
        return {"prefixListIds": [text]}
    return {"ipv6CidrBlocks" if ":" in text else "cidrBlocks": [text]}


def _rule(run: Run) -> dict[str, Any]:
    facts = run.facts()
    rule = {name: facts[name] for name in _PARTS if facts.get(name) is not None}
    return {**rule, **(_peer(str(facts["peer"])) if facts.get("peer") else {})}


def _permissions(rule: Mapping[str, Any]) -> set[security_groups.Permission]:
    source = rule.get("sourceSecurityGroupId")
    inline = {**rule, "securityGroups": [source] if source else []}
    return security_groups.permissions([inline], str(rule["securityGroupId"]))


def _identity(rule: Mapping[str, Any]) -> str:
    """The id: a number made from the rule, as with the genuine provider, though not the same number."""
    parts = {name: rule[name] for name in _PARTS if name != "description" and rule.get(name)}
    parts |= {name: int(rule[name]) for name in ("fromPort", "toPort")}
    return f"sgrule-{zlib.crc32(json.dumps(parts, sort_keys=True).encode())}"


def _send(run: Run, verb: str, rule: Mapping[str, Any]) -> None:
    direction = str(rule["type"]).capitalize()
    asked = {"GroupId": rule["securityGroupId"], "IpPermissions": security_groups.as_call(_permissions(rule))}
    run.call(verb + direction, asked)


@hook
def authorize_rule(run: Run, _call: Call) -> dict[str, Any]:
    """Make the rule."""
    rule = _rule(run)
    _send(run, "AuthorizeSecurityGroup", rule)
    return {"rule_id": _identity(rule)}


@hook
def describe_rule(run: Run, _call: Call) -> None:
    """Change the rule's description, the one part that can be changed."""
    _send(run, "UpdateSecurityGroupRuleDescriptions", {"description": "", **_rule(run)})


@hook
def revoke_rule(run: Run, _call: Call) -> None:
    """Take the rule away."""
    _send(run, "RevokeSecurityGroup", _rule(run))


@hook
def read_rule(run: Run, _call: Call) -> dict[str, Any] | None:
    """Find the rule in its group: it is there when each of its permissions is."""
    rule = _rule(run)
    found = run.call("DescribeSecurityGroups", {"GroupIds": [rule["securityGroupId"]]})["SecurityGroups"][0]
    member = "IpPermissions" if rule["type"] == "ingress" else "IpPermissionsEgress"
    texts = {item[:-1]: item[-1] for item in security_groups.actual(found[member])}
    wanted = [item[:-1] for item in sorted(_permissions(rule))]
    if not all(item in texts for item in wanted):
        return None
    return {**rule, "description": texts[wanted[0]] or None, "rule_id": _identity(rule)}
