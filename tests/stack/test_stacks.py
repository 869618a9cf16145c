"""Every stack file: which resources it has, under which names, and that bad settings stop it before the first."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from components.errors import InputError
from components.monitoring.catalogue import Parameters, datadog_monitors, load
from stacks.settings import SettingsError
from tests.engine import STACK_TYPE, Engine, RefusedError
from tests.golden_files import assert_golden
from tests.stack.conftest import PLANTED, ROOT, STACKS, run_program, stack_config


def test_a_stack_has_exactly_the_resources_of_its_golden(ran: Engine) -> None:
    assert_golden(f"stacks/{ran.stack}.txt", "".join(f"{urn}\n" for urn in ran.urns()))


@pytest.mark.parametrize("stack", STACKS)
def test_a_first_preview_asks_for_the_same_resources(engine: Engine, stack: str) -> None:
    golden = (ROOT / "tests" / "golden" / "stacks" / f"{stack}.txt").read_text().splitlines()
    run_program(engine, stack, preview=True)
    assert engine.urns() == golden, "an unknown value must not decide what exists"


def test_every_resource_belongs_to_a_component(ran: Engine) -> None:
    top = {r.typ for r in ran.resources if STACK_TYPE in r.parent}
    clusters = {
        "swarm": {"timonel:index:SwarmCluster"},
        "eks": {"timonel:index:EksCluster", "timonel:index:EksSystem", "pulumi:providers:kubernetes"},
    }
    wanted = {"timonel:index:Network", "timonel:index:Protection", *clusters[kind_of(ran)]}
    if is_watched(ran):
        wanted |= {"timonel:index:MonitoringStack", "pulumi:providers:docker"}
    assert top == wanted


def test_protection_depends_on_everything_so_that_a_destroy_meets_it_first(ran: Engine) -> None:
    guard = ran.one("timonel:index:Protection")
    wanted = stack_config(ran.stack)["timonel:protection"] is True
    assert (guard.inputs["enabled"], guard.protect) == (wanted, wanted)
    assert guard.name == "timonel:protection", "Pulumi's refusal shows the name: it must be the setting to change"
    rest = {r.urn for r in ran.resources if r.custom and r.urn != guard.urn}
    assert rest <= set(guard.depends_on), "else what is missing here is deleted before the refusal"


def test_every_resource_that_takes_tags_is_found_by_the_stack_s(ran: Engine) -> None:
    wanted = {"timonel:stack": f"timonel/{ran.stack}", **stack_config(ran.stack).get("timonel:tags", {})}
    tagged = [r for r in ran.resources if isinstance(r.inputs.get("tags"), dict)]
    assert tagged
    for resource in tagged:
        assert resource.inputs["tags"].items() >= wanted.items(), resource.urn


def test_no_secret_is_exported_or_declared_in_plain_text(ran: Engine) -> None:
    assert PLANTED in json.dumps(ran.stack_outputs), "the operator needs the key"
    for name, value in ran.stack_outputs.items():
        assert is_secret(value) or PLANTED not in json.dumps(value), f"{name} would be printed"
    for resource in ran.resources:
        assert PLANTED not in json.dumps(without_secrets(resource.inputs), default=str), resource.urn


def test_the_operator_s_credentials_are_secret(ran: Engine) -> None:
    docker = ["dockerCaCertificate", "dockerClientCertificate", "dockerClientPrivateKey"]
    names = docker if kind_of(ran) == "swarm" else ["kubeconfig"]
    for name in [*names, "monitoringPassword"] if is_watched(ran) else names:
        assert is_secret(ran.stack_outputs[name]), name


def test_outputs_are_those_that_the_docs_name(ran: Engine) -> None:
    page = (ROOT / "docs" / "stacks.md").read_text().partition("## Outputs")[2]
    others = [f"`kind: {kind}`" for kind in ("swarm", "eks") if kind != kind_of(ran)]
    rows = [row for row in page.splitlines() if not any(other in row for other in others)]
    cells = " ".join(row.rpartition("|")[0].rpartition("|")[2] for row in rows).replace(",", " ").replace(";", " ")
    named = {word.strip("`") for word in cells.split() if word.startswith("`")}
    publishes = "publishedPorts" in stack_config(ran.stack)["timonel:cluster"]
    watching = {"prometheusUrl", "alertmanagerUrl", "grafanaUrl", "monitoringUser", "monitoringPassword"}
    absent = (set() if publishes else {"servicesDns"}) | (set() if is_watched(ran) else watching)
    assert {*ran.stack_outputs} == named - absent


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"cluster": {"kind": "swarm", "managers": {"count": 4}}}, "timonel:cluster.managers.count", "4"),
        ({"network": {"zones": 9}}, "timonel:network.zones", "9"),
        ({"network": {"cidr": "172.17.0.0/16"}}, "timonel:network.cidr", "docker0"),
        ({"cluster": {"kind": "swarm", "operatorCidrs": ["0.0.0.0/0"]}}, "timonel:cluster.operatorCidrs", "0.0.0.0/0"),
        (
            {"cluster": {"kind": "swarm", "workerPools": [{"name": "a"}, {"name": "a"}]}},
            "timonel:cluster.workerPools[1].name",
            "'a'",
        ),
        (
            {
                "cluster": {
                    "kind": "swarm",
                    "image": {"architecture": "arm64"},
                    "managers": {"instanceType": "t3.small"},
                }
            },
            "timonel:cluster.managers.instanceType",
            "arm64",
        ),
        ({"tags": {"aws:mine": "x"}}, "timonel:tags", "aws:"),
        ({"monitoring": {"kind": "datadog"}}, "timonel:monitoring.datadog", "without an API key"),
        (
            {"monitoring": {"kind": "prometheus", "prometheus": {"receivers": [{"kind": "webhook", "secret": "ops"}]}}},
            "timonel:monitoring.prometheus.receivers[0].secret",
            "timonel:secrets",
        ),
        (
            {
                "monitoring": {"kind": "prometheus", "prometheus": {"replicas": 2}},
                "cluster": {"kind": "swarm", "managers": {"count": 1}},
            },
            "timonel:monitoring.prometheus.replicas",
            "at most 1",
        ),
    ],
)
def test_a_setting_that_a_component_refuses_is_named_by_its_key_before_anything_is_registered(
    engine: Engine, changes: dict[str, Any], key: str, reason: str
) -> None:
    with pytest.raises(InputError) as caught:
        run_program(engine, "dev", **changes)
    assert str(caught.value).startswith(key), str(caught.value)
    assert reason in str(caught.value)
    assert [r.urn for r in engine.resources if r.typ != STACK_TYPE] == [], (
        "what ran before the error is made all the same"
    )


def test_without_grafana_there_is_no_service_no_port_and_no_output_of_it(engine: Engine) -> None:
    settings = {"kind": "prometheus", "prometheus": {"grafana": False}}
    run_program(engine, "monitored", monitoring=settings)
    assert not [urn for urn in engine.urns() if "grafana" in urn or "3000" in urn]
    assert "grafanaUrl" not in engine.stack_outputs
    assert engine.stack_outputs["prometheusUrl"]


def test_with_datadog_what_is_in_the_swarm_goes_with_it_and_what_is_in_the_account_is_deleted(engine: Engine) -> None:
    settings = {"kind": "datadog", "datadog": {"apiKey": "dd"}, "prometheus": {"retentionDays": 3}}
    run_program(engine, "single", monitoring=settings, secrets={"dd": PLANTED})
    assert len(engine.urns()) == len(set(engine.urns())), "a name twice"
    assert [r.name for r in engine.of("docker:index/service:Service")] == ["monitoring-datadog-agent"]
    assert engine.one("timonel:index:DatadogAgents").deleted_with
    assert not engine.one("timonel:index:DatadogMonitors").deleted_with, "else the account would keep them"
    monitors = engine.of("datadog:index/monitorJson:MonitorJson")
    assert len(monitors) == len(datadog_monitors(load(), "single", Parameters()))
    for resource in engine.resources:
        assert PLANTED not in json.dumps(without_secrets(resource.inputs), default=str), resource.urn


def test_a_provider_that_does_not_start_stops_the_program_before_anything_is_registered(engine: Engine) -> None:
    def refuse(_args: dict[str, Any]) -> dict[str, Any]:
        raise RefusedError("the plugin exited prematurely")

    engine.answers["timonel:index:getVersion"] = refuse
    with pytest.raises(Exception, match="exited prematurely"):
        run_program(engine, "dev")
    assert [r.urn for r in engine.resources if r.typ != STACK_TYPE] == []


def test_settings_that_cannot_be_read_stop_the_program_before_anything_is_registered(engine: Engine) -> None:
    with pytest.raises(SettingsError, match=r"timonel:network\.zons"):
        run_program(engine, "dev", network={"zons": 3})
    assert [r.urn for r in engine.resources if r.typ != STACK_TYPE] == []


def test_a_secret_in_the_settings_is_not_shown_by_an_error(engine: Engine) -> None:
    with pytest.raises(SettingsError) as caught:
        run_program(engine, "dev", network={"cidr": 42424242}, secret_config=("timonel:network",))
    assert "42424242" not in str(caught.value)


def test_the_program_is_settings_wiring_and_outputs_only() -> None:
    source = (ROOT / "__main__.py").read_text()
    assert len(source.splitlines()) < 30
    assert not any(isinstance(node, ast.If | ast.For | ast.ClassDef) for node in ast.walk(ast.parse(source)))


def test_only_the_settings_read_pulumi_s_configuration() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("stacks", "components", "provider", "node_agent")
        for path in (ROOT / folder).rglob("*.py")
        if _reads_config(path)
    }
    assert readers == {"stacks/settings.py"}


def _reads_config(path: Path) -> bool:
    text = path.read_text()
    return "pulumi.Config(" in text or "pulumi.runtime.config" in text or "pulumi.runtime import config" in text


def kind_of(ran: Engine) -> str:
    """The stack's orchestrator."""
    return str(stack_config(ran.stack)["timonel:cluster"]["kind"])


def is_watched(ran: Engine) -> bool:
    """Whether the stack's settings ask for Prometheus."""
    kind = stack_config(ran.stack)["timonel:monitoring"].get("kind", "none")
    return bool(kind == "prometheus")


def without_secrets(value: Any) -> Any:
    """A recorded value without what the state encrypts."""
    if is_secret(value):
        return None
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


def is_secret(value: Any) -> bool:
    """Whether a recorded value carries Pulumi's mark of a secret."""
    return isinstance(value, dict) and "1b47061264138c4ac30d75fd1eb44270" in value.values()
