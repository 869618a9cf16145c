"""VPC endpoints whose changes reach their routes and interfaces.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpoint.html: a gateway endpoint has a prefix-list
route in each of its route tables, an interface endpoint an interface in each of its subnets. moto keeps both only at
creation and deletion.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend


def _modify(  # noqa: PLR0917 - moto's signature
    self: EC2Backend,
    vpc_id: str,
    policy_doc: str,
    add_subnets: list[str] | None = None,
    remove_subnets: list[str] | None = None,
    remove_route_tables: list[str] | None = None,
    add_route_tables: list[str] | None = None,
    add_security_groups: list[str] | None = None,
    remove_security_groups: list[str] | None = None,
) -> None:
    [endpoint] = self.describe_vpc_endpoints(vpc_end_point_ids=[vpc_id])
    tables, subnets = list(endpoint.route_table_ids or []), list(endpoint.subnet_ids or [])
    _ORIGINAL["modify"](
        self,
        vpc_id,
        policy_doc,
        add_subnets,
        remove_subnets,
        remove_route_tables,
        add_route_tables,
        add_security_groups,
        remove_security_groups,
    )
    if str(endpoint.vpc_endpoint_type).lower() == "gateway":
        for table in set(add_route_tables or []) - set(tables):
            prefixes = endpoint.destination_prefix_list_id
            self.create_route(table, None, destination_prefix_list_id=prefixes, gateway_id=endpoint.id)
        for table in set(remove_route_tables or []) & set(tables):
            self.delete_route(table, str(endpoint.destination_prefix_list_id))
        return
    for subnet in set(add_subnets or []) - set(subnets):
        backend: Any = self
        eni = backend.create_network_interface(
            backend.get_subnet(subnet),
            None,
            group_ids=endpoint.security_group_ids,
            description=f"VPC Endpoint Interface {endpoint.id}",
        )
        endpoint.network_interface_ids.append(eni.id)
    for interface in list(endpoint.network_interface_ids):
        if self.enis[interface].subnet.id in set(remove_subnets or []):
            self.enis.pop(interface)
            endpoint.network_interface_ids.remove(interface)


def _create(self: EC2Backend, *args: Any, **kwargs: Any) -> Any:
    endpoint = _ORIGINAL["create"](self, *args, **kwargs)
    if str(endpoint.vpc_endpoint_type).lower() == "gateway":
        endpoint.private_dns_enabled = False
    for interface in endpoint.network_interface_ids:
        self.enis[interface].description = f"VPC Endpoint Interface {endpoint.id}"
    return endpoint


_ORIGINAL: dict[str, Any] = {}


def install() -> None:
    """Patch moto's EC2 backend."""
    if not _ORIGINAL:
        _ORIGINAL.update({"modify": EC2Backend.modify_vpc_endpoint, "create": EC2Backend.create_vpc_endpoint})
        EC2Backend.modify_vpc_endpoint = _modify  # type: ignore[method-assign,assignment]
        EC2Backend.create_vpc_endpoint = _create  # type: ignore[method-assign,assignment]
