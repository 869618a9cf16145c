"""The wiring: settings in, components made and connected, outputs out."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi

from components import timonel_provider
from components.errors import InputError
from stacks.eks import Eks
from stacks.keys import key_of_argument
from stacks.networks import made_args, planned_args
from stacks.outputs import ClusterOutputs, MonitoringOutputs, Outputs, Watched
from stacks.settings import ClusterKind, MonitoringKind, Settings

if TYPE_CHECKING:
    from components.network.component import Network
    from components.swarm.plan import SwarmPlan

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

    cluster = CLUSTERS[settings.cluster.kind]
    monitoring = MONITORING[settings.monitoring.kind]
    network_args: Any = {
        **settings.network.to_args(),
        **cluster.network_args(settings),
        "tags": dict(settings.tags),
    }
    with _named_as_settings(settings, project, "monitoring"):
        _check_pair(settings)
    with _named_as_settings(settings, project, "network"):
        check(network_args)
    with _named_as_settings(settings, project, "cluster"):
        # What ran before an error is made all the same, so every rule is held before the first component.
        plan: Any = cluster.check(settings, known(network_args))
    with _named_as_settings(settings, project, "monitoring"):
        monitoring.check(settings)
    region = _start_providers("components.network.component", *cluster.modules, *monitoring.modules)
    with _named_as_settings(settings, project, "cluster"):
        cluster.look_up(plan, region)
    from components.network.component import Network  # noqa: PLC0415

    with _named_as_settings(settings, project, "network"):
        network = Network("network", network_args)
    with _named_as_settings(settings, project, "cluster"):
        outputs = cluster.make(settings, access, network)
    with _named_as_settings(settings, project, "monitoring"):
        watching = monitoring.make(settings, outputs)
    setting = f"{project}:protection"
    # Named after the setting, since Pulumi's refusal to delete a protected resource shows the name and no more.
    timonel_provider.Protection(
        setting,
        enabled=settings.protection,
        setting=setting,
        opts=pulumi.ResourceOptions(
            protect=settings.protection, depends_on=[network, outputs.resource, *outputs.inside, *watching.resources]
        ),
    )
    return Outputs(network, outputs, watching)


class _Swarm:
    """``cluster.kind: swarm``."""

    modules = ("components.swarm.component",)
    """What ``make`` imports."""

    @staticmethod
    def network_args(settings: Settings) -> Mapping[str, Any]:
        """What the cluster asks of a new network, besides what the settings say."""
        del settings
        return {}

    @staticmethod
    def check(settings: Settings, network: Mapping[str, Any]) -> "SwarmPlan":
        """Hold the settings against the cluster's rules, with what is known of the network before it is made."""
        from components.swarm.checks import check  # noqa: PLC0415

        without_ids = {"vpc_id": "", "private_subnet_ids": []}
        if network["has_public_subnets"]:
            without_ids["public_subnet_ids"] = []
        return check(_Swarm._args(settings, {**without_ids, **planned_args(network)}))

    @staticmethod
    def look_up(plan: "SwarmPlan", region: str) -> None:
        """Hold the plan against what AWS knows."""
        from components.swarm.lookups import find_image  # noqa: PLC0415

        find_image(plan, region, pulumi.InvokeOptions())

    @staticmethod
    def make(settings: Settings, access: Mapping[str, str], network: "Network") -> ClusterOutputs:
        """Make the cluster."""
        import pulumi_aws as aws  # noqa: PLC0415

        from components.swarm.component import SwarmCluster  # noqa: PLC0415

        public = {"public_subnet_ids": network.public_subnet_ids} if network.has_public_subnets else {}
        args = _Swarm._args(settings, {**made_args(network), **public})
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
            watched=Watched(
                provider_args=swarm.provider_args,
                lifeline=swarm.lifeline,
                address=swarm.api_dns,
                authority=swarm.authority,
                client_expires=swarm.client_expires,
            ),
        )

    @staticmethod
    def _args(settings: Settings, network: Mapping[str, Any]) -> Any:
        return {
            **settings.cluster.to_args(),
            **MONITORING[settings.monitoring.kind].ports(settings),
            "network": dict(network),
            "enable_protection": settings.protection,
            "tags": dict(settings.tags),
        }


class _NoMonitoring:
    """``monitoring.kind: none``."""

    modules: ClassVar[tuple[str, ...]] = ()
    """What ``make`` imports."""

    @staticmethod
    def ports(settings: Settings) -> Mapping[str, Any]:
        """Arguments of the cluster that open the backend's ports."""
        del settings
        return {}

    @staticmethod
    def check(settings: Settings) -> None:
        """Hold the settings against the backend's rules."""

    @staticmethod
    def make(settings: Settings, cluster: ClusterOutputs) -> MonitoringOutputs:
        """Make what watches the cluster."""
        del settings, cluster
        return MonitoringOutputs()


class _Prometheus(_NoMonitoring):
    """``monitoring.kind: prometheus``."""

    modules = ("pulumi_docker", "components.monitoring.component")

    @staticmethod
    def ports(settings: Settings) -> Mapping[str, Any]:
        """Operators reach the pages, Prometheus every node."""
        from components.monitoring.configs import NODE_PORTS, operator_ports  # noqa: PLC0415

        pages = operator_ports(settings.monitoring.prometheus.to_args())
        return {"operator_ports": pages, "node_ports": list(NODE_PORTS.values())}

    @staticmethod
    def check(settings: Settings) -> None:
        """The component's rules, and that each secret which is named exists."""
        from components.monitoring.checks import check  # noqa: PLC0415

        try:
            check(_Prometheus._args(settings))
        except InputError as error:
            raise InputError(f"prometheus.{error.path}", error.got, error.rule, error.reason) from None

    @staticmethod
    def make(settings: Settings, cluster: ClusterOutputs) -> MonitoringOutputs:
        """Services of the swarm."""
        import pulumi_docker as docker  # noqa: PLC0415

        from components.monitoring.component import MonitoringStack  # noqa: PLC0415
        from components.monitoring.configs import has_grafana  # noqa: PLC0415

        watched = _watched(cluster)
        args: Any = {
            **_Prometheus._args(settings),
            "address": watched.address,
            "authority": watched.authority,
            "client_certificate_expires": watched.client_expires,
        }
        provider_args: Any = watched.provider_args
        provider = docker.Provider("swarm", **provider_args)
        stack = MonitoringStack("monitoring", args, _inside(cluster, provider))
        grafana = {"grafanaUrl": stack.grafana_url} if has_grafana(args) else {}
        return MonitoringOutputs(
            resources=[provider, stack],
            addresses={
                "prometheusUrl": stack.prometheus_url,
                "alertmanagerUrl": stack.alertmanager_url,
                **grafana,
                "monitoringUser": stack.user,
            },
            credentials={"monitoringPassword": stack.password},
        )

    @staticmethod
    def _args(settings: Settings) -> Any:
        args = settings.monitoring.prometheus.to_args()
        for name in ("dead_mans_switch", "password"):
            _reveal(settings, args, name, name)
        _reveal(settings, args.get("remote_write", {}), "secret", "remote_write.secret")
        for index, receiver in enumerate(args.get("receivers", [])):
            _reveal(settings, receiver, "secret", f"receivers[{index}].secret")
        managers = settings.cluster.to_args().get("managers", {}).get("count", 3)
        return {**args, "cluster": pulumi.get_stack(), "managers": managers}


class _Datadog(_NoMonitoring):
    """``monitoring.kind: datadog``."""

    modules = ("pulumi_docker", "components.monitoring.datadog")

    @staticmethod
    def check(settings: Settings) -> None:
        """There is a key, and each secret which is named exists."""
        if settings.monitoring.datadog is None:
            raise InputError("datadog", None, "be given", "The Agents send nothing without an API key.")
        _Datadog._args(settings)

    @staticmethod
    def make(settings: Settings, cluster: ClusterOutputs) -> MonitoringOutputs:
        """A service of the swarm; monitors and a dashboard in the account."""
        import pulumi_docker as docker  # noqa: PLC0415

        from components.monitoring.datadog import DatadogAgents, DatadogMonitors  # noqa: PLC0415

        args: Any = {**_Datadog._args(settings), "client_certificate_expires": _watched(cluster).client_expires}
        provider_args: Any = _watched(cluster).provider_args
        provider = docker.Provider("swarm", **provider_args)
        agents = DatadogAgents("monitoring", args, _inside(cluster, provider))
        return MonitoringOutputs(resources=[provider, agents, DatadogMonitors("monitoring", args)])

    @staticmethod
    def _args(settings: Settings) -> Any:
        args = settings.monitoring.datadog.to_args()
        _reveal(settings, args, "api_key", "datadog.api_key")
        return {**args, "cluster": pulumi.get_stack()}


MONITORING: Mapping[MonitoringKind, type[_NoMonitoring]] = {
    MonitoringKind.NONE: _NoMonitoring,
    MonitoringKind.PROMETHEUS: _Prometheus,
    MonitoringKind.DATADOG: _Datadog,
}
"""The one place where the monitoring backend is chosen."""


def _start_providers(*modules: str) -> str:
    """Start the providers of every stack and import modules meanwhile; gives the AWS provider's region."""
    import pulumi_aws as aws  # noqa: PLC0415

    with ThreadPoolExecutor(max_workers=1) as importer:
        imported = [importer.submit(import_module, module) for module in modules]
        timonel_provider.begin_start()
        region = aws.get_region().region
        timonel_provider.start()
    for each in imported:
        each.result()
    return region


def _inside(cluster: ClusterOutputs, provider: pulumi.ProviderResource) -> pulumi.ResourceOptions:
    """Options of what lives in the cluster: made when it is ready, gone when it goes, without asking its API."""
    return pulumi.ResourceOptions(
        providers=[provider], depends_on=[cluster.resource], deleted_with=_watched(cluster).lifeline
    )


def _watched(cluster: ClusterOutputs) -> Watched:
    assert cluster.watched is not None  # noqa: S101 (_check_pair)
    return cluster.watched


def _check_pair(settings: Settings) -> None:
    """Refuse a backend that cannot watch the kind of cluster.

    Raises:
        InputError: it cannot.
    """
    if settings.cluster.kind is ClusterKind.EKS and settings.monitoring.kind is not MonitoringKind.NONE:
        raise InputError(
            "kind",
            settings.monitoring.kind.value,
            "be none with cluster.kind eks",
            "The backends that exist are services of a swarm; those for Kubernetes are not made yet.",
        )


def _reveal(settings: Settings, args: dict[str, Any], key: str, path: str) -> None:
    """The name of a secret becomes the secret."""
    if key not in args:
        return
    name = args[key]
    if name not in settings.secrets:
        raise InputError(path, name, "name an entry of timonel:secrets", "Secrets stand there only, encrypted.")
    args[key] = pulumi.Output.secret(settings.secrets[name])


CLUSTERS: Mapping[ClusterKind, type[_Swarm] | type[Eks]] = {ClusterKind.SWARM: _Swarm, ClusterKind.EKS: Eks}
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
