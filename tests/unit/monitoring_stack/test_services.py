"""The services that MonitoringStack asks for: what its options change in them."""

from typing import Any

import pytest

from components.monitoring.component import MonitoringStack
from tests.engine import Engine

ARGS: dict[str, Any] = {
    "cluster": "dev", "address": "lb", "managers": 3,
    "authority": {"access": {"region": "us-east-1"}, "secret_id": "ca", "fingerprint": "f", "certificate": "PEM"},
}  # fmt: skip


def tasks(engine: Engine, **options: Any) -> dict[str, Any]:
    """Inputs of the services by their names."""
    engine.computed["timonel:index:ServerCertificate"] = {"certificate": "PEM", "privateKey": "KEY"}
    engine.computed["timonel:index:Password"] = {"password": "p", "bcrypt": "$2b$10$hash"}
    args: Any = {**ARGS, **options}
    engine.run(lambda: MonitoringStack("m", args))
    return {r.name: r.inputs for r in engine.of("docker:index/service:Service")}


def spec(service: Any) -> dict[str, Any]:
    found: dict[str, Any] = service["taskSpec"]["containerSpec"]
    return found


def test_one_alertmanager_speaks_to_nobody(engine: Engine) -> None:
    found = tasks(engine)["m-alertmanager"]
    assert found["mode"] == {"replicated": {"replicas": 1}}
    assert "--cluster.listen-address=" in spec(found)["args"]
    assert "commands" not in spec(found), "the image's own entry point"


def test_three_find_each_other_by_the_name_of_all_replicas_and_tell_their_address_of_that_network(
    engine: Engine,
) -> None:
    found = tasks(engine, alertmanagers=3, replicas=2)
    assert found["m-prometheus"]["mode"] == {"replicated": {"replicas": 2}}
    one = found["m-alertmanager"]
    assert one["mode"] == {"replicated": {"replicas": 3}}
    assert one["taskSpec"]["placement"]["maxReplicas"] == 1, "a manager that dies takes one of them"
    assert "--cluster.peer=tasks.m-alertmanager:9094" in spec(one)["args"]
    *shell, script, name = spec(one)["commands"]
    assert (shell, name) == (["/bin/sh", "-c"], "alertmanager")
    assert '"$(hostname -i' in script and script.endswith('"$@"'), "the arguments are the program's own"
    ports = [port["publishedPort"] for port in one["endpointSpec"]["ports"]]
    assert ports == [9093], "gossip stays in the overlay network"


@pytest.mark.parametrize("removal", [None, False, True])
def test_volumes_say_that_they_may_be_removed_only_where_the_stack_says_so(
    engine: Engine, removal: bool | None
) -> None:
    options = {} if removal is None else {"enable_volume_removal": removal}
    found = tasks(engine, **options)
    for name in ("m-prometheus", "m-alertmanager"):
        [mount] = [mount for mount in spec(found[name])["mounts"] if mount["type"] == "volume"]
        labels = mount.get("volumeOptions", {}).get("labels")
        assert labels == ([{"label": "timonel.unused", "value": "remove"}] if removal else None)
