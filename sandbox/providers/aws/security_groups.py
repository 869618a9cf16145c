"""Inline rules of security groups (``ingress``, ``egress``) and EC2's permissions."""

from collections.abc import Iterable, Mapping
from typing import Any

_PEERS = {
    "cidrBlocks": ("IpRanges", "CidrIp"),
    "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListIds": ("PrefixListIds", "PrefixListId"),
    "securityGroups": ("UserIdGroupPairs", "GroupId"),
}
"""Where a rule's peers stand in a permission, and under which key."""

Permission = tuple[str, int, int, str, str, str]
"""Protocol, ports, list, peer and description: the smallest thing that can be authorised or revoked."""


def permissions(rules: Iterable[Mapping[str, Any]], group: str) -> set[Permission]:
    """Take inline rules apart."""
    found: set[Permission] = set()
    for rule in rules:
        protocol = str(rule["protocol"])
        everything = protocol in {"-1", "all"}
        ports = (-1, -1) if everything else (int(rule["fromPort"]), int(rule["toPort"]))
        text = rule.get("description") or ""
        for name, (place, _) in _PEERS.items():
            peers = [*(rule.get(name) or []), *([group] if name == "securityGroups" and rule.get("self") else [])]
            found |= {("-1" if everything else protocol, *ports, place, str(peer), text) for peer in peers}
    return found


def actual(entries: Iterable[Mapping[str, Any]]) -> set[Permission]:
    """Take EC2's answer apart."""
    found: set[Permission] = set()
    for entry in entries:
        everything = entry["IpProtocol"] == "-1"
        ports = (-1, -1) if everything else (int(entry.get("FromPort", -1)), int(entry.get("ToPort", -1)))
        for place, key in _PEERS.values():
            for peer in entry.get(place) or []:
                found.add((entry["IpProtocol"], *ports, place, peer[key], peer.get("Description") or ""))
    return found


def as_call(items: Iterable[Permission]) -> list[dict[str, Any]]:
    """Put permissions together as EC2 takes them."""
    keys = dict(_PEERS.values())
    made = []
    for protocol, start, end, place, peer, text in sorted(items):
        entry: dict[str, Any] = {"IpProtocol": protocol}
        if protocol != "-1":
            entry |= {"FromPort": start, "ToPort": end}
        entry[place] = [{keys[place]: peer, **({"Description": text} if text else {})}]
        made.append(entry)
    return made


def inline_rules(entries: Iterable[Mapping[str, Any]], group: str) -> list[dict[str, Any]]:
    """Give EC2's permissions as inline rules, one for each protocol, ports and description."""
    names = {place: name for name, (place, _) in _PEERS.items()}
    rules: dict[tuple[str, int, int, str], dict[str, Any]] = {}
    for protocol, start, end, place, peer, text in sorted(actual(entries)):
        ports = (0, 0) if protocol == "-1" else (start, end)
        rule = rules.setdefault(
            (protocol, *ports, text), {"protocol": protocol, "fromPort": ports[0], "toPort": ports[1]}
        )
        if text:
            rule["description"] = text
        if peer == group:
            rule["self"] = True
        else:
            rule.setdefault(names[place], []).append(peer)
    return list(rules.values())
