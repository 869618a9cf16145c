"""The stack's settings: what ``Pulumi.<stack>.yaml`` may say under the project's namespace.

The only reader of Pulumi's configuration. A setting that a stack leaves out is left out of the component's arguments
too, so each default has one home: the component's documented one, or this file for what only stacks know.
Keys are the arguments' names in camelCase; ``Field(alias=...)`` marks the few that read better otherwise.
"""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from components.eks.args import (
    AccessEntryArgs,
    AccessPolicy,
    AmiFamily,
    Capacity,
    EksClusterArgs,
    EksSystemArgs,
    LogType,
    NodePoolArgs,
    NodeTaintArgs,
    PodIdentityArgs,
    TaintEffect,
    VolumePolicy,
)
from components.hosts.args import Architecture, ImageArgs, Purchase, WorkerPoolArgs
from components.monitoring.args import DatadogArgs, PrometheusArgs, ReceiverArgs, ReceiverKind, RemoteWriteArgs
from components.network.args import ExistingVpcArgs, NatStrategy, NetworkArgs
from components.swarm.args import ManagersArgs, PublishedPortArgs, ReadinessArgs, SwarmClusterArgs
from stacks.problems import Problem, SettingsError, misspelt_namespaces, problems_of

_left_out: Any = None
"""Default of a setting that is the component's to choose; it never reaches the arguments, and nobody may write null."""

Text = Annotated[str, Field(min_length=1)]


class ClusterKind(StrEnum):
    """The orchestrators that exist."""

    SWARM = "swarm"
    EKS = "eks"


class MonitoringKind(StrEnum):
    """The monitoring backends that exist."""

    NONE = "none"
    PROMETHEUS = "prometheus"
    DATADOG = "datadog"


class Section(BaseModel):
    """A part of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)

    arguments: ClassVar[type | None] = None
    """The component's TypedDict that this section becomes; it documents the settings."""

    def to_args(self) -> dict[str, Any]:
        """What was set, under the arguments' own names, without ``kind``."""
        return self.model_dump(exclude_unset=True, exclude={"kind"})


class ExistingVpc(Section):
    """``network.existing``."""

    arguments = ExistingVpcArgs

    vpc_id: Text
    private_subnet_ids: list[Text]
    public_subnet_ids: list[Text] = _left_out
    interface_endpoints: list[Text] = _left_out


class NetworkSettings(Section):
    """``network``."""

    arguments = NetworkArgs

    cidr: Text = _left_out
    zone_count: int = Field(_left_out, alias="zones")
    zone_names: list[Text] = _left_out
    nat: NatStrategy = _left_out
    enable_public_subnets: bool = Field(_left_out, alias="publicSubnets")
    interface_endpoints: list[Text] = _left_out
    enable_flow_logs: bool = Field(_left_out, alias="flowLogs")
    flow_log_retention_days: int = _left_out
    existing: ExistingVpc = _left_out


class ManagersSettings(Section):
    """``cluster.managers``."""

    arguments = ManagersArgs

    count: int = _left_out
    instance_type: Text = _left_out
    disk_gib: int = _left_out


class WorkerPoolSettings(Section):
    """An entry of ``cluster.workerPools``."""

    arguments = WorkerPoolArgs

    name: Text
    instance_types: list[Text] = _left_out
    min_size: int = _left_out
    max_size: int = _left_out
    purchase: Purchase = _left_out
    on_demand_base: int = _left_out
    disk_gib: int = _left_out
    target_cpu_percent: int = _left_out
    labels: dict[str, str] = _left_out


class ImageSettings(Section):
    """``cluster.image``."""

    arguments = ImageArgs

    architecture: Architecture = _left_out
    id: Text = _left_out
    preinstalled: bool = _left_out


class PublishedPortSettings(Section):
    """An entry of ``cluster.publishedPorts``."""

    arguments = PublishedPortArgs

    port: int
    target_port: int = _left_out
    cidrs: list[Text]


class ReadinessSettings(Section):
    """``cluster.readiness``."""

    arguments = ReadinessArgs

    enabled: bool = _left_out
    timeout_seconds: int = _left_out
    consecutive: int = _left_out


class SwarmSettings(Section):
    """``cluster`` with ``kind: swarm``."""

    arguments = SwarmClusterArgs

    kind: Literal[ClusterKind.SWARM] = Field(description="Required. Which orchestrator: Docker Swarm on EC2.")
    managers: ManagersSettings = _left_out
    worker_pools: list[WorkerPoolSettings] = _left_out
    image: ImageSettings = _left_out
    operator_cidrs: list[Text] = _left_out
    address_pools: list[Text] = _left_out
    address_pool_prefix: int = _left_out
    enable_overlay_encryption: bool = Field(_left_out, alias="overlayEncryption")
    enable_autolock: bool = Field(_left_out, alias="autolock")
    published_ports: list[PublishedPortSettings] = _left_out
    metadata_hop_limit: int = _left_out
    snapshot_interval_minutes: int = _left_out
    snapshot_keep: int = _left_out
    token_rotation_days: int = _left_out
    log_retention_days: int = _left_out
    readiness: ReadinessSettings = _left_out


class NodeTaintSettings(Section):
    """An entry of ``cluster.nodePools[].taints``."""

    arguments = NodeTaintArgs

    key: Text
    value: Text = _left_out
    effect: TaintEffect


class NodePoolSettings(Section):
    """An entry of ``cluster.nodePools``."""

    arguments = NodePoolArgs

    name: Text
    instance_types: list[Text] = _left_out
    capacity: Capacity = _left_out
    architecture: Architecture = _left_out
    ami_family: AmiFamily = _left_out
    labels: dict[str, str] = _left_out
    taints: list[NodeTaintSettings] = _left_out
    min_size: int = _left_out
    max_size: int = _left_out
    disk_gib: int = _left_out
    max_unavailable: int = _left_out
    enable_repair: bool = Field(_left_out, alias="repair")


class AccessEntrySettings(Section):
    """An entry of ``cluster.accessEntries``."""

    arguments = AccessEntryArgs

    name: Text
    principal_arn: Text
    policy: AccessPolicy = _left_out
    namespaces: list[Text] = _left_out
    kubernetes_groups: list[Text] = _left_out


class PodIdentitySettings(Section):
    """An entry of ``cluster.podIdentities``."""

    arguments = PodIdentityArgs

    namespace: Text
    service_account: Text
    role_arn: Text


class EksSystemSettings(Section):
    """``cluster.system``."""

    arguments = EksSystemArgs

    enable_storage_class: bool = Field(_left_out, alias="storageClass")
    volumes: VolumePolicy = _left_out
    teardown_timeout_seconds: int = _left_out


class EksSettings(Section):
    """``cluster`` with ``kind: eks``."""

    arguments = EksClusterArgs

    kind: Literal[ClusterKind.EKS] = Field(description="Required. Which orchestrator: Kubernetes by Amazon EKS.")
    cluster_name: Text = _left_out
    version: Text = _left_out
    enable_extended_support: bool = Field(_left_out, alias="extendedSupport")
    support_warning_days: int = _left_out
    public_access_cidrs: list[Text] = _left_out
    log_types: list[LogType] = _left_out
    log_retention_days: int = _left_out
    service_cidr: Text = _left_out
    enable_secrets_key: bool = Field(_left_out, alias="secretsKey")
    secrets_key_arn: Text = _left_out
    admins: list[Text] = _left_out
    access_entries: list[AccessEntrySettings] = _left_out
    node_pools: list[NodePoolSettings] = _left_out
    enable_auto_mode: bool = Field(_left_out, alias="autoMode")
    enable_ebs_csi: bool = Field(_left_out, alias="ebsCsi")
    addon_versions: dict[str, str] = _left_out
    pod_identities: list[PodIdentitySettings] = _left_out
    enable_zonal_shift: bool = Field(_left_out, alias="zonalShift")
    system: EksSystemSettings = Field(
        default_factory=EksSystemSettings, description="What is made inside the cluster, and how it is left."
    )

    def to_args(self) -> dict[str, Any]:
        """Arguments of EksCluster; ``system`` becomes another component's."""
        return {key: value for key, value in super().to_args().items() if key != "system"}


ClusterSettings = Annotated[SwarmSettings | EksSettings, Field(discriminator="kind")]


class ReceiverSettings(Section):
    """An entry of ``monitoring.prometheus.receivers``."""

    arguments = ReceiverArgs

    kind: ReceiverKind
    secret: Text = Field(
        description="Required. Name of the entry of ``timonel:secrets`` with the URL (``slack``, ``webhook``), the "
        "integration key (``pagerduty``) or the password (``email``)."
    )
    critical_only: bool = _left_out
    channel: Text = _left_out
    to: Text = _left_out
    sender: Text = _left_out
    server: Text = _left_out
    username: Text = _left_out
    url: Text = _left_out


class RemoteWriteSettings(Section):
    """``monitoring.prometheus.remoteWrite``."""

    arguments = RemoteWriteArgs

    url: Text
    username: Text = _left_out
    secret: Text = Field(_left_out, description="Name of the entry of ``timonel:secrets`` with its password.")


class PrometheusSettings(Section):
    """``monitoring.prometheus``."""

    arguments = PrometheusArgs

    replicas: int = _left_out
    alertmanagers: int = _left_out
    retention_days: int = _left_out
    retention_gib: int = _left_out
    enable_volume_removal: bool = Field(_left_out, alias="volumeRemoval")
    scrape_interval_seconds: int = _left_out
    group_wait_seconds: int = _left_out
    group_interval_seconds: int = _left_out
    repeat_hours: int = _left_out
    receivers: list[ReceiverSettings] = _left_out
    dead_mans_switch: Text = Field(
        _left_out,
        description="Name of the entry of ``timonel:secrets`` with the URL of an outside service that is called every "
        "minute and raises an alarm when the calls end: this Prometheus dies with the swarm. Default: none.",
    )
    remote_write: RemoteWriteSettings = _left_out
    password: Text = Field(
        _left_out,
        description="Name of the entry of ``timonel:secrets`` with the password of the user ``timonel``. Default: a "
        "made one.",
    )
    enable_grafana: bool = Field(_left_out, alias="grafana")


class DatadogSettings(Section):
    """``monitoring.datadog``."""

    arguments = DatadogArgs

    api_key: Text = Field(
        description="Required. Name of the entry of ``timonel:secrets`` with the API key that the Agents send with. "
        "Monitors are made with the provider's own keys (``datadog:apiKey``, ``datadog:appKey``)."
    )
    site: Text = _left_out
    further_tags: dict[str, str] = _left_out
    enable_logs: bool = Field(_left_out, alias="logs")
    enable_processes: bool = Field(_left_out, alias="processes")
    notify: list[Text] = _left_out


class MonitoringSettings(Section):
    """``monitoring``."""

    kind: MonitoringKind = Field(
        MonitoringKind.NONE,
        description="Which backend watches the cluster; it uses the settings under its name. Default ``none``.",
    )
    prometheus: PrometheusSettings = Field(
        default_factory=PrometheusSettings, description="Prometheus and Alertmanager on the cluster's managers."
    )
    datadog: DatadogSettings = Field(
        _left_out,
        description="Datadog's Agent on every node, monitors in its account. Required with ``kind: datadog``.",
    )


class Settings(Section):
    """Everything that a stack may set."""

    network: NetworkSettings = Field(
        default_factory=NetworkSettings, description="The VPC: its range, zones and way out, or an existing one."
    )
    cluster: ClusterSettings = Field(description="Required. The cluster; ``kind`` chooses the orchestrator.")
    monitoring: MonitoringSettings = Field(
        default_factory=MonitoringSettings, description="What watches the cluster; ``kind`` chooses the backend."
    )
    secrets: dict[str, str] = Field(
        default_factory=dict,
        description="Secrets that other settings name; set each by "
        "``pulumi config set --secret --path timonel:secrets.NAME``.",
    )
    tags: dict[str, str] = Field(
        default_factory=dict, description="Tags for every resource, volumes and interfaces included."
    )
    protection: bool = Field(
        False,
        description="Refuse ``destroy`` while true: state bucket, keys and load balancers are kept. Default false.",
    )


def load() -> Settings:
    """The settings of the stack that Pulumi runs.

    Raises:
        SettingsError: one error with every problem: key, value, rule, reason.
    """
    return parse(_configuration(), pulumi.get_project(), runtime_config.is_config_secret)


def load_access() -> dict[str, str]:
    """``profile`` and ``role_arn`` that the default AWS provider uses, for the provider that does not follow it.

    Raises:
        SettingsError: a chain of roles, which Timonel's own provider does not walk.
    """
    aws = pulumi.Config("aws")
    roles = aws.get_object("assumeRoles") or []
    if len(roles) > 1:
        reason = "Timonel's own provider assumes one role; chain further ones in the AWS configuration's profile."
        raise SettingsError([Problem("aws:assumeRoles", f"{len(roles)} roles", "hold one role at most", reason)])
    role = roles[0].get("roleArn") if roles else None
    return {key: value for key, value in {"profile": aws.get("profile"), "role_arn": role}.items() if value}


def parse(
    configuration: Mapping[str, str], project: str, is_secret: Callable[[str], bool] = lambda _: False
) -> Settings:
    """The settings in a full configuration map.

    Args:
        configuration: every key with its namespace (``timonel:network``); objects are JSON, as Pulumi hands them over.
        project: the namespace of the settings.
        is_secret: tells whether a key's value must not be shown.

    Raises:
        SettingsError: one error with every problem.
    """
    document = {
        key.removeprefix(f"{project}:"): _value(text)
        for key, text in configuration.items()
        if key.startswith(f"{project}:")
    }
    found: list[Problem] = misspelt_namespaces(configuration, project)
    try:
        settings = Settings.model_validate_json(json.dumps(document))
    except ValidationError as error:
        found += problems_of(error, Settings, project)
    else:
        if not found:
            return settings
    secret_keys = {key for key in configuration if is_secret(key)}
    raise SettingsError([problem.hidden_if(secret_keys) for problem in found])


def _configuration() -> Mapping[str, str]:
    """Pulumi hands an undeclared key to nobody who does not ask for it by name, so the whole map is read."""
    return runtime_config.CONFIG.get() or runtime_config.get_config_env()


def _value(text: str) -> Any:
    """Objects and lists come as JSON, scalars as their text; what is no JSON is a string."""
    try:
        return json.loads(text)
    except ValueError:
        return text
