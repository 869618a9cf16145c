"""The Docker stand-in against a real engine: every resource made, read, changed, drifted, imported and removed."""

import base64
import json
import time
from typing import Any

import pytest

from sandbox.machines.host import Host
from sandbox.providers import values
from sandbox.providers.plain import NotReadyError
from sandbox.providers.serve import InitError, ProviderError
from tests.sandbox.machines.rig import shell, until
from tests.unit.providers.plain_driver import Engine

pytestmark = pytest.mark.machines

SERVICE = "docker:index/service:Service"
SECRET = "docker:index/secret:Secret"
CONFIG = "docker:index/serviceConfig:ServiceConfig"
NETWORK = "docker:index/network:Network"
CONVERGE = {"delay": "1s", "timeout": "60s"}


def text(content: str) -> str:
    """Content as configs and secrets take it."""
    return base64.b64encode(content.encode()).decode()


def echo(**more: Any) -> dict[str, Any]:
    """Inputs of a service that answers on 8080."""
    container = {"image": "timonel/echo:1", "stopGracePeriod": "3s", **more.pop("container", {})}
    return {"taskSpec": {"containerSpec": container, **more.pop("task", {})}, "convergeConfig": CONVERGE, **more}


def same(engine: Engine, resource: Any) -> None:
    """A refresh finds no drift, twice."""
    for _ in range(2):
        answer = engine.drift(resource)
        assert not answer.changes, f"nobody changed anything: {answer.detailed_diff}"


def test_a_service_with_all_that_monitoring_needs(engine: Engine, manager: Host) -> None:
    network = engine.create(NETWORK, {"driver": "overlay", "attachable": True, "labels": [label("a", "b")]})
    config = engine.create(CONFIG, {"data": text("from the config"), "labels": [label("a", "b")]})
    secret = engine.create(SECRET, {"data": text("from the secret")})
    for resource in (network, config, secret):
        same(engine, resource)
    container = {
        "env": {"A": "1"},
        "args": [],
        "healthcheck": {"tests": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"], "interval": "1s"},
        "mounts": [
            {"type": "volume", "source": "data", "target": "/data", "volumeOptions": {"labels": [label("x", "y")]}},
            {"type": "bind", "source": "/etc", "target": "/host/etc", "readOnly": True},
            {"type": "tmpfs", "target": "/scratch", "tmpfsOptions": {"sizeBytes": 1048576}},
        ],
        "configs": [named("config", config, "/etc/conf")],
        "secrets": [{**named("secret", secret, "/run/secrets/key"), "fileMode": 0o400}],
        "capDrops": ["NET_RAW"],
    }
    task = {
        "networksAdvanceds": [{"id": network.id, "aliases": ["web"]}],
        "resources": {"limits": {"memoryBytes": 64 << 20}, "reservation": {"memoryBytes": 16 << 20}},
        "restartPolicy": {"condition": "any", "delay": "1s"},
        "placement": {"constraints": ["node.role==manager"]},
        "logDriver": {"name": "json-file", "options": {"max-size": "1m"}},
    }
    ports = {"ports": [{"targetPort": 8080, "publishedPort": 8088, "publishMode": "host"}], "mode": "dnsrr"}
    given = echo(
        container=container,
        task=task,
        endpointSpec=ports,
        labels=[label("team", "one")],
        updateConfig={"order": "stop-first", "failureAction": "rollback", "monitor": "2s"},
        rollbackConfig={"parallelism": 1},
    )
    service = engine.create(SERVICE, given)
    task_id = shell(manager, f"docker ps -q --filter label=com.docker.swarm.service.id={service.id}")
    assert task_id, "converged means that its task runs (and is healthy)"
    assert shell(manager, "curl -sf http://127.0.0.1:8088/") == task_id, "the port is published by the host"
    assert shell(manager, f"docker exec {task_id} cat /etc/conf /run/secrets/key") == "from the configfrom the secret"
    assert shell(manager, f"docker exec {task_id} ls /data /scratch /host/etc/hostname")
    same(engine, service)

    imported = engine.imported(SERVICE, service.id)
    assert imported["taskSpec"]["containerSpec"]["image"] == "timonel/echo:1"
    assert imported["endpointSpec"] == ports | {"ports": [ports["ports"][0]]}

    shell(manager, f"docker service update --detach --label-add drifted=yes {service.id}")
    answer = engine.drift(service)
    assert list(answer.detailed_diff) == ["labels"], "somebody's change shows, and only that"
    engine.update(service, given)
    same(engine, service)

    newer = engine.create(CONFIG, {"data": text("a newer config")})
    given["taskSpec"]["containerSpec"]["configs"] = [named("config", newer, "/etc/conf")]
    assert not engine.diff(service, given).replaces, "a new config rolls the service in place"
    engine.update(service, given)
    rolled = shell(manager, f"docker ps -q --filter label=com.docker.swarm.service.id={service.id}")
    assert shell(manager, f"docker exec {rolled} cat /etc/conf") == "a newer config"
    engine.delete(config)

    engine.delete(service)
    for resource in (newer, secret, network):
        engine.delete(resource)  # right behind the service: its tasks are gone
        assert not engine.refresh(resource), "a refresh finds nothing"
        engine.delete(resource)  # and a second delete is no error
    # The engine clears the containers of earlier tasks away in its own time.
    until("the volume is free", lambda: manager.run("docker", "volume", "rm", "data").returncode == 0)


def named(kind: str, resource: Any, path: str) -> dict[str, Any]:
    """A reference to a config or secret."""
    return {f"{kind}Id": resource.id, f"{kind}Name": resource.outputs["name"], "fileName": path}


def label(name: str, value: str) -> dict[str, str]:
    """A label."""
    return {"label": name, "value": value}


def test_replicas_and_global_mode(engine: Engine, manager: Host) -> None:
    service = engine.create(SERVICE, echo(mode={"replicated": {"replicas": 2}}))
    assert len(shell(manager, "docker ps -q").split()) == 2, "create ends when both run"
    engine.update(service, echo(mode={"replicated": {"replicas": 3}}))
    assert len(shell(manager, "docker ps -q").split()) == 3, "update ends when all three run"
    engine.delete(service)
    everywhere = engine.create(
        SERVICE, {"taskSpec": {"containerSpec": {"image": "timonel/echo:1"}}, "mode": {"global": True}}
    )
    same(engine, everywhere)
    until("the global task runs", lambda: len(shell(manager, "docker ps -q").split()) == 1)
    engine.delete(everywhere)
    assert not shell(manager, "docker ps -q"), "delete ends when the tasks have ended"


def test_a_service_that_does_not_start_says_its_name_and_its_tasks_error_and_is_removed(engine: Engine) -> None:
    given = echo(container={"image": "timonel/no-such-image:1"}) | {"convergeConfig": {"delay": "1s", "timeout": "8s"}}
    start = time.monotonic()
    with pytest.raises(ProviderError) as failure:
        engine.create(SERVICE, given, name="broken")
    told = str(failure.value)
    assert "broken-" in told and "not converged within 8s: 0 of 1 tasks run" in told, told
    assert "No such image: timonel/no-such-image:1" in told, told
    assert time.monotonic() - start < 60, "it gave up after its own time-out, not the provider's"


def test_an_update_that_fails_is_rolled_back_by_the_swarm_and_tried_again_next_time(engine: Engine) -> None:
    good = echo(updateConfig={"failureAction": "rollback", "monitor": "2s"})
    service = engine.create(SERVICE, good)
    bad = json.loads(json.dumps(good))
    bad["taskSpec"]["containerSpec"]["commands"] = ["/bin/false"]
    with pytest.raises((InitError, NotReadyError)) as failure:
        engine.update(service, bad)
    assert "the update was rolled back" in str(failure.value)
    assert "non-zero exit (1)" in str(failure.value)
    kept = failure.value
    assert isinstance(kept, InitError) and kept.resource_id == service.id, "the engine keeps it, as not ready"
    engine.update(service, good)
    engine.delete(service)


def test_a_secrets_content_reaches_no_message_and_no_plain_state(engine: Engine, manager: Host) -> None:
    data = text("hush-hush-content")
    secret = engine.create(SECRET, {"data": data}, name="hush")
    assert secret.state["data"].is_secret
    assert engine.refresh(secret) and secret.state["data"].is_secret
    assert "hush-hush" not in shell(manager, f"docker secret inspect {secret.id}")
    with pytest.raises(ProviderError) as failure:  # the same name again
        engine.create(SECRET, {"data": data, "name": secret.outputs["name"]})
    assert data not in str(failure.value) and secret.outputs["name"] in str(failure.value)
    with pytest.raises(ProviderError, match="cannot be imported"):
        engine.imported(SECRET, secret.id)
    engine.delete(secret)


def test_a_config_is_imported_with_its_content(engine: Engine) -> None:
    config = engine.create(CONFIG, {"data": text("content")})
    assert engine.imported(CONFIG, config.id)["data"] == text("content")
    assert values.from_wire(config.state)[0]["name"].startswith("thing-")
    engine.delete(config)
