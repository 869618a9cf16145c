"""The agent's configuration: ``/etc/timonel/agent.json``, written by user data. It holds no secret."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = Path("/etc/timonel/agent.json")
VERSION = 1


class ConfigError(ValueError):
    """A configuration that the agent refuses: names the key, the value got, the rule and the reason."""


@dataclass(frozen=True)
class Secrets:
    """ARNs of the Secrets Manager secrets that this node may use."""

    workers: str
    """Worker token, manager addresses, redirect. Every node reads it."""
    ca: str | None = None
    """Certificate authority of the Docker API. Managers only."""
    managers: str | None = None
    """Manager token and autolock key. Managers only."""


@dataclass(frozen=True)
class AgentConfig:
    """What user data tells a node. The size of the cluster is not here: it would replace every node on a resize."""

    version: int
    """Always 1."""
    cluster: str
    """The cluster's id: the value of the tag ``timonel:cluster``."""
    platform: str
    """``swarm``."""
    role: str
    """``manager`` or ``worker``."""
    pool: str
    """``managers``, or the worker pool's name."""
    region: str
    """AWS region."""
    bucket: str
    """State bucket."""
    secrets: Secrets
    """ARNs of the secrets."""
    kms_key: str | None = None
    """ARN of the managers' KMS key. Managers only."""
    address_pools: tuple[str, ...] = ("10.128.0.0/12",)
    """``--default-addr-pool``: ranges that overlay networks are cut from."""
    address_pool_prefix: int = 24
    """``--default-addr-pool-mask-length``."""
    docker_bridge: str = "172.17.0.1/16"
    """``bip``: address and range of docker0."""
    gwbridge_pool: str = "172.18.0.0/16"
    """Range of ``docker_gwbridge`` and other local bridges (``default-address-pools``), cut into /24."""
    api_names: tuple[str, ...] = ()
    """Further names in the Docker API's server certificate: the load balancer's. Managers only."""
    autolock: bool = False
    """``--autolock``: the raft log's key is kept off the disk."""
    mtu: int = 1500
    """MTU of Docker's networks, 576 to 9001."""
    snapshot_minutes: int = 15
    """Minutes between raft snapshots."""
    snapshot_keep: int = 48
    """How many raft snapshots stay in the bucket."""
    rotate_token_days: int = 30
    """Days between rotations of the join tokens; 0 never rotates by schedule."""
    target_groups: tuple[str, ...] = ()
    """ARNs of the services' target groups, which a leaving node deregisters from."""
    log_group: str | None = None
    """CloudWatch log group of the containers (``awslogs``). None: json-file, capped."""
    labels: dict[str, str] = field(default_factory=dict)
    """Labels of the node in the swarm."""

    @property
    def is_manager(self) -> bool:
        """Whether this node is a manager."""
        return self.role == "manager"


_TUPLES = {"address_pools", "api_names", "target_groups"}
_TYPES: dict[str, type] = {
    "version": int, "cluster": str, "platform": str, "role": str, "pool": str, "region": str, "bucket": str,
    "kms_key": str, "address_pool_prefix": int, "docker_bridge": str, "gwbridge_pool": str, "autolock": bool,
    "mtu": int, "snapshot_minutes": int, "snapshot_keep": int, "rotate_token_days": int, "log_group": str,
}  # fmt: skip
_RANGES = {"mtu": (576, 9001), "snapshot_minutes": (1, 1440), "snapshot_keep": (2, 1000),
           "rotate_token_days": (0, 365), "address_pool_prefix": (16, 28)}  # fmt: skip
_CHOICES: dict[str, tuple[Any, ...]] = {"version": (VERSION,), "platform": ("swarm",), "role": ("manager", "worker")}


def parse(text: str) -> AgentConfig:
    """Reads a configuration.

    Raises:
        ConfigError: unknown or missing key, wrong type, value outside its range.
    """
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"agent.json is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"agent.json: got {type(raw).__name__}, must be an object")
    _check_keys("agent.json", raw, AgentConfig)
    values = {key: _value(key, value) for key, value in raw.items()}
    config = AgentConfig(**values)
    if config.is_manager:
        missing = [k for k, v in (("kms_key", config.kms_key), ("secrets.ca", config.secrets.ca),
                                  ("secrets.managers", config.secrets.managers)) if not v]  # fmt: skip
        if missing:
            raise ConfigError(f"agent.json: {', '.join(missing)} missing: a manager cannot work without")
    return config


def load(path: Path = PATH) -> AgentConfig:
    """Reads the configuration file.

    Raises:
        ConfigError: the file is absent or refused.
    """
    try:
        return parse(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is absent: user data writes it before the agent starts") from error


def _check_keys(where: str, raw: dict[str, Any], schema: type) -> None:
    fields = {f.name: f for f in dataclasses.fields(schema)}
    unknown = sorted(set(raw) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}: known are {', '.join(fields)}")
    required = [n for n, f in fields.items()
                if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]  # fmt: skip
    missing = [name for name in required if name not in raw]
    if missing:
        raise ConfigError(f"{where}: key {missing[0]!r} is missing: required")


def _value(key: str, value: Any) -> Any:
    if key == "secrets":
        if not isinstance(value, dict):
            raise ConfigError(f"secrets: got {value!r}, must be an object of ARNs")
        _check_keys("secrets", value, Secrets)
        return Secrets(**{k: _typed(f"secrets.{k}", v, str) for k, v in value.items() if v is not None})
    if key == "labels":
        if not isinstance(value, dict) or not all(isinstance(x, str) for x in (*value, *value.values())):
            raise ConfigError(f"labels: got {value!r}, must be an object of strings")
        return dict(value)
    if key in _TUPLES:
        if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
            raise ConfigError(f"{key}: got {value!r}, must be a list of strings")
        return tuple(value)
    if value is None and key in {"kms_key", "log_group"}:
        return None
    _typed(key, value, _TYPES[key])
    if key in _CHOICES and value not in _CHOICES[key]:
        raise ConfigError(f"{key}: got {value!r}, must be one of {_CHOICES[key]}")
    low, high = _RANGES.get(key, (None, None))
    if low is not None and high is not None and not low <= value <= high:
        raise ConfigError(f"{key}: got {value}, must be between {low} and {high}")
    return value


def _typed(key: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{key}: got {value!r}, must be of type {kind.__name__}")
    return value
