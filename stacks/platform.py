"""The wiring: settings in, components made and connected, outputs out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pulumi

from components.errors import InputError
from components.timonel_provider import Protection
from stacks.keys import key_of_argument
from stacks.outputs import ClusterOutputs, Outputs
from stacks.settings import ClusterKind, Settings

if TYPE_CHECKING:
    from components.network.component import Network

# Components are imported by the function that makes them: a stack pays for the services of its own branch only.


def build(settings: Settings, access: Mapping[str, str], project: str) -> Outputs:
    """Make everything that the settings ask for.

    Args:
        settings: the stack's settings.
        access: ``profile`` and ``role_arn`` of the AWS provider, where set.
        project: the settings' namespace, for errors.

    Raises:
        InputError: a setting that a component refuses, by the setting's key; before any resource is made.
    """
    from components.network.checks import check, known  # noqa: PLC0415
    from components.network.component import Network  # noqa: PLC0415

    network_args: Any = {**settings.network.to_args(), "tags": dict(settings.tags)}
    cluster = CLUSTERS[settings.cluster.kind]
    with _named_as_settings(settings, project, "network"):
        check(network_args)
    with _named_as_settings(settings, project, "cluster"):
        # What ran before an error is made all the same, so every rule is held before the first component.
        cluster.check(settings, known(network_args))
    with _named_as_settings(settings, project, "network"):
        network = Network("network", network_args)
    with _named_as_settings(settings, project, "cluster"):
        outputs = cluster.make(settings, access, network)
    setting = f"{project}:protection"
    # Named after the setting, since Pulumi's refusal to delete a protected resource shows the name and no more.
    Protection(
        setting,
        enabled=settings.protection,
        setting=setting,
        opts=pulumi.ResourceOptions(protect=settings.protection, depends_on=[network, outputs.resource]),
    )
    return Outputs(network, outputs)


class _Swarm:
    """``cluster.kind: swarm``."""

    @staticmethod
    def check(settings: Settings, network: Mapping[str, Any]) -> None:
        """Hold the settings against the cluster's rules, with what is known of the network before it is made."""
        import pulumi_aws as aws  # noqa: PLC0415

        from components.swarm.checks import check  # noqa: PLC0415
        from components.swarm.lookups import find_image  # noqa: PLC0415

        without_ids = {"vpc_id": "", "private_subnet_ids": []}
        if network["has_public_subnets"]:
            without_ids["public_subnet_ids"] = []
        shared = ("cidr", "zones", "has_internet_egress", "interface_endpoints")
        plan = check(_Swarm._args(settings, {**without_ids, **{key: network[key] for key in shared}}))
        find_image(plan, aws.get_region().region, pulumi.InvokeOptions())

    @staticmethod
    def make(settings: Settings, access: Mapping[str, str], network: "Network") -> ClusterOutputs:
        """Make the cluster."""
        import pulumi_aws as aws  # noqa: PLC0415

        from components.swarm.component import SwarmCluster  # noqa: PLC0415

        args = _Swarm._args(
            settings,
            {
                "vpc_id": network.vpc_id,
                "cidr": network.cidr,
                "zones": network.zones,
                "private_subnet_ids": network.private_subnet_ids,
                **({"public_subnet_ids": network.public_subnet_ids} if network.has_public_subnets else {}),
                "has_internet_egress": network.has_internet_egress,
                "interface_endpoints": network.interface_endpoints,
            },
        )
        if access:
            args["access"] = {"region": aws.get_region().region, **access}
        swarm = SwarmCluster("swarm", args)
        return ClusterOutputs(
            resource=swarm,
            addresses={"dockerHost": swarm.endpoint},
            credentials={
                "dockerCaCertificate": swarm.ca_certificate,
                "dockerClientCertificate": swarm.client_certificate,
                "dockerClientPrivateKey": swarm.client_private_key,
            },
            nodes_security_group_id=swarm.nodes_security_group_id,
            services_dns=swarm.services_dns if "published_ports" in args else None,
        )

    @staticmethod
    def _args(settings: Settings, network: Mapping[str, Any]) -> Any:
        return {
            **settings.cluster.to_args(),
            "network": dict(network),
            "enable_protection": settings.protection,
            "tags": dict(settings.tags),
        }


CLUSTERS: Mapping[ClusterKind, type[_Swarm]] = {ClusterKind.SWARM: _Swarm}
"""The one place where the orchestrator is chosen."""


@contextmanager
def _named_as_settings(settings: Settings, project: str, section: str) -> Iterator[None]:
    """Errors of a component name its arguments; the user knows the settings' keys."""
    try:
        yield
    except InputError as error:
        raise InputError(
            key_of_argument(settings, project, section, error.path), error.got, error.rule, error.reason
        ) from None
