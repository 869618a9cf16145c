"""The Network component."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from components import tags
from components.hosts.policies import Place
from components.network import checks, endpoints, existing, policies, zones
from components.network.args import ExistingVpcArgs, NatStrategy, NetworkArgs
from components.network.subnets import lay_out

_ANYWHERE = "0.0.0.0/0"
_AGGREGATION_SECONDS = 600
"""The longer of the two that flow logs have (60 and 600): fewer records, so the cheaper."""


@dataclass(frozen=True)
class _Tier:
    """The subnets of one kind, in the order of the zones."""

    subnets: list[aws.ec2.Subnet]
    tables: list[aws.ec2.RouteTable]
    needs: list[pulumi.Resource]
    """What must be there before anything that lives in the subnets can work."""


class Network(pulumi.ComponentResource):
    """A VPC with a private and a public subnet in each zone, or a VPC that exists already.

    Private subnets reach the internet as the NAT strategy says, and S3 always through a gateway endpoint. A change of
    the NAT strategy and a zone more replace no subnet. An existing VPC is looked up and checked, never changed.

    It opens nothing: the VPC's default security group has no rules. It makes no VPN, no peering and no IPv6.
    """

    vpc_id: pulumi.Output[str]
    """Id of the VPC."""
    private_subnet_ids: pulumi.Output[list[str]]
    """One for each zone, in the order of ``zones``; resolves when their routes and endpoints are there."""
    public_subnet_ids: pulumi.Output[list[str]]
    """One for each zone, or none; resolves when they reach the internet."""
    private_route_table_ids: pulumi.Output[list[str]]
    """One for each private subnet, in the order of ``zones``."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the network, or look it up.

        Args:
            name: logical name; every child is called ``<name>-...``.
            args: see ``NetworkArgs``.
            opts: the usual options; a provider given here serves the lookups too.

        Raises:
            InputError: arguments or an existing VPC that cannot work; before any child is registered.
        """
        super().__init__("timonel:index:Network", name, {}, opts)
        checks.check(args)
        self._prefix = name
        self._child = pulumi.ResourceOptions(parent=self)
        self._lookup = pulumi.InvokeOptions(parent=self)
        self._common_tags = tags.common(args.get("tags", {}))
        self._subnet_tags = {
            "private": args.get("private_subnet_tags", {}),
            "public": args.get("public_subnet_tags", {}),
        }
        self._region = aws.get_region(opts=self._lookup).region
        if "existing" in args:
            self._use_existing(args["existing"])
        else:
            self._create_new(checks.new_vpc(args))
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "private_subnet_ids": self.private_subnet_ids,
                "public_subnet_ids": self.public_subnet_ids,
                "private_route_table_ids": self.private_route_table_ids,
            }
        )

    @property
    def cidr(self) -> str:
        """IPv4 range of the VPC; of an existing one the first."""
        return self._cidr

    @property
    def zones(self) -> list[str]:
        """Names of the zones, in the order of the subnets."""
        return self._zones

    @property
    def has_internet_egress(self) -> bool:
        """Whether private subnets reach the internet."""
        return self._has_internet_egress

    @property
    def has_public_subnets(self) -> bool:
        """Whether ``public_subnet_ids`` holds any."""
        return self._has_public_subnets

    @property
    def interface_endpoints(self) -> list[str]:
        """Short names of the services that have an interface endpoint in the VPC, sorted."""
        return self._interface_endpoints

    def _use_existing(self, args: ExistingVpcArgs) -> None:
        found = existing.look_up(args, self._region, self._lookup)
        self._cidr = found.cidr
        self._zones = found.zones
        self._has_internet_egress = found.has_internet_egress
        self._has_public_subnets = bool(found.public_subnet_ids)
        self._interface_endpoints = found.interface_endpoints
        self.vpc_id = pulumi.Output.from_input(found.vpc_id)
        self.private_subnet_ids = pulumi.Output.from_input(found.private_subnet_ids)
        self.public_subnet_ids = pulumi.Output.from_input(found.public_subnet_ids)
        self.private_route_table_ids = pulumi.Output.from_input(found.private_route_table_ids)

    def _create_new(self, plan: checks.NewVpc) -> None:
        self._cidr = str(plan.cidr)
        self._zones = zones.look_up(self._region, plan.zone_names, plan.zone_count, self._lookup)
        self._has_internet_egress = plan.nat is not NatStrategy.NONE
        self._has_public_subnets = plan.has_public_subnets
        self._interface_endpoints = list(plan.interface_endpoints)
        services = endpoints.look_up(plan.interface_endpoints, self._zones, self._lookup)
        layout = lay_out("cidr", plan.cidr, plan.zone_count)

        vpc = self._create_vpc()
        public = _Tier([], [], [])
        if plan.has_public_subnets:
            public = self._create_public(vpc, [zone.public for zone in layout])
        private = self._create_private(vpc, [zone.private for zone in layout])
        routes = self._create_nat(plan.nat, public, private)
        s3 = self._create_s3_endpoint(vpc, private)
        interfaces = self._create_interface_endpoints(vpc, private, services)
        if plan.enable_flow_logs:
            self._create_flow_logs(vpc, plan.flow_log_retention_days)

        self.vpc_id = vpc.id
        self.private_subnet_ids = _when(private.subnets, [*private.needs, *routes, s3, *interfaces])
        self.public_subnet_ids = _when(public.subnets, public.needs)
        self.private_route_table_ids = _when(private.tables, [])

    def _create_vpc(self) -> aws.ec2.Vpc:
        vpc = aws.ec2.Vpc(
            f"{self._prefix}-vpc",
            cidr_block=self._cidr,
            # Both are needed for the private DNS names of interface endpoints.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags("vpc"),
            opts=self._child,
        )
        # AWS makes this group with every VPC, open among its members. Empty lists (not absent ones) keep it closed.
        aws.ec2.DefaultSecurityGroup(
            f"{self._prefix}-default",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags=self._tags("default"),
            opts=self._child,
        )
        return vpc

    def _create_public(self, vpc: aws.ec2.Vpc, ranges: Sequence[IPv4Network]) -> _Tier:
        gateway = aws.ec2.InternetGateway(
            f"{self._prefix}-internet", vpc_id=vpc.id, tags=self._tags("internet"), opts=self._child
        )
        table = self._create_route_table(vpc, "public")
        route = aws.ec2.Route(
            f"{self._prefix}-public-internet",
            route_table_id=table.id,
            destination_cidr_block=_ANYWHERE,
            gateway_id=gateway.id,
            opts=self._child,
        )
        subnets = [self._create_subnet(vpc, "public", zone, network) for zone, network in enumerate(ranges)]
        associations = [self._associate("public", zone, subnet, table) for zone, subnet in enumerate(subnets)]
        return _Tier(subnets, [table], [gateway, route, *associations])

    def _create_private(self, vpc: aws.ec2.Vpc, ranges: Sequence[IPv4Network]) -> _Tier:
        """One route table for each zone whatever the NAT strategy, so that a change of it changes routes only."""
        subnets = [self._create_subnet(vpc, "private", zone, network) for zone, network in enumerate(ranges)]
        tables = [self._create_route_table(vpc, f"private-{zone}") for zone in range(len(ranges))]
        associations: list[pulumi.Resource] = [
            self._associate("private", zone, subnet, table)
            for zone, (subnet, table) in enumerate(zip(subnets, tables, strict=True))
        ]
        return _Tier(subnets, tables, associations)

    def _create_subnet(self, vpc: aws.ec2.Vpc, kind: str, zone: int, network: IPv4Network) -> aws.ec2.Subnet:
        return aws.ec2.Subnet(
            f"{self._prefix}-{kind}-{zone}",
            vpc_id=vpc.id,
            cidr_block=str(network),
            availability_zone=self._zones[zone],
            map_public_ip_on_launch=False,
            tags={**self._subnet_tags[kind], **self._tags(f"{kind}-{zone}")},
            # Its successor in the same VPC has the same range, which AWS gives to one subnet at a time.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )

    def _create_route_table(self, vpc: aws.ec2.Vpc, suffix: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(f"{self._prefix}-{suffix}", vpc_id=vpc.id, tags=self._tags(suffix), opts=self._child)

    def _associate(
        self, kind: str, zone: int, subnet: aws.ec2.Subnet, table: aws.ec2.RouteTable
    ) -> aws.ec2.RouteTableAssociation:
        return aws.ec2.RouteTableAssociation(
            f"{self._prefix}-{kind}-{zone}", subnet_id=subnet.id, route_table_id=table.id, opts=self._child
        )

    def _create_nat(self, nat: NatStrategy, public: _Tier, private: _Tier) -> list[aws.ec2.Route]:
        # An address cannot be used before the gateway is attached, nor the gateway detached before the address is gone.
        after_internet = pulumi.ResourceOptions(parent=self, depends_on=public.needs)
        gateways: dict[int, aws.ec2.NatGateway] = {}
        routes = []
        for zone, table in enumerate(private.tables):
            served_by = checks.nat_zone(nat, zone)
            if served_by is None:
                continue
            if served_by not in gateways:
                suffix = f"nat-{served_by}"
                address = aws.ec2.Eip(
                    f"{self._prefix}-{suffix}", domain="vpc", tags=self._tags(suffix), opts=after_internet
                )
                gateways[served_by] = aws.ec2.NatGateway(
                    f"{self._prefix}-{suffix}",
                    allocation_id=address.id,
                    subnet_id=public.subnets[served_by].id,
                    tags=self._tags(suffix),
                    # Its successor has the same address, which serves one gateway at a time.
                    opts=pulumi.ResourceOptions(parent=self, depends_on=public.needs, delete_before_replace=True),
                )
            routes.append(
                aws.ec2.Route(
                    f"{self._prefix}-private-{zone}-internet",
                    route_table_id=table.id,
                    destination_cidr_block=_ANYWHERE,
                    nat_gateway_id=gateways[served_by].id,
                    opts=self._child,
                )
            )
        return routes

    def _create_s3_endpoint(self, vpc: aws.ec2.Vpc, private: _Tier) -> aws.ec2.VpcEndpoint:
        """Free of charge, and keeps images' layers and state off the NAT gateway.

        Its policy is AWS's default: package sources and image registries hand out objects of other accounts' buckets,
        so who may read what is the business of the nodes' roles.
        """
        return aws.ec2.VpcEndpoint(
            f"{self._prefix}-s3",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{self._region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in private.tables],
            tags=self._tags("s3"),
            opts=self._child,
        )

    def _create_interface_endpoints(
        self, vpc: aws.ec2.Vpc, private: _Tier, services: dict[str, str]
    ) -> list[pulumi.Resource]:
        if not services:
            return []
        group = aws.ec2.SecurityGroup(
            f"{self._prefix}-endpoints",
            vpc_id=vpc.id,
            description="Interface endpoints: HTTPS from the VPC",
            tags=self._tags("endpoints"),
            opts=self._child,
        )
        rule = aws.vpc.SecurityGroupIngressRule(
            f"{self._prefix}-endpoints-https",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=self._cidr,
            description="HTTPS from the VPC",
            tags=self._tags("endpoints-https"),
            opts=self._child,
        )
        interfaces = [
            aws.ec2.VpcEndpoint(
                f"{self._prefix}-endpoint-{short}",
                vpc_id=vpc.id,
                service_name=service,
                vpc_endpoint_type="Interface",
                subnet_ids=[subnet.id for subnet in private.subnets],
                security_group_ids=[group.id],
                private_dns_enabled=True,
                tags=self._tags(f"endpoint-{short}"),
                opts=self._child,
            )
            for short, service in services.items()
        ]
        return [rule, *interfaces]

    def _create_flow_logs(self, vpc: aws.ec2.Vpc, retention_days: int) -> None:
        place = Place(
            partition=aws.get_partition(opts=self._lookup).partition,
            region=self._region,
            account=aws.get_caller_identity(opts=self._lookup).account_id,
        )
        name, own_tags = f"{self._prefix}-flow-logs", self._tags("flow-logs")
        group = aws.cloudwatch.LogGroup(name, retention_in_days=retention_days, tags=own_tags, opts=self._child)
        role = aws.iam.Role(name, assume_role_policy=policies.flow_logs_trust(place), tags=own_tags, opts=self._child)
        policy = aws.iam.RolePolicy(
            name, role=role.id, policy=group.arn.apply(policies.flow_logs_write), opts=self._child
        )
        aws.ec2.FlowLog(
            name,
            vpc_id=vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=_AGGREGATION_SECONDS,
            tags=own_tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )

    def _tags(self, suffix: str) -> dict[str, str]:
        return tags.named(self._common_tags, f"{self._prefix}-{suffix}")


def _when(resources: Sequence[pulumi.CustomResource], needs: Sequence[pulumi.Resource]) -> pulumi.Output[list[str]]:
    """Ids of ``resources``, resolved when ``needs`` exist too.

    It waits for URNs, not ids: those are known at preview, so a new route does not make subnets look unknown.
    """
    if not resources:
        return pulumi.Output.from_input([])
    waited = pulumi.Output.all(*(resource.id for resource in resources), *(need.urn for need in needs))
    return waited.apply(lambda values: list(values[: len(resources)]))
