"""The host groups of a swarm: managers and worker pools, with what each may do and is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tags
from components.hosts.args import HostGroupArgs
from components.hosts.artefact import Artefact
from components.hosts.group import HostGroup
from components.hosts.images import MachineImage
from components.hosts.policies import Place
from components.hosts.role import HostRole
from components.hosts.user_data import NodeScript, render
from components.swarm import agent_config, policies
from components.swarm.agent_config import ManagerFacts, NodeFacts
from components.swarm.plan import PoolPlan, SwarmPlan
from components.swarm.security import SwarmSecurity
from components.swarm.spread import ManagerGroup, manager_groups
from components.swarm.state import SwarmState


@dataclass(frozen=True)
class Nodes:
    """Makes the groups as children of a cluster; holds what they share."""

    name: str
    """Logical name of the cluster."""
    plan: SwarmPlan
    place: Place
    image: MachineImage
    agent: Artefact
    state: SwarmState
    security: SwarmSecurity
    subnet_ids: pulumi.Output[list[pulumi.Input[str]]]
    """One private subnet per zone."""
    service_targets: Sequence[pulumi.Output[str]]
    """Target groups of the published ports."""
    tags: Mapping[str, pulumi.Input[str]]
    child: pulumi.ResourceOptions

    def create_managers(
        self,
        role: HostRole,
        *,
        api_dns: pulumi.Output[str],
        api_targets: Sequence[pulumi.Output[str]],
        authority: pulumi.Output[str],
    ) -> list[HostGroup]:
        """One group, or one per zone.

        Args:
            role: the managers' role; it gets its policy here.
            api_dns: name of the Docker API's balancer, for the server certificates.
            api_targets: its target groups.
            authority: an output of the certificate authority, so that no manager boots before it is there.
        """
        services = [] if self.plan.pools else self.service_targets  # without workers, managers run the services
        own = pulumi.Output.all(
            ca_secret=self.state.ca_secret_arn,
            managers_secret=self.state.managers_secret_arn,
            kms_key=self.state.key_arn,
            api_name=api_dns,
        )
        user_data = pulumi.Output.all(self._facts(services), own, authority).apply(
            lambda known: self._render(known[0], agent_config.manager(self.plan, known[0], ManagerFacts(**known[1])))
        )
        profile_arn = self._attach(role, policies.manager, services)

        def create(group: ManagerGroup) -> HostGroup:
            args = self._host_args("manager", "managers", (group.size, group.size), profile_arn, user_data)
            args["instance_types"] = [self.plan.manager_type]
            args["disk_gib"] = self.plan.manager_disk_gib
            args["subnet_ids"] = self.subnet_ids.apply(lambda ids: [ids[zone] for zone in group.zones])
            args["security_group_ids"] = [self.security.nodes_id, self.security.managers_id]
            args["target_group_arns"] = [*api_targets, *services]
            args["enable_quorum_care"] = True
            return HostGroup(f"{self.name}-{group.suffix}", args, self.child)

        return [create(group) for group in manager_groups(self.plan.manager_count, len(self.plan.zones))]

    def create_workers(self, role: HostRole) -> list[HostGroup]:
        """One group per pool, each over all zones.

        Args:
            role: the workers' role; it gets its policy here.
        """
        profile_arn = self._attach(role, policies.worker, self.service_targets)
        return [self._create_pool(pool, profile_arn) for pool in self.plan.pools]

    def _create_pool(self, pool: PoolPlan, profile_arn: pulumi.Output[str]) -> HostGroup:
        user_data = self._facts(self.service_targets).apply(
            lambda facts: self._render(facts, agent_config.worker(pool, facts))
        )
        args = self._host_args("worker", pool.name, (pool.min_size, pool.max_size), profile_arn, user_data)
        args["instance_types"] = pool.instance_types
        args["disk_gib"] = pool.disk_gib
        args["purchase"] = pool.purchase
        args["on_demand_base"] = pool.on_demand_base
        args["target_group_arns"] = list(self.service_targets)
        if pool.target_cpu_percent is not None:
            args["target_cpu_percent"] = pool.target_cpu_percent
        return HostGroup(f"{self.name}-workers-{pool.name}", args, self.child)

    def _host_args(
        self,
        role: str,
        pool: str,
        sizes: tuple[int, int],
        profile_arn: pulumi.Output[str],
        user_data: pulumi.Output[str],
    ) -> HostGroupArgs:
        return {
            "min_size": sizes[0],
            "max_size": sizes[1],
            "instance_types": [],
            "image_id": self.image.id,
            "root_device_name": self.image.root_device_name,
            "disk_gib": 0,
            "subnet_ids": self.subnet_ids,
            "security_group_ids": [self.security.nodes_id],
            "instance_profile_arn": profile_arn,
            "user_data": user_data,
            "tags": {**self.tags, tags.CLUSTER: self.state.bucket, tags.ROLE: role, tags.POOL: pool},
            "metadata_hop_limit": self.plan.metadata_hop_limit,
        }

    def _attach(
        self,
        role: HostRole,
        policy: Callable[[Place, policies.State, Sequence[str]], str],
        target_groups: Sequence[pulumi.Output[str]],
    ) -> pulumi.Output[str]:
        state = pulumi.Output.all(
            bucket=self.state.bucket,
            key_arn=self.state.key_arn,
            ca_secret_arn=self.state.ca_secret_arn,
            managers_secret_arn=self.state.managers_secret_arn,
            workers_secret_arn=self.state.workers_secret_arn,
            log_group_arn=self.state.log_group_arn,
        )
        return role.attach(
            pulumi.Output.all(state, pulumi.Output.all(*target_groups)).apply(
                lambda known: policy(self.place, policies.State(**known[0]), known[1])
            )
        )

    def _facts(self, target_groups: Sequence[pulumi.Output[str]]) -> pulumi.Output[NodeFacts]:
        return pulumi.Output.all(
            bucket=self.state.bucket,
            log_group=self.state.log_group_name,
            workers_secret=self.state.workers_secret_arn,
            target_groups=pulumi.Output.all(*target_groups),
            uploaded=self.state.agent.key,  # no node starts before the agent is there to be fetched
        ).apply(
            lambda known: NodeFacts(
                region=self.place.region,
                bucket=known["bucket"],
                log_group=known["log_group"],
                workers_secret=known["workers_secret"],
                target_groups=list(known["target_groups"]),
            )
        )

    def _render(self, facts: NodeFacts, config: dict[str, Any]) -> str:
        return render(
            NodeScript(
                region=facts.region,
                bucket=facts.bucket,
                artefact_key=self.agent.key,
                artefact_sha256=self.agent.sha256,
                agent_config=config,
                preinstalled=self.plan.preinstalled,
            )
        )
