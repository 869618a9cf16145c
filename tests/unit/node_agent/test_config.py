"""The agent's configuration is read strictly."""

import json
from typing import Any

import pytest

from node_agent.config import ConfigError, parse

MANAGER: dict[str, Any] = {
    "version": 1, "cluster": "b", "platform": "swarm", "role": "manager", "pool": "managers", "region": "us-east-1",
    "bucket": "b", "kms_key": "arn:k", "secrets": {"ca": "arn:c", "managers": "arn:m", "workers": "arn:w"},
    "address_pools": ["10.128.0.0/12"], "labels": {"disk": "ssd"},
}  # fmt: skip


def test_a_whole_manager_configuration_is_read_with_its_defaults() -> None:
    config = parse(json.dumps(MANAGER))
    assert config.is_manager and config.secrets.ca == "arn:c"
    assert config.mtu == 1500, "MTU 1500 unless asked: jumbo frames break across gateways"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"managers": 3}, "unknown key 'managers'"),
        ({"role": "boss"}, "role: got 'boss'"),
        ({"mtu": 9002}, "mtu: got 9002, must be between 576 and 9001"),
        ({"mtu": True}, "mtu: got True, must be of type int"),
        ({"version": 2}, "version: got 2"),
        ({"secrets": {"workers": "a", "token": "x"}}, "unknown key 'token'"),
        ({"secrets": {"workers": "a"}}, "secrets.ca, secrets.managers missing"),
        ({"labels": {"a": 1}}, "labels: got"),
        ({"api_names": "x"}, "api_names: got 'x', must be a list"),
    ],
)
def test_a_configuration_that_breaks_a_rule_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        parse(json.dumps({**MANAGER, **change}))


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="'bucket' is missing"):
        parse(json.dumps({k: v for k, v in MANAGER.items() if k != "bucket"}))


def test_a_worker_needs_no_manager_secrets() -> None:
    raw = {**MANAGER, "role": "worker", "pool": "web", "secrets": {"workers": "arn:w"}, "kms_key": None}
    assert not parse(json.dumps(raw)).is_manager
