"""Deletes of network parts that AWS refuses while something uses them, and NAT gateways that come and go slowly.

https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html,
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html. DependencyViolation: a subnet with an
interface, instance, NAT gateway, endpoint or load balancer in it; a security group that one of those, or another
group's rule, names; an internet gateway whose VPC has mapped public addresses. InvalidIPAddress.InUse: an address in
use. A NAT gateway is pending, then available; deleting (its address still in use), then deleted. moto refuses none of
these and deletes NAT gateways at once. Not modelled: a load balancer's own interfaces, which AWS keeps for minutes
after its deletion; deletes of endpoints at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend
from moto.elbv2.models import elbv2_backends

from sandbox.aws.ec2.states import backends
from sandbox.aws.world import WORLD


def _balancers(backend: EC2Backend) -> list[Any]:
    return list(elbv2_backends[backend.account_id][backend.region_name].load_balancers.values())


def _live(instance: Any) -> bool:
    return instance is not None and instance._state.name != "terminated"


def in_subnet(backend: EC2Backend, subnet_id: str) -> Iterator[str]:
    """What keeps a subnet."""
    for reservation in backend.reservations.values():
        yield from (i.id for i in reservation.instances if i.subnet_id == subnet_id and _live(i))
    gateways = [g for g in backend.nat_gateways.values() if g.subnet_id == subnet_id]
    yield from (g.id for g in gateways if g.state != "deleted")
    gone = {g._eni.id for g in gateways if g.state == "deleted"}
    for eni in backend.enis.values():
        if eni.subnet.id == subnet_id and eni.id not in gone and (eni.instance is None or _live(eni.instance)):
            yield eni.id
    for endpoint in backend.vpc_end_points.values():
        if subnet_id in (endpoint.subnet_ids or []) and endpoint.state != "deleted":
            yield endpoint.id
    yield from (b.arn for b in _balancers(backend) if any(s.id == subnet_id for s in b.subnets))


def uses_group(backend: EC2Backend, group_id: str) -> Iterator[str]:
    """What keeps a security group."""
    gone = {g._eni.id for g in backend.nat_gateways.values() if g.state == "deleted"}
    for eni in backend.enis.values():
        ours = any(g.id == group_id for g in eni.group_set) and eni.id not in gone
        if ours and (eni.instance is None or _live(eni.instance)):
            yield eni.id
    for endpoint in backend.vpc_end_points.values():
        if group_id in (endpoint.security_group_ids or []) and endpoint.state != "deleted":
            yield endpoint.id
    yield from (b.arn for b in _balancers(backend) if group_id in (b.security_groups or []))
    for groups in backend.groups.values():
        for other in groups.values():
            if other.id != group_id and any(
                _names(rule, group_id) for rule in [*other.ingress_rules, *other.egress_rules]
            ):
                yield other.id


def _names(rule: Any, group_id: str) -> bool:
    source = getattr(rule, "source_group", None) or {}
    sources = getattr(rule, "source_groups", None) or [source]
    return any(s.get("GroupId") == group_id for s in sources if s)


def _delete_subnet(self: EC2Backend, subnet_id: str) -> Any:
    if next(in_subnet(self, subnet_id), None):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return _ORIGINAL["delete_subnet"](self, subnet_id)


def _delete_group(self: EC2Backend, name: str | None = None, group_id: str | None = None) -> Any:
    if group_id and next(uses_group(self, group_id), None):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return _ORIGINAL["delete_security_group"](self, name, group_id)


def _detach_gateway(self: EC2Backend, internet_gateway_id: str, vpc_id: str) -> Any:
    mapped = any(a.eni is not None and a.eni.subnet.vpc_id == vpc_id for a in self.addresses)
    public = any(b.vpc_id == vpc_id and b.scheme == "internet-facing" for b in _balancers(self))
    hosts = any(
        _live(i) and i.vpc_id == vpc_id and i.nics and i.public_ip
        for r in self.reservations.values()
        for i in r.instances
    )
    if mapped or public or hosts:
        raise DependencyViolationError(
            f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
            "detaching the gateway."
        )
    return _ORIGINAL["detach_internet_gateway"](self, internet_gateway_id, vpc_id)


def _release(self: EC2Backend, address: str | None = None, allocation_id: str | None = None) -> Any:
    for known in self.addresses:
        if known.association_id and (
            known.allocation_id == allocation_id if allocation_id else known.public_ip == address
        ):
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {known.public_ip} is in use.")
    return _ORIGINAL["release_address"](self, address, allocation_id)


def _create_nat(self: EC2Backend, *args: Any, **kwargs: Any) -> Any:
    gateway = _ORIGINAL["create_nat_gateway"](self, *args, **kwargs)
    gateway._eni.description = f"Interface for NAT Gateway {gateway.id}"
    gateway.state, gateway.since = "pending", time.monotonic()
    return gateway


def _delete_nat(self: EC2Backend, nat_gateway_id: str) -> Any:
    gateway: Any = self.nat_gateways.get(nat_gateway_id)
    if gateway is None or gateway.state == "deleted":
        raise EC2ClientError("NatGatewayNotFound", f"NAT gateway {nat_gateway_id} was not found")
    gateway.state, gateway.since = "deleting", time.monotonic()
    return gateway


def tick() -> None:
    """NAT gateways reach available and deleted; a deleted one frees its address and interface."""
    for backend in backends():
        for gateway in list(backend.nat_gateways.values()):
            if gateway.state not in {"pending", "deleting"}:
                continue
            if time.monotonic() - getattr(gateway, "since", 0.0) < WORLD.settings.transition:
                continue
            if gateway.state == "pending":
                gateway.state = "available"
                continue
            gateway.state = "deleted"
            for address in backend.addresses:
                if address.eni is gateway._eni:
                    backend.disassociate_address(address=address.public_ip)
            backend.enis.pop(gateway._eni.id, None)


_ORIGINAL: dict[str, Any] = {}
_PATCHES: dict[str, Any] = {
    "delete_subnet": _delete_subnet,
    "delete_security_group": _delete_group,
    "detach_internet_gateway": _detach_gateway,
    "release_address": _release,
    "create_nat_gateway": _create_nat,
    "delete_nat_gateway": _delete_nat,
}


def install() -> None:
    """Patch moto's EC2 backend."""
    if _ORIGINAL:
        return
    for name, method in _PATCHES.items():
        _ORIGINAL[name] = getattr(EC2Backend, name)
        setattr(EC2Backend, name, method)
