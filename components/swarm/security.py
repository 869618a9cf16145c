"""SwarmSecurity: who may talk to whom."""

from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components import tags
from components.swarm.plan import PortPlan

DOCKER_API_PORT = 2376
HEALTH_PORT = 2378
_ANYWHERE = "0.0.0.0/0"

NODE_TRAFFIC = (("gossip-tcp", "tcp", 7946), ("gossip-udp", "udp", 7946), ("overlay", "udp", 4789))
"""Among the nodes. 2377/tcp is the managers' own. Source: Docker documentation, swarm tutorial, "Open protocols and
ports between the hosts"."""


class SwarmSecurityArgs(TypedDict):
    """Arguments of SwarmSecurity."""

    vpc_id: pulumi.Input[str]
    """Required."""
    vpc_cidr: str
    """Required. The VPC may reach the Docker API's balancer."""
    operator_cidrs: list[str]
    """Required. So may these."""
    operator_ports: list[int]
    """Required. Ports of the managers that the same may reach through the balancer."""
    node_ports: list[int]
    """Required. TCP ports open among the nodes besides Swarm's own."""
    enable_overlay_encryption: bool
    """Required. Open ESP (IP protocol 50) among the nodes."""
    tags: dict[str, pulumi.Input[str]]
    """Required. Tags besides ``Name``."""


class SwarmSecurity(pulumi.ComponentResource):
    """Security groups of nodes, managers and load balancers, and their rules.

    A rule is a resource of its own: groups name each other, and inline rules would undo those of other programs.
    """

    nodes_id: pulumi.Output[str]
    """Every node is in it."""
    managers_id: pulumi.Output[str]
    """Managers are in it besides."""
    api_id: pulumi.Output[str]
    """The Docker API's load balancer."""
    services_id: pulumi.Output[str] | None
    """The services' load balancer; None without published ports."""

    def __init__(
        self,
        name: str,
        args: SwarmSecurityArgs,
        ports: list[PortPlan],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make groups and rules.

        Args:
            name: logical name.
            args: see :class:`SwarmSecurityArgs`.
            ports: published ports.
            opts: resource options.
        """
        super().__init__("timonel:index:SwarmSecurity", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)

        nodes = self._create_group("nodes", "Nodes of the swarm")
        managers = self._create_group("managers", "Managers of the swarm")
        api = self._create_group("api", "Load balancer of the Docker API")
        self._create_node_rules(nodes, managers)
        self._create_api_rules(api, managers)
        services = self._create_services(nodes, ports) if ports else None

        self.nodes_id = nodes.id
        self.managers_id = managers.id
        self.api_id = api.id
        self.services_id = services.id if services else None
        self.register_outputs({"nodes_id": self.nodes_id, "managers_id": self.managers_id, "api_id": self.api_id})

    def _create_node_rules(self, nodes: aws.ec2.SecurityGroup, managers: aws.ec2.SecurityGroup) -> None:
        for suffix, protocol, port in NODE_TRAFFIC:
            self._allow_in(f"nodes-{suffix}", nodes, protocol, port, source=nodes)
        for port in self._args["node_ports"]:
            self._allow_in(f"nodes-tcp-{port}", nodes, "tcp", port, source=nodes)
        if self._args["enable_overlay_encryption"]:
            self._allow_in("nodes-esp", nodes, "50", None, source=nodes)
        self._allow_in("managers-raft", managers, "tcp", 2377, source=nodes)
        # Out to anywhere: AWS, registries, and whatever the services call, which Timonel cannot know.
        self._allow_out("nodes-out", nodes, "-1", None, cidr=_ANYWHERE)

    def _create_api_rules(self, api: aws.ec2.SecurityGroup, managers: aws.ec2.SecurityGroup) -> None:
        self._allow_in("api-vpc", api, "tcp", DOCKER_API_PORT, cidr=self._args["vpc_cidr"])
        for cidr in self._args["operator_cidrs"]:
            if cidr != self._args["vpc_cidr"]:
                self._allow_in(f"api-{cidr}", api, "tcp", DOCKER_API_PORT, cidr=cidr)
        for port in self._args["operator_ports"]:
            for cidr in dict.fromkeys([self._args["vpc_cidr"], *self._args["operator_cidrs"]]):
                self._allow_in(f"api-{port}-{cidr}", api, "tcp", port, cidr=cidr)
        operator_ports = [(str(port), port) for port in self._args["operator_ports"]]
        for suffix, port in (("docker", DOCKER_API_PORT), ("health", HEALTH_PORT), *operator_ports):
            self._allow_out(f"api-{suffix}-out", api, "tcp", port, target=managers)
            self._allow_in(f"managers-{suffix}", managers, "tcp", port, source=api)

    def _create_services(self, nodes: aws.ec2.SecurityGroup, ports: list[PortPlan]) -> aws.ec2.SecurityGroup:
        services = self._create_group("services", "Load balancer of published ports")
        for port in ports:
            for cidr in port.cidrs:
                self._allow_in(f"services-{port.port}-{cidr}", services, "tcp", port.port, cidr=cidr)
        for target_port in sorted({port.target_port for port in ports}):
            self._allow_out(f"services-{target_port}-out", services, "tcp", target_port, target=nodes)
            self._allow_in(f"nodes-{target_port}", nodes, "tcp", target_port, source=services)
        return services

    def _create_group(self, suffix: str, description: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            f"{self._name}-{suffix}",
            description=description,  # AWS cannot change it: another text would replace the group
            vpc_id=self._args["vpc_id"],
            tags=self._tags(suffix),
            opts=self._child,
        )

    def _tags(self, suffix: str) -> dict[str, pulumi.Input[str]]:
        return tags.named(self._args["tags"], f"{self._name}-{suffix}")

    def _allow_in(
        self,
        suffix: str,
        group: aws.ec2.SecurityGroup,
        protocol: str,
        port: int | None,
        *,
        source: aws.ec2.SecurityGroup | None = None,
        cidr: str | None = None,
    ) -> None:
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-{suffix}",
            security_group_id=group.id,
            ip_protocol=protocol,
            from_port=port,
            to_port=port,
            referenced_security_group_id=source.id if source else None,
            cidr_ipv4=cidr,
            tags=self._tags(suffix),
            opts=self._child,
        )

    def _allow_out(
        self,
        suffix: str,
        group: aws.ec2.SecurityGroup,
        protocol: str,
        port: int | None,
        *,
        target: aws.ec2.SecurityGroup | None = None,
        cidr: str | None = None,
    ) -> None:
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{suffix}",
            security_group_id=group.id,
            ip_protocol=protocol,
            from_port=port,
            to_port=port,
            referenced_security_group_id=target.id if target else None,
            cidr_ipv4=cidr,
            tags=self._tags(suffix),
            opts=self._child,
        )
