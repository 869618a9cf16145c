"""SwarmCluster: Docker Swarm on EC2 that heals itself."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from components import naming, tags
from components.cluster import Platform
from components.hosts import artefact, images
from components.hosts.artefact import Artefact
from components.hosts.group import HostGroup
from components.hosts.policies import Place
from components.hosts.role import HostRole
from components.swarm import addresses, checks, lookups
from components.swarm.args import ReadinessArgs, SwarmClusterArgs
from components.swarm.balancer import TcpBalancer, TcpPortArgs
from components.swarm.nodes import Nodes
from components.swarm.security import DOCKER_API_PORT, HEALTH_PORT, SwarmSecurity
from components.swarm.state import SwarmState
from components.timonel_provider import (
    AuthorityArgs,
    AwsAccessArgs,
    CertificateAuthority,
    ClientCertificate,
    ClosingMark,
    ReadyCluster,
)


class SwarmCluster(pulumi.ComponentResource):
    """Managers and workers in Auto Scaling groups that form one swarm and keep it, with no hand on them.

    The node agent does the forming, healing and leaving; this component gives it a place to write to, the rights to do
    so and nothing more. It makes no VPC, deploys no service, and does not update Docker on running nodes (a new image
    or a change of user data replaces them, managers one at a time).
    """

    endpoint: pulumi.Output[str]
    """Docker API, ``tcp://HOST:2376``, mutual TLS."""
    nodes_security_group_id: pulumi.Output[str]
    """Security group that every node is in."""
    state_bucket: pulumi.Output[str]
    """Name of the state bucket, which is the cluster's id."""
    services_dns: pulumi.Output[str]
    """Name of the load balancer of the published ports; empty without them."""
    ca_certificate: pulumi.Output[str]
    """Certificate of the authority that signs the Docker API's certificates, PEM."""
    client_certificate: pulumi.Output[str]
    """Certificate that the Docker API takes, PEM."""
    client_private_key: pulumi.Output[str]
    """Secret. Its key, PEM."""
    manager_group_names: pulumi.Output[list[str]]
    """Auto Scaling groups of the managers."""
    worker_group_names: pulumi.Output[list[str]]
    """Auto Scaling groups of the worker pools, in their order."""
    log_group_name: pulumi.Output[str]
    """Log group of the containers."""

    def __init__(self, name: str, args: SwarmClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the cluster.

        Args:
            name: logical name, at most 17 characters; load balancers and groups are called after it.
            args: see :class:`SwarmClusterArgs`.
            opts: resource options.

        Raises:
            InputError: an argument that cannot work, before any resource is registered.
        """
        naming.check_component_name(name)
        self._plan = checks.check(args)
        super().__init__("timonel:index:SwarmCluster", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self._tags: dict[str, pulumi.Input[str]] = {**tags.common(self._plan.tags)}
        for warning in checks.warnings(self._plan):
            pulumi.log.warn(warning, self)

        self._place = self._find_place()
        self._image = self._find_image()
        self._access = args.get("access", AwsAccessArgs(region=self._place.region))
        agent = artefact.build()
        roles = {role: self._create_role(role) for role in ("manager", "worker")}
        self._state = self._create_state(roles["manager"], agent)
        self._security = self._create_security()
        authority = self._create_authority()
        client = self._create_client(authority)
        api = self._create_api_balancer()
        services = self._create_services_balancer()
        nodes = self._create_nodes(services.target_group_arns if services else [], agent)
        managers = nodes.create_managers(
            roles["manager"], api_dns=api.dns_name, api_targets=api.target_group_arns, authority=authority.fingerprint
        )
        workers = nodes.create_workers(roles["worker"])
        mark = ClosingMark(
            f"{name}-closing",
            access=self._access,
            bucket=self._state.bucket,
            # It is deleted before what it depends on: agents see the mark before their instances go.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*managers, *workers, self._state, self._security]),
        )
        self._create_gate(args.get("readiness", {}), managers, workers, mark)

        self._api, self._authority, self._client = api, authority, client
        self.endpoint = pulumi.Output.format("tcp://{0}:{1}", api.dns_name, DOCKER_API_PORT)
        self.nodes_security_group_id = self._security.nodes_id
        self.state_bucket = self._state.bucket
        self.services_dns = services.dns_name if services else pulumi.Output.from_input("")
        self.ca_certificate = authority.certificate
        self.client_certificate = client.certificate
        self.client_private_key = pulumi.Output.secret(client.private_key)
        self.manager_group_names = pulumi.Output.all(*[group.group_name for group in managers])
        self.worker_group_names = pulumi.Output.all(*[group.group_name for group in workers])
        self.log_group_name = self._state.log_group_name
        self.register_outputs(
            {
                "endpoint": self.endpoint,
                "nodes_security_group_id": self.nodes_security_group_id,
                "state_bucket": self.state_bucket,
                "services_dns": self.services_dns,
                "ca_certificate": self.ca_certificate,
                "client_certificate": self.client_certificate,
                "client_private_key": self.client_private_key,
                "manager_group_names": self.manager_group_names,
                "worker_group_names": self.worker_group_names,
                "log_group_name": self.log_group_name,
            }
        )

    # The Cluster protocol, besides endpoint and nodes_security_group_id

    @property
    def platform(self) -> Platform:
        """Which API the cluster speaks."""
        return Platform.SWARM

    @property
    def provider_args(self) -> Mapping[str, pulumi.Input[str]]:
        """Secret. Arguments of a docker provider."""
        return {
            "host": self.endpoint,
            "ca_material": self.ca_certificate,
            "cert_material": self.client_certificate,
            "key_material": self.client_private_key,
        }

    @property
    def lifeline(self) -> pulumi.Resource:
        """The state bucket: a cluster with another one is another cluster."""
        return self._state.lifeline

    # For what is put into the cluster

    @property
    def api_dns(self) -> pulumi.Output[str]:
        """Name of the load balancer of the Docker API and the operators' ports."""
        return self._api.dns_name

    @property
    def authority(self) -> AuthorityArgs:
        """The cluster's authority, for further certificates."""
        return {
            "access": self._access,
            "secret_id": self._state.ca_secret_arn,
            "fingerprint": self._authority.fingerprint,
            "certificate": self._authority.certificate,
        }

    @property
    def client_expires(self) -> pulumi.Output[str]:
        """When the client certificate ends, RFC 3339."""
        return self._client.expires

    # What is looked up

    def _find_place(self) -> Place:
        lookup = pulumi.InvokeOptions(parent=self)
        return Place(
            partition=aws.get_partition(opts=lookup).partition,
            region=aws.get_region(opts=lookup).region,
            account=aws.get_caller_identity(opts=lookup).account_id,
        )

    def _find_image(self) -> images.MachineImage:
        return lookups.find_image(self._plan, self._place.region, pulumi.InvokeOptions(parent=self))

    # What is made

    def _create_role(self, role: str) -> HostRole:
        return HostRole(
            f"{self._name}-{role}",
            {"description": f"A {role} of the swarm {self._name}", "tags": self._tags},
            self._child,
        )

    def _create_state(self, managers: HostRole, agent: Artefact) -> SwarmState:
        return SwarmState(
            f"{self._name}-state",
            {
                "manager_role_arn": managers.arn,
                "log_retention_days": self._plan.log_retention_days,
                "enable_protection": self._plan.protection,
                "tags": self._tags,
            },
            self._place,
            agent,
            self._child,
        )

    def _create_security(self) -> SwarmSecurity:
        return SwarmSecurity(
            f"{self._name}-security",
            {
                "vpc_id": self._args["network"]["vpc_id"],
                "vpc_cidr": self._plan.vpc_cidr,
                "operator_cidrs": self._plan.operator_cidrs,
                "operator_ports": self._plan.operator_ports,
                "node_ports": self._plan.node_ports,
                "enable_overlay_encryption": self._plan.overlay_encryption,
                "tags": self._tags,
            },
            self._plan.ports,
            self._child,
        )

    def _create_authority(self) -> CertificateAuthority:
        return CertificateAuthority(
            f"{self._name}-ca",
            access=self._access,
            secret_id=self._state.ca_secret_arn,
            common_name=f"{self._name} Docker API",
            opts=self._child,
        )

    def _create_client(self, authority: CertificateAuthority) -> ClientCertificate:
        return ClientCertificate(
            f"{self._name}-client",
            access=self._access,
            authority_secret_id=self._state.ca_secret_arn,
            authority_fingerprint=authority.fingerprint,
            common_name=f"{self._name} operator",
            opts=self._child,
        )

    def _create_api_balancer(self) -> TcpBalancer:
        port: TcpPortArgs = {
            "name": f"{self._name}-api",
            "port": DOCKER_API_PORT,
            "target_port": DOCKER_API_PORT,
            "preserve_client_ip": False,
            # An open port is not enough: the manager must have a leader.
            "health_port": HEALTH_PORT,
            "health_path": "/healthz",
        }
        others: list[TcpPortArgs] = [
            {"name": f"{self._name}-o{number}", "port": number, "target_port": number, "preserve_client_ip": False}
            for number in self._plan.operator_ports
        ]
        return self._create_balancer("api", [port, *others], self._plan.operator_cidrs, self._security.api_id)

    def _create_services_balancer(self) -> TcpBalancer | None:
        if self._security.services_id is None:
            return None
        ports: list[TcpPortArgs] = [
            {
                "name": f"{self._name}-p{port.port}",
                "port": port.port,
                "target_port": port.target_port,
                "preserve_client_ip": True,
            }
            for port in self._plan.ports
        ]
        cidrs = [cidr for port in self._plan.ports for cidr in port.cidrs]
        return self._create_balancer("svc", ports, cidrs, self._security.services_id)

    def _create_balancer(
        self, suffix: str, ports: list[TcpPortArgs], cidrs: Sequence[str], security_group_id: pulumi.Input[str]
    ) -> TcpBalancer:
        network = self._args["network"]
        faces_internet = self._plan.has_public_subnets and any(addresses.is_public(cidr) for cidr in cidrs)
        subnet_ids = network["public_subnet_ids"] if faces_internet else network["private_subnet_ids"]
        return TcpBalancer(
            f"{self._name}-{suffix}",
            {
                "vpc_id": network["vpc_id"],
                "subnet_ids": subnet_ids,
                "is_internal": not faces_internet,
                "security_group_id": security_group_id,
                "ports": ports,
                "enable_protection": self._plan.protection,
                "tags": self._tags,
            },
            self._child,
        )

    def _create_nodes(self, targets: Sequence[pulumi.Output[str]], agent: Artefact) -> Nodes:
        return Nodes(
            name=self._name,
            plan=self._plan,
            place=self._place,
            image=self._image,
            agent=agent,
            state=self._state,
            security=self._security,
            subnet_ids=pulumi.Output.from_input(self._args["network"]["private_subnet_ids"]),
            service_targets=targets,
            tags=self._tags,
            child=self._child,
        )

    def _create_gate(
        self, readiness: ReadinessArgs, managers: Sequence[HostGroup], workers: Sequence[HostGroup], mark: ClosingMark
    ) -> None:
        if not readiness.get("enabled", True):
            return
        sizes = {f"pool {pool.name}": f"{pool.min_size}-{pool.max_size}" for pool in self._plan.pools}
        ReadyCluster(
            f"{self._name}-ready",
            access=self._access,
            bucket=self._state.bucket,
            manager_groups=[group.group_name for group in managers],
            worker_groups=[group.group_name for group in workers],
            managers=self._plan.manager_count,
            triggers={
                **sizes,
                **{f"group {index}": group.template_version for index, group in enumerate([*managers, *workers])},
            },
            timeout_seconds=int(readiness.get("timeout_seconds", 1800)),
            consecutive=int(readiness.get("consecutive", 3)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[mark]),
        )
