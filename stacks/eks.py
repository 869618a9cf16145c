"""``cluster.kind: eks``: from the settings to EksCluster and what is in it."""

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi

from stacks.networks import made_args, planned_args
from stacks.outputs import ClusterOutputs
from stacks.settings import EksSettings, Settings

if TYPE_CHECKING:
    from components.eks.plan import EksPlan
    from components.network.component import Network

NAME = "eks"
"""The cluster's logical name."""


class Eks:
    """What ``stacks/platform.py`` asks of a kind of cluster."""

    modules = ("components.eks.component", "components.eks.system")
    """What ``make`` imports."""

    @staticmethod
    def network_args(settings: Settings) -> Mapping[str, Any]:
        """Tags by which EKS's controllers choose subnets for load balancers; an existing VPC is never changed.

        Source: Amazon EKS User Guide, "Route internet traffic with AWS Load Balancer Controller", prerequisites.
        """
        if settings.network.existing is not None:
            return {}
        return {
            "private_subnet_tags": {"kubernetes.io/role/internal-elb": "1"},
            "public_subnet_tags": {"kubernetes.io/role/elb": "1"},
        }

    @staticmethod
    def check(settings: Settings, network: Mapping[str, Any]) -> "EksPlan":
        """Hold the settings against the components' rules, with what is known of the network before it is made."""
        from components.eks import checks  # noqa: PLC0415
        from components.eks import plan as plans  # noqa: PLC0415
        from components.errors import InputError  # noqa: PLC0415

        checks.check_zone_count("network.zone_count", network["zone_count"])
        without_ids = {"vpc_id": "", "private_subnet_ids": None}
        args = Eks._args(settings, {**without_ids, **planned_args(network)})
        today = datetime.datetime.now(datetime.UTC).date()
        plan = checks.check(args, plans.default_name(NAME), today)
        try:
            checks.check_system(Eks._system_args(settings))
        except InputError as error:
            raise InputError(f"system.{error.path}", error.got, error.rule, error.reason) from None
        return plan

    @staticmethod
    def look_up(plan: "EksPlan", region: str) -> None:
        """Hold the plan against what AWS knows."""
        from components.eks import lookups  # noqa: PLC0415

        lookups.check_instance_types(plan, region, pulumi.InvokeOptions())

    @staticmethod
    def make(settings: Settings, access: Mapping[str, str], network: "Network") -> ClusterOutputs:
        """Make the cluster, and what is in it."""
        import pulumi_aws as aws  # noqa: PLC0415
        import pulumi_kubernetes as kubernetes  # noqa: PLC0415

        from components.eks.component import EksCluster  # noqa: PLC0415
        from components.eks.system import EksSystem  # noqa: PLC0415

        args = Eks._args(settings, made_args(network))
        if access:
            args["access"] = {"region": aws.get_region().region, **access}
        cluster = EksCluster(NAME, args)
        provider_args: Any = cluster.provider_args
        provider = kubernetes.Provider(
            NAME,
            **provider_args,
            enable_server_side_apply=True,
            # What is in a cluster that is gone is gone too.
            delete_unreachable=True,
            # It calls the API when it is configured and remembers a refusal: not before the access entries are there.
            opts=pulumi.ResourceOptions(depends_on=cluster.ready),
        )
        system_args: Any = {
            **Eks._system_args(settings),
            "cluster_name": cluster.name_in_aws,
            "vpc_id": network.vpc_id,
            "access": cluster.access,
            "enable_auto_mode": args.get("enable_auto_mode", False),
        }
        system = EksSystem(
            f"{NAME}-system",
            system_args,
            cluster.lifeline,
            cluster.ready,
            pulumi.ResourceOptions(providers=[provider], depends_on=[network]),
        )
        return ClusterOutputs(
            resource=cluster,
            inside=[provider, system],
            addresses={
                "clusterEndpoint": cluster.endpoint,
                "clusterName": cluster.cluster_name,
                "oidcIssuer": cluster.oidc_issuer,
            },
            credentials={"kubeconfig": cluster.kubeconfig},
            nodes_security_group_id=cluster.nodes_security_group_id,
            services_dns=None,
            watched=None,
        )

    @staticmethod
    def _args(settings: Settings, network: Mapping[str, Any]) -> Any:
        return {
            **settings.cluster.to_args(),
            "network": dict(network),
            "enable_protection": settings.protection,
            "tags": dict(settings.tags),
        }

    @staticmethod
    def _system_args(settings: Settings) -> Any:
        assert isinstance(settings.cluster, EksSettings)  # noqa: S101 (the kind chose this class)
        return settings.cluster.system.to_args()
