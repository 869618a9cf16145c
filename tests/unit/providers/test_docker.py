"""The Docker stand-in without a Docker: names and types, rules, diffs, durations, the two directions of the table."""

import asyncio
import base64
from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk

from sandbox.providers import values
from sandbox.providers.docker import fields
from sandbox.providers.docker.fields import SERVICE, UNSUPPORTED, decode, duration, encode, nanoseconds
from sandbox.providers.docker.provider import KINDS, DockerProvider
from sandbox.providers.docker.service import followed, from_spec, to_spec
from sandbox.providers.schema import Package
from sandbox.providers.serve import ProviderError
from tests.unit.providers.plain_driver import Engine, Resource

PACKAGE = Package("docker")
SERVICE_TOKEN = "docker:index/service:Service"
SECRET_TOKEN = "docker:index/secret:Secret"
CONFIG_TOKEN = "docker:index/serviceConfig:ServiceConfig"
BASIC: dict[str, Any] = {"taskSpec": {"containerSpec": {"image": "timonel/echo:1"}}}
FULL: dict[str, Any] = {
    "name": "web",
    "labels": [{"label": "b", "value": "2"}, {"label": "a", "value": "1"}],
    "mode": {"replicated": {"replicas": 3}},
    "convergeConfig": {"delay": "1s", "timeout": "90s"},
    "updateConfig": {"parallelism": 2, "delay": "1m30s", "failureAction": "rollback", "maxFailureRatio": "0.25"},
    "rollbackConfig": {"order": "start-first"},
    "endpointSpec": {"mode": "dnsrr", "ports": [{"targetPort": 80, "publishedPort": 8080, "publishMode": "host"}]},
    "taskSpec": {
        "containerSpec": {
            "image": "prom/prometheus:v3",
            "commands": ["/bin/prometheus"],
            "args": ["--a", "--b"],
            "env": {"B": "2", "A": "x=y"},
            "user": "0:0",
            "readOnly": True,
            "init": True,
            "stopGracePeriod": "20s",
            "hosts": [{"host": "db", "ip": "10.0.0.1"}],
            "dnsConfig": {"nameservers": ["10.0.0.2"]},
            "capDrops": ["ALL"],
            "healthcheck": {"tests": ["CMD", "true"], "interval": "1s500ms", "retries": 3},
            "mounts": [
                {"target": "/data", "source": "data", "type": "volume", "volumeOptions": {"driverName": "local"}},
                {"target": "/host", "source": "/", "type": "bind", "readOnly": True, "bindOptions": {}},
            ],
            "secrets": [{"secretId": "s1", "secretName": "key", "fileName": "/run/secrets/key", "fileMode": 0o400}],
            "configs": [{"configId": "c1", "configName": "conf", "fileName": "/etc/conf"}],
        },
        "resources": {"limits": {"memoryBytes": 1 << 28, "nanoCpus": 500000000}},
        "restartPolicy": {"condition": "on-failure", "delay": "5s"},
        "placement": {"constraints": ["node.role==manager"], "prefs": ["spread=node.labels.zone"], "maxReplicas": 1},
        "networksAdvanceds": [{"id": "n1", "aliases": ["prom"]}],
        "logDriver": {"name": "json-file", "options": {"max-size": "10m"}},
    },
}


@pytest.fixture
def engine() -> Engine:
    """An engine with a provider that no Docker is behind."""
    return Engine(DockerProvider(PACKAGE), {"host": "tcp://127.0.0.1:1"})


def standing(engine: Engine, token: str, given: dict[str, Any]) -> Resource:
    """A resource that was made some time ago."""
    resource = Resource(f"urn:pulumi:test::project::{token}::thing".replace("::docker", "::timonel:index:S$docker"))
    resource.id, resource.inputs = "id", engine.checked(token, given)
    resource.state = dict(resource.inputs)
    return resource


def paths(table: fields.Table, prefix: str = "") -> set[str]:
    """Every path that a table knows."""
    found = set()
    for name, item in table.items():
        found |= {prefix + name} | paths(item.of or {}, f"{prefix}{name}.")
    return found


def known(properties: Any, prefix: str = "") -> set[str]:
    """Every path that pulumi_docker knows."""
    found = set()
    for name, item in properties.items():
        kind = item["type"]
        while kind.get("of"):
            kind = kind["of"]
        inner = {} if name in ("labels", "hosts") else kind.get("properties", {})
        found |= {prefix + name} | known(inner, f"{prefix}{name}.")
    return found


def test_every_property_of_pulumi_docker_is_in_the_table_or_refused_by_name() -> None:
    apart = {"auth", "convergeConfig", "mode"}  # auth is refused whole, the others are no plain fields
    wanted = {p for p in known(PACKAGE.resource(SERVICE_TOKEN)["inputs"]) if p.partition(".")[0] not in apart}
    refused = {p for p in wanted if any(p == item or p.startswith(f"{item}.") for item in UNSUPPORTED)}
    assert paths(SERVICE) == wanted - refused
    assert {item for item in UNSUPPORTED if item not in wanted} == set(), "nothing is refused that does not exist"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_a_kind_supports_exists_in_pulumi_docker(kind: Any) -> None:
    assert kind.supported <= set(PACKAGE.resource(kind.token)["inputs"])


def test_a_spec_reads_back_as_what_was_given() -> None:
    seen = from_spec(to_spec(FULL))
    own = {name: value for name, value in FULL.items() if name != "convergeConfig"}
    assert followed(own, seen, seen) == own, "what nobody changed keeps the program's form"


def test_only_what_somebody_changed_takes_another_form() -> None:
    own = {name: value for name, value in FULL.items() if name != "convergeConfig"}
    spec = to_spec(FULL)
    spec["TaskTemplate"]["ContainerSpec"]["Args"] = ["--c"]
    spec["TaskTemplate"]["ContainerSpec"]["Image"] = "prom/prometheus:v3@sha256:abc"
    found = followed(own, from_spec(to_spec(own)), from_spec(spec))
    assert found["taskSpec"]["containerSpec"]["args"] == ["--c"]
    assert found["taskSpec"]["containerSpec"]["image"] == "prom/prometheus:v3", "a resolved digest is no change"
    changed = dict(found["taskSpec"]["containerSpec"], args=own["taskSpec"]["containerSpec"]["args"])
    assert changed == own["taskSpec"]["containerSpec"]


def test_the_api_gets_its_own_forms() -> None:
    container = to_spec(FULL)["TaskTemplate"]["ContainerSpec"]
    assert container["Env"] == ["A=x=y", "B=2"]
    assert container["StopGracePeriod"] == 20 * 10**9
    assert container["Hosts"] == ["10.0.0.1 db"]
    assert container["Secrets"][0] == {
        "SecretID": "s1",
        "SecretName": "key",
        "File": {"Name": "/run/secrets/key", "UID": "0", "GID": "0", "Mode": 0o400},
    }
    assert container["Configs"][0]["File"]["Mode"] == 0o444, "the genuine provider's default"
    assert to_spec({**FULL, "mode": {"global": True}})["Mode"] == {"Global": {}}
    assert to_spec(BASIC)["Mode"] == {"Replicated": {"Replicas": 1}}


@pytest.mark.parametrize(
    ("text", "number"), [("10s", 10**10), ("1m30s", 9 * 10**10), ("1h0m0s", 36 * 10**11), ("250ms", 25 * 10**7)]
)
def test_durations_are_gos(text: str, number: int) -> None:
    assert nanoseconds(text) == number
    assert duration(number) == text


def test_a_wrong_duration_is_named_before_anything_is_made(engine: Engine) -> None:
    given = {**BASIC, "updateConfig": {"delay": "ten"}, "convergeConfig": {"timeout": "3 minutes"}}
    reasons = engine.reasons(SERVICE_TOKEN, given)
    assert "updateConfig.delay: 'ten' is not a duration" in reasons
    assert "convergeConfig.timeout" in reasons


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"auth": {"serverAddress": "x"}}, "the stand-in for the Docker provider does not support 'auth'"),
        ({"replicas": 3}, "has no property 'replicas'"),
        ({"mode": {"global": True}, "convergeConfig": {"delay": "1s"}}, "replicated services only"),
        ({"mode": {"global": True, "replicated": {"replicas": 1}}}, "exclude each other"),
        (
            {"taskSpec": {"containerSpec": {"image": "x", "privileges": {"seLinuxContext": {"disable": True}}}}},
            "does not support 'taskSpec.containerSpec.privileges'",
        ),
    ],
)
def test_what_the_genuine_provider_or_the_stand_in_refuses_is_said(engine: Engine, more: Any, reason: str) -> None:
    assert reason in engine.reasons(SERVICE_TOKEN, {**BASIC, **more})


def test_settings_that_are_not_followed_are_refused() -> None:
    wire = values.to_wire({"host": "tcp://x", "certPath": "/certs", "disableDockerDaemonCheck": "true"})
    answer = asyncio.run(DockerProvider(PACKAGE).check_config(sdk.CheckRequest("urn", {}, wire, b"")))
    assert [failure.property for failure in answer.failures] == ["certPath"]


def test_a_preview_needs_no_known_settings_and_calls_nobody() -> None:
    engine = Engine(DockerProvider(PACKAGE), {"host": values.UNKNOWN, "keyMaterial": values.UNKNOWN})
    made = engine.create(SERVICE_TOKEN, BASIC, preview=True)
    assert made.outputs["mode"] == values.UNKNOWN, "Docker fills it in"
    with pytest.raises(ProviderError, match="host, keyMaterial are not known yet"):
        engine.create(SERVICE_TOKEN, BASIC)


def test_tls_needs_all_three_parts() -> None:
    engine = Engine(DockerProvider(PACKAGE), {"host": "tcp://127.0.0.1:1", "caMaterial": "PEM"})
    with pytest.raises(ProviderError, match=r"missing: certMaterial .*, keyMaterial"):
        engine.create(SERVICE_TOKEN, BASIC)


def test_nobody_answering_is_said_at_once_with_the_address(engine: Engine) -> None:
    with pytest.raises(ProviderError, match=r"create docker:index/service:Service thing-\w{7}: .*127.0.0.1"):
        engine.create(SERVICE_TOKEN, BASIC)


@pytest.mark.parametrize(
    ("path", "value", "replaces"),
    [
        ("labels", [{"label": "a", "value": "9"}], False),
        ("taskSpec.containerSpec.image", "prom/prometheus:v4", False),
        ("taskSpec.containerSpec.configs", [{"configId": "c2", "configName": "n", "fileName": "/etc/conf"}], False),
        ("mode.replicated.replicas", 5, False),
        ("taskSpec.networksAdvanceds", [{"id": "n2"}], True),
        ("taskSpec.containerSpec.labels", [{"label": "x", "value": "y"}], True),
        ("mode", {"global": True}, True),
        ("name", "other", True),
    ],
)
def test_a_change_is_shown_by_its_path_and_replaces_as_genuinely(
    engine: Engine, path: str, value: Any, replaces: bool
) -> None:
    full = {name: item for name, item in FULL.items() if name != "convergeConfig"}
    resource = standing(engine, SERVICE_TOKEN, full)
    changed = _with(full, path, value)
    answer = engine.diff(resource, changed)
    assert answer.changes
    assert bool(answer.replaces) == replaces, answer.detailed_diff
    if path != "mode":
        assert list(answer.detailed_diff) == [path]


def _with(given: Any, path: str, value: Any) -> Any:
    head, _, rest = path.partition(".")
    return {**given, head: _with(given.get(head, {}), rest, value) if rest else value}


def test_order_in_sets_is_no_change_and_in_arguments_it_is(engine: Engine) -> None:
    resource = standing(engine, SERVICE_TOKEN, FULL)
    container = FULL["taskSpec"]["containerSpec"]
    mounts = _with(FULL, "taskSpec.containerSpec.mounts", container["mounts"][::-1])
    assert not engine.diff(resource, mounts).changes
    assert engine.diff(resource, _with(FULL, "taskSpec.containerSpec.args", ["--b", "--a"])).changes


def test_a_name_that_was_made_up_stays_and_a_given_one_is_deleted_before_it_is_replaced(engine: Engine) -> None:
    made_up = standing(engine, CONFIG_TOKEN, {"data": "YQ=="})
    answer = engine.diff(made_up, {"data": "Yg=="})
    assert answer.replaces == ["data"]
    assert not answer.delete_before_replace, "both can stand side by side: the service rolls in between"
    given = standing(engine, CONFIG_TOKEN, {"data": "YQ==", "name": "conf"})
    assert engine.diff(given, {"data": "Yg==", "name": "conf"}).delete_before_replace


def test_a_secrets_content_is_secret_whatever_the_program_says(engine: Engine) -> None:
    made = engine.create(SECRET_TOKEN, {"data": base64.b64encode(b"hush").decode()}, preview=True)
    assert made.inputs["data"].is_secret
    assert made.state["data"].is_secret


def test_content_that_is_not_base64_or_too_long_is_refused_without_showing_it(engine: Engine) -> None:
    assert engine.reasons(SECRET_TOKEN, {"data": "hush!"}) == f"{SECRET_TOKEN}: data must be base64"
    long = base64.b64encode(b"x" * 512001).decode()
    assert "allowed are 1 to 512000" in engine.reasons(SECRET_TOKEN, {"data": long})
    assert "'data' is required" in engine.reasons(CONFIG_TOKEN, {})


def test_only_overlay_networks_are_made(engine: Engine) -> None:
    assert "overlay networks only" in engine.reasons("docker:index/network:Network", {"name": "n"})


def test_other_resources_of_the_package_are_refused_by_name(engine: Engine) -> None:
    with pytest.raises(ProviderError, match="does not support docker:index/container:Container"):
        engine.check("docker:index/container:Container", {})


def test_decode_leaves_out_what_is_the_default() -> None:
    assert decode(SERVICE, encode(SERVICE, BASIC)) == BASIC
