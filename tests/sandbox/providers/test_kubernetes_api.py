"""The stand-in for the Kubernetes provider against a real API server and its controllers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.kubernetes import build
from sandbox.providers import values
from sandbox.providers.kubernetes.provider import KubernetesProvider
from sandbox.providers.serve import InitError, ProviderError
from tests.sandbox.providers.control_plane import ControlPlane
from tests.unit.providers.plain_driver import Engine, Resource

pytestmark = pytest.mark.sandbox

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
NAMESPACE = "kubernetes:core/v1:Namespace"
SECRET = "kubernetes:core/v1:Secret"
STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
CRON_TAB = "kubernetes:stable.example.com/v1:CronTab"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    build.ensure()  # minutes, once for a machine
    running = ControlPlane(tmp_path_factory.mktemp("kubernetes"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def engine(plane: ControlPlane) -> Engine:
    return Engine(KubernetesProvider(), {"kubeconfig": plane.kubeconfig()})


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_an_object_lives_its_whole_life_without_a_diff_that_nobody_made(engine: Engine, plane: ControlPlane) -> None:
    made = engine.create(CONFIG_MAP, {"metadata": {"labels": {"app.io/a": "1"}}, "data": {"a": "1"}}, "settings")
    assert made.id.startswith("default/settings-"), "the default namespace and a made-up name"
    assert "managedFields" not in made.outputs["metadata"]
    assert not engine.drift(made).changes
    path = f"/api/v1/namespaces/default/configmaps/{made.id.partition('/')[2]}"
    plane.merge(path, {"data": {"b": "somebody's"}, "metadata": {"annotations": {"other": "x"}}})
    assert not engine.drift(made).changes, "what others add is theirs"
    plane.merge(path, {"data": {"a": "changed"}})
    assert set(engine.drift(made).detailed_diff) == {"data.a"}, "what is ours has moved"

    forced = {"metadata": {"labels": {"app.io/a": "1"}, "annotations": {"pulumi.com/patchForce": "true"}}}
    engine.update(made, {**forced, "data": {"a": "1"}})
    assert plane.call("GET", path)["data"] == {"a": "1", "b": "somebody's"}, "ours is back"
    engine.update(made, {**forced, "data": {"c": "3"}})
    assert plane.call("GET", path)["data"] == {"b": "somebody's", "c": "3"}, "our key is gone, theirs is not"
    assert engine.imported(CONFIG_MAP, made.id)["data"] == {"b": "somebody's", "c": "3"}
    engine.delete(made)
    assert not engine.refresh(made), "deleted is gone"
    engine.delete(made)


def test_a_field_that_another_manager_holds_is_taken_only_by_force(engine: Engine, plane: ControlPlane) -> None:
    made = engine.create(CONFIG_MAP, config_map("shared", a="1"))
    path = "/api/v1/namespaces/default/configmaps/shared"
    plane.call("PATCH", f"{path}?fieldManager=kubectl", {"data": {"a": "2"}}, "application/merge-patch+json")
    with pytest.raises(ProviderError, match=r'conflict with "kubectl".*pulumi\.com/patchForce'):
        engine.update(made, config_map("shared", a="3"))
    force = {"name": "shared", "annotations": {"pulumi.com/patchForce": "true"}}
    engine.update(made, {"metadata": force, "data": {"a": "3"}})
    assert plane.call("GET", path)["data"] == {"a": "3"}
    engine.delete(made)


def test_the_server_refuses_at_preview_what_it_would_refuse_later(engine: Engine) -> None:
    with pytest.raises(ProviderError, match=r"preview kubernetes:core/v1:ConfigMap x: .*dataa"):
        engine.create(CONFIG_MAP, {"metadata": {"name": "x"}, "dataa": {"a": "1"}}, preview=True)
    previewed = engine.create(CONFIG_MAP, config_map("x", a="1"), preview=True)
    assert previewed.outputs["metadata"]["uid"], "the server said what it would make"
    later = {"metadata": {"name": "x", "namespace": "not-there-yet"}, "data": {}}
    assert engine.create(CONFIG_MAP, later, preview=True).outputs["metadata"]["namespace"] == "not-there-yet"


def test_what_the_api_calls_immutable_replaces(engine: Engine) -> None:
    given = {"metadata": {"name": "gp3"}, "provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp3"}}
    made = engine.create(STORAGE_CLASS, given)
    assert not engine.drift(made).changes
    changed = {**given, "parameters": {"type": "io2"}}
    assert engine.diff(made, changed).replaces == ["parameters"]
    assert engine.create(STORAGE_CLASS, changed, preview=True).outputs["parameters"] == {"type": "io2"}, (
        "the one that is there goes first"
    )
    engine.delete(made)
    fixed = engine.create(CONFIG_MAP, {**config_map("fixed", a="1"), "immutable": True})
    found = engine.diff(fixed, {**config_map("fixed", a="2"), "immutable": True})
    assert found.replaces == ["data"] and found.delete_before_replace, "no table says so, the server does"
    engine.delete(fixed)


def test_a_definition_is_waited_for_and_its_objects_come_right_behind(engine: Engine) -> None:
    names = {"plural": "crontabs", "singular": "crontab", "kind": "CronTab"}
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "stable.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    tab = {"metadata": {"name": "mine"}, "spec": {"cron": "* * * * *"}}
    assert engine.create(CRON_TAB, tab, preview=True).outputs["spec"], "a preview before its definition is there"
    definition = engine.create(DEFINITION, {"metadata": {"name": "crontabs.stable.example.com"}, "spec": spec})
    made = engine.create(CRON_TAB, tab)
    assert made.id == "default/mine"
    assert not engine.drift(made).changes
    engine.delete(definition)
    assert not engine.refresh(made), "its objects go with it"
    engine.delete(made)


def test_a_secret_is_secret_and_its_string_data_no_drift(engine: Engine) -> None:
    made = engine.create(SECRET, {"metadata": {"name": "s"}, "stringData": {"password": "planted"}})
    assert made.state["data"].contains_secret() and "planted" not in str(values.from_wire(made.state)[0]["metadata"])
    assert not engine.drift(made).changes
    with pytest.raises(ProviderError) as refused:
        engine.update(made, {"metadata": {"name": "s"}, "stringData": {"bad key!": "planted-too"}})
    assert "planted" not in str(refused.value)
    engine.delete(made)


def deployment(**annotations: str) -> dict[str, Any]:
    container = {"name": "web", "image": "nginx", "resources": {"requests": {"cpu": 0.5, "memory": "1024Mi"}}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"metadata": {"name": "web", "annotations": annotations}, "spec": spec}


def kept(engine: Engine, late: InitError, given: dict[str, Any]) -> Resource:
    """What the engine keeps of a resource that was made and is not ready."""
    made = Resource(f"urn:pulumi:test::project::timonel:index:Stack${DEPLOYMENT}::web")
    made.id, made.state, made.inputs = late.resource_id, dict(late.properties), engine.checked(DEPLOYMENT, given)
    return made


def test_a_deployment_that_does_not_become_available_stays_and_is_waited_for_again(
    engine: Engine, plane: ControlPlane
) -> None:
    with pytest.raises(InitError) as late:
        engine.create(DEPLOYMENT, deployment(**{"pulumi.com/timeoutSeconds": "2"}))
    assert late.value.resource_id == "default/web"
    assert "0 of 1 replicas available" in str(late.value)
    path = "/apis/apps/v1/namespaces/default/deployments/web"
    made = kept(engine, late.value, deployment(**{"pulumi.com/timeoutSeconds": "2"}))
    assert not engine.drift(made).changes, "0.5 is 500m and 1024Mi is 1Gi"
    status = _pod_status()
    thread = threading.Thread(target=_run_pods, args=(plane, status))
    thread.start()
    engine.update(made, deployment())
    thread.join()
    assert plane.call("GET", path)["status"]["availableReplicas"] == 1
    engine.delete(made)
    assert plane.call("GET", "/api/v1/namespaces/default/pods")["items"] == [], "a delete is in the foreground"


def _pod_status() -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {"status": {"phase": "Running", "conditions": [ready]}}


def _run_pods(plane: ControlPlane, status: dict[str, Any]) -> None:
    """Play the kubelet: the pods of the deployment become ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pods = plane.call("GET", "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")["items"]
        for pod in pods:
            plane.merge(f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}/status", status)
        if pods:
            return
        time.sleep(0.2)


def test_a_delete_says_which_finalizer_holds_it(engine: Engine, plane: ControlPlane) -> None:
    given = config_map("held", a="1")
    given["metadata"] |= {"finalizers": ["example.com/held"], "annotations": {"pulumi.com/timeoutSeconds": "1"}}
    made = engine.create(CONFIG_MAP, given)
    with pytest.raises(ProviderError, match=r"delete .* held by example\.com/held"):
        engine.delete(made)
    plane.merge("/api/v1/namespaces/default/configmaps/held", {"metadata": {"finalizers": None}})
    engine.delete(made)


def test_a_namespace_is_gone_with_all_that_is_in_it_when_its_delete_ends(engine: Engine, plane: ControlPlane) -> None:
    space = engine.create(NAMESPACE, {"metadata": {"name": "team"}})
    inside = engine.create(CONFIG_MAP, {"metadata": {"name": "a", "namespace": "team"}, "data": {}})
    engine.delete(space)
    names = [item["metadata"]["name"] for item in plane.call("GET", "/api/v1/namespaces")["items"]]
    assert "team" not in names
    engine.delete(inside)


def test_a_patch_changes_what_is_somebody_else_s_and_lets_go_of_it(engine: Engine, plane: ControlPlane) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    plane.call("POST", path, {"metadata": {"name": "theirs"}, "data": {"a": "1"}})
    patch = engine.create("kubernetes:core/v1:ConfigMapPatch", config_map("theirs", b="2"))
    assert plane.call("GET", f"{path}/theirs")["data"] == {"a": "1", "b": "2"}
    engine.delete(patch)
    assert plane.call("GET", f"{path}/theirs")["data"] == {"a": "1"}, "what was patched is let go, the object stays"
    with pytest.raises(ProviderError, match="not found"):
        engine.create("kubernetes:core/v1:ConfigMapPatch", config_map("nobody-s", b="2"))


def test_who_may_not_is_told_and_who_is_unknown_does_not_get_in(plane: ControlPlane) -> None:
    viewer = Engine(KubernetesProvider(), {"kubeconfig": plane.kubeconfig("viewer")})
    with pytest.raises(ProviderError, match=r'User "viewer" cannot patch resource "configmaps"'):
        viewer.create(CONFIG_MAP, config_map("x", a="1"))
    nobody = Engine(KubernetesProvider(), {"kubeconfig": plane.with_token("made-up")})
    with pytest.raises(ProviderError, match="does not accept the credentials"):
        nobody.create(CONFIG_MAP, config_map("x", a="1"))
