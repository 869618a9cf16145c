"""The stand-in for the Kubernetes provider without a cluster."""

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.provider.experimental import provider as sdk

from sandbox.providers import values
from sandbox.providers.kubernetes import client, differences, objects, settings, waiting
from sandbox.providers.kubernetes.provider import KubernetesProvider
from sandbox.providers.serve import ProviderError
from tests.unit.providers.plain_driver import Engine

NOWHERE = "https://127.0.0.1:1"


def config(server: str = NOWHERE, **user: Any) -> dict[str, Any]:
    cluster = {"server": server, "insecure-skip-tls-verify": True}
    return {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }


def engine(**more: Any) -> Engine:
    return Engine(KubernetesProvider(), {"kubeconfig": json.dumps(config(token="t")), **more})


NAMESPACE = "kubernetes:core/v1:Namespace"
SECRET = "kubernetes:core/v1:Secret"
CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"


# ---- settings


def test_a_kubeconfig_is_read_as_json_yaml_or_a_path(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config(token="secret")))
    for given in (json.dumps(config(token="secret")), path.read_text(), str(path)):
        made = settings.settings({"kubeconfig": given}, {})
        assert made.connection is not None and made.connection.server == NOWHERE
        assert made.namespace == "team", "the context's own namespace"
    assert settings.settings({}, {"KUBECONFIG": str(path)}).connection is not None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kubeconfig": "/not/there"}, "/not/there: No such file"),
        ({"kubeconfig": "{broken"}, "neither JSON nor YAML"),
        ({"kubeconfig": json.dumps(config()), "context": "b"}, "no context 'b'"),
        ({"kubeconfig": json.dumps(config(username="u"))}, "does not support a user's username"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_a_cluster_that_does_not_answer(given: dict[str, Any], told: str) -> None:
    made = settings.settings(given, {})
    assert made.connection is None and told in made.reason


def test_settings_that_are_not_followed_are_refused_by_name() -> None:
    assert [name for name, _ in settings.failures({"renderYamlToDirectory": "x"})] == ["renderYamlToDirectory"]
    assert [name for name, _ in settings.failures({"enableServerSideApply": "false"})] == ["enableServerSideApply"]
    good = {"kubeconfig": "x", "enableServerSideApply": "true", "deleteUnreachable": "true", "clusterIdentifier": "x"}
    assert settings.failures(good) == []


def test_the_cluster_identifier_alone_decides_whether_all_objects_are_made_again() -> None:
    here, there = json.dumps(config()), json.dumps(config("https://127.0.0.1:2"))
    renewed = json.dumps(config(token="new"))
    assert settings.replaced({"kubeconfig": here}, {"kubeconfig": there}) == ["kubeconfig"]
    assert settings.replaced({"kubeconfig": here}, {"kubeconfig": renewed}) == [], "a new token is no new cluster"
    fixed = {"clusterIdentifier": "arn"}
    assert settings.replaced({"kubeconfig": here, **fixed}, {"kubeconfig": there, **fixed}) == []
    assert settings.replaced(fixed, {"clusterIdentifier": "else"}) == ["clusterIdentifier"]
    assert settings.replaced({"kubeconfig": here}, {"kubeconfig": values.UNKNOWN}) == [], "a preview knows nothing yet"


# ---- tokens and names


@pytest.mark.parametrize(
    ("token", "version", "kind", "patch"),
    [
        (NAMESPACE, "v1", "Namespace", False),
        ("kubernetes:apps/v1:Deployment", "apps/v1", "Deployment", False),
        ("kubernetes:apps/v1:DeploymentPatch", "apps/v1", "Deployment", True),
        ("kubernetes:stable.example.com/v1:CronTab", "stable.example.com/v1", "CronTab", False),
    ],
)
def test_a_token_says_where_objects_are_in_the_api(token: str, version: str, kind: str, patch: bool) -> None:
    made = objects.kind(token)
    assert (made.api_version, made.kind, made.patch) == (version, kind, patch)


@pytest.mark.parametrize(
    "token",
    [
        "kubernetes:helm.sh/v3:Release",
        "kubernetes:yaml/v2:ConfigFile",
        "kubernetes:yaml:ConfigGroup",
        "kubernetes:kustomize:Directory",
        "kubernetes:core/v1:PodList",
    ],
)
def test_what_is_no_object_is_refused_by_name(token: str) -> None:
    with pytest.raises(ProviderError, match=token):
        objects.kind(token)


def test_a_name_is_made_up_once_and_a_given_one_is_kept() -> None:
    plays = engine()
    first = plays.checked(NAMESPACE, {}, "apps")
    made = values.from_wire(first)[0]
    assert made["metadata"]["name"].startswith("apps-") and len(made["metadata"]["name"]) == len("apps-") + 8
    assert made["metadata"]["annotations"] == {objects.AUTONAMED: "true"}
    assert (made["apiVersion"], made["kind"]) == ("v1", "Namespace")
    assert values.from_wire(plays.checked(NAMESPACE, {}, "apps", first))[0] == made, "an update keeps the name"
    given = values.from_wire(plays.checked(NAMESPACE, {"metadata": {"name": "mine"}}, "apps"))[0]
    assert given["metadata"] == {"name": "mine"}
    assert values.from_wire(plays.checked(SECRET, {}, "s"))[0]["metadata"]["namespace"] == "team"
    with pytest.raises(ProviderError, match=r"metadata\.name must be given"):
        plays.check("kubernetes:core/v1:ConfigMapPatch", {"data": {}})


def test_a_secret_s_data_is_secret_whatever_the_program_says() -> None:
    made = engine().checked(SECRET, {"stringData": {"password": "planted"}}, "s")
    assert made["stringData"].contains_secret() and not made["metadata"].contains_secret()


# ---- diffs


def diff(old: dict[str, Any], new: dict[str, Any], token: str = CLASS) -> Any:
    plays = engine()
    resource = plays.create(token, {"metadata": {"name": "gp3"}, **old}, preview=True)
    resource.id = "gp3"
    return plays.diff(resource, {"metadata": {"name": "gp3"}, **new})


def test_a_label_is_an_update_and_an_immutable_field_replaces_first_the_old_one() -> None:
    base = {"provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp3"}}
    assert not diff(base, base).changes
    changed = diff(base, {**base, "allowVolumeExpansion": True})
    assert changed.changes and not changed.replaces
    replaced = diff(base, {**base, "parameters": {"type": "io2"}})
    assert replaced.replaces == ["parameters"] and replaced.delete_before_replace, "two of one name cannot be"
    assert set(replaced.detailed_diff) == {"parameters.type"}


def test_names_with_dots_are_quoted_in_paths() -> None:
    found = differences.changes({"metadata": {"labels": {}}}, {"metadata": {"labels": {"a.io/b": "1", "c": "2"}}})
    assert found == [('metadata.labels["a.io/b"]', "add"), ("metadata.labels.c", "add")]
    assert differences.top('data["a.b"]') == "data"
    assert differences.replaces("Deployment", 'spec.selector.matchLabels["a.io/b"]')


def test_a_custom_object_without_a_namespace_keeps_being_without_one() -> None:
    token, given = "kubernetes:stable.example.com/v1:CronTab", {"metadata": {"name": "a"}}
    plays = engine()
    first = plays.checked(token, given)
    assert values.from_wire(plays.checked(token, given, old=first))[0]["metadata"] == {"name": "a"}, (
        "else it is replaced"
    )


def test_string_data_that_the_api_keeps_as_data_is_no_drift() -> None:
    given = {"metadata": {"name": "s"}, "stringData": {"a": "x"}}

    def seen(value: bytes) -> Any:
        item = {"metadata": {"name": "s"}, "data": {"a": base64.b64encode(value).decode(), "b": "Yg=="}}
        return objects.given_part(given, objects.readable(item, given))

    assert seen(b"x") == given
    assert seen(b"y")["stringData"] == {"a": "y"}


def test_another_name_replaces() -> None:
    plays = engine()
    resource = plays.create(NAMESPACE, {"metadata": {"name": "a"}}, preview=True)
    found = plays.diff(resource, {"metadata": {"name": "b"}})
    assert found.replaces == ["metadata"] and not found.delete_before_replace


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("500m", 0.5, True),
        ("1Gi", "1024Mi", True),
        ("1", 1, True),
        ("a", "b", False),
        ("x1", 1, False),
    ],
)
def test_quantities_are_compared_by_what_they_mean(one: Any, other: Any, alike: bool) -> None:
    assert differences.equal(one, other) is alike


def test_of_what_the_api_has_only_what_the_program_gave_is_compared() -> None:
    given = {"spec": {"ports": [{"port": 80, "name": "web"}], "selector": {"app": "a"}}, "metadata": {"name": "s"}}
    actual = {
        "metadata": {"name": "s", "uid": "1"},
        "spec": {
            "clusterIP": "10.0.0.1",
            "ports": [{"name": "dns", "port": 53}, {"name": "web", "port": 80, "protocol": "TCP"}],
            "selector": {"app": "a"},
        },
    }
    assert objects.given_part(given, actual) == given, "what the API fills in is no drift"
    actual["spec"]["selector"] = {"app": "b"}
    assert objects.given_part(given, actual)["spec"]["selector"] == {"app": "b"}, "drift shows"


# ---- a cluster that does not answer


def delete(plays: Engine) -> None:
    state = values.to_wire({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})
    urn = f"urn:pulumi:test::project::{NAMESPACE}::a"
    asyncio.run(plays.provider.delete(sdk.DeleteRequest(urn, "a", state, 0)))


def test_a_cluster_that_is_gone_keeps_deletes_back_only_without_delete_unreachable() -> None:
    with pytest.raises(
        ProviderError, match=r"delete kubernetes:core/v1:Namespace a: .*does not answer.*deleteUnreachable"
    ):
        delete(engine())
    delete(engine(deleteUnreachable="true"))


def test_a_preview_needs_no_cluster() -> None:
    made = engine().create(CLASS, {"provisioner": "p", "metadata": {"name": "gp3"}}, preview=True)
    assert made.outputs["provisioner"] == "p"


def test_unknown_values_are_previewed_as_they_are() -> None:
    made = engine().create(
        SECRET, {"stringData": {"password": values.UNKNOWN}, "metadata": {"name": "s"}}, preview=True
    )
    assert values.contains_unknown(made.outputs["stringData"])


# ---- credentials plugins


def plugin(tmp_path: Path, text: str) -> dict[str, Any]:
    script = tmp_path / "plugin.py"
    script.write_text(text)
    return {"command": sys.executable, "args": [str(script)], "env": [{"name": "GIVEN", "value": "1"}]}


def test_a_credentials_plugin_is_run_once_until_its_token_ends(tmp_path: Path) -> None:
    text = """
import json, os, pathlib
runs = pathlib.Path(__file__).with_suffix(".runs")
runs.write_text((runs.read_text() if runs.exists() else "") + os.environ["GIVEN"])
print(json.dumps({"status": {"token": "t" + runs.read_text(), "expirationTimestamp": "2999-01-01T00:00:00Z"}}))
"""
    command = plugin(tmp_path, text)
    connected = client.Client(settings.Connection(NOWHERE, command=command))
    assert [connected._bearer() for _ in range(3)] == ["t1"] * 3
    connected._until = time.time() - 1
    assert connected._bearer() == "t11", "run again when the token has ended"


def test_a_credentials_plugin_that_fails_is_told_by_its_own_words(tmp_path: Path) -> None:
    command = plugin(tmp_path, "import sys; sys.exit('no such profile')")
    with pytest.raises(client.UnreachableError, match="no such profile"):
        client.Client(settings.Connection(NOWHERE, command=command)).request("GET", "/version")


def test_client_certificates_reach_no_file_that_stays(tmp_path: Path) -> None:
    pem = base64.b64encode(b"no certificate").decode()
    made = settings.connection({**config(**{"client-certificate-data": pem, "client-key-data": pem})})
    assert made.certificate == "no certificate\nno certificate"


# ---- readiness


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"generation": 2},
                "spec": {"replicas": 2},
                "status": {"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1},
            },
            "1 of 2 replicas available, 2 up to date",
        ),
        (
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {},
                "status": {"conditions": [{"type": "Established", "status": "True"}]},
            },
            None,
        ),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "status": {"phase": "Pending"}}, "it is Pending"),
    ],
)
def test_an_object_says_what_it_waits_for(item: dict[str, Any], told: str | None) -> None:
    rule = waiting.ready(item)
    assert rule is not None
    assert rule(client.Client(settings.Connection(NOWHERE)), item) == told


def test_an_object_that_has_failed_is_not_waited_for() -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {}, "status": {"conditions": [failed]}}
    rule = waiting.ready(job)
    assert rule is not None
    with pytest.raises(waiting.FailedError, match="BackoffLimitExceeded: too often"):
        rule(client.Client(settings.Connection(NOWHERE)), job)
