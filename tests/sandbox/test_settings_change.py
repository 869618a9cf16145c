"""What a change of each setting does to a stack that stands: the preview says update or replace, and of what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.sandbox.rig import Sandbox, Stack, clone
from tests.sandbox.shapes import dev

pytestmark = pytest.mark.sandbox

POOL = {"name": "general", "minSize": 2}


@pytest.fixture(scope="module")
def standing(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One dev stack that stands for every preview of this file."""
    sandbox.reset()
    folder = clone(tmp_path_factory.mktemp("standing"))
    (folder / "Pulumi.standing.yaml").write_text(yaml.safe_dump({"config": dev()}))
    stack = Stack(sandbox, folder, "standing")
    stack.up().ok()
    yield stack
    configure(stack, dev())
    stack.remove()


def configure(stack: Stack, config: dict[str, Any]) -> None:
    (stack.folder / f"Pulumi.{stack.name}.yaml").write_text(yaml.safe_dump({"config": config}))


def operations(stack: Stack, config: dict[str, Any]) -> set[tuple[str, str]]:
    """{(operation, short type)} of a preview under another config."""
    configure(stack, config)
    steps = stack.preview().ok().steps
    return {
        (s["op"], s["type"].rsplit(":", 1)[-1])
        for s in steps
        if s["op"] not in {"create-replacement", "delete-replaced"}
    }


LAUNCH = {("update", "LaunchTemplate"), ("update", "Group")}

CHANGES: dict[str, tuple[dict[str, Any], set[tuple[str, str]], set[tuple[str, str]]]] = {
    # setting: (config, operations that must be there, operations that may be there too)
    "managers.count": (
        dev(cluster={"managers": {"count": 5}}),
        {("update", "Group")},
        {("update", "ReadyCluster"), ("replace", "ReadyCluster")},
    ),
    "managers.instanceType": (dev(cluster={"managers": {"instanceType": "t3.medium"}}), LAUNCH, set()),
    "managers.diskGib": (dev(cluster={"managers": {"diskGib": 40}}), LAUNCH, set()),
    "workerPools.minSize": (
        dev(cluster={"workerPools": [POOL | {"minSize": 3}]}),
        {("update", "Group")},
        set(),
    ),
    "workerPools.labels": (dev(cluster={"workerPools": [POOL | {"labels": {"a": "b"}}]}), LAUNCH, set()),
    "snapshotKeep": (dev(cluster={"snapshotKeep": 12}), LAUNCH, set()),
    "metadataHopLimit": (dev(cluster={"metadataHopLimit": 2}), LAUNCH, set()),
    "logRetentionDays": (dev(cluster={"logRetentionDays": 30}), {("update", "LogGroup")}, set()),
    "network.nat": (
        dev(network={"nat": "per-zone"}),
        {("create", "NatGateway"), ("create", "Eip"), ("update", "Route")},
        set(),
    ),
    "network.zones": (
        dev(network={"zones": 3}),
        {("create", "Subnet"), ("create", "RouteTable"), ("create", "Group")},
        {
            ("create", "RouteTableAssociation"),
            ("create", "Route"),
            ("update", "VpcEndpoint"),
            ("update", "Group"),
            ("update", "LoadBalancer"),
            ("create", "LaunchTemplate"),
            ("create", "LifecycleHook"),
            ("create", "HostGroup"),
            ("delete", "Group"),
            ("delete", "LaunchTemplate"),
            ("delete", "LifecycleHook"),
            ("delete", "HostGroup"),
            ("update", "RolePolicy"),
        },
    ),
    "network.cidr": (dev(network={"cidr": "10.30.0.0/16"}), {("replace", "Vpc"), ("replace", "Subnet")}, {"any"}),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("setting", CHANGES)
def test_a_changed_setting_changes_what_it_must_and_nothing_else(setting: str, standing: Stack) -> None:
    config, must, may = CHANGES[setting]
    found = operations(standing, config)
    assert must <= found, f"{setting}: the preview lacks {must - found}; it has {sorted(found)}"
    if "any" not in may:
        assert found <= must | may, f"{setting}: the preview touches more than it must: {sorted(found - must - may)}"


def test_tags_are_updated_in_place_and_replace_nothing(standing: Stack) -> None:
    found = operations(standing, dev(tags={"team": "harbour"}))
    assert {op for op, _ in found} == {"update"}, f"a tag replaces nothing: {sorted(found)}"


def test_a_change_of_worker_count_touches_no_certificate_and_no_load_balancer(standing: Stack) -> None:
    found = operations(standing, dev(cluster={"workerPools": [POOL | {"minSize": 4, "maxSize": 8}]}))
    touched = {kind for _, kind in found}
    assert not touched & {"ClientCertificate", "CertificateAuthority", "LoadBalancer", "Listener"}, sorted(found)


def test_a_worker_pool_that_is_taken_out_goes_through_its_hooks(standing: Stack) -> None:
    """Emptied first, its termination hooks still there: that is when the agents drain the workers."""
    configure(standing, dev(cluster={"workerPools": [POOL, {"name": "extra", "minSize": 1, "maxSize": 1}]}))
    standing.up().ok()
    before = standing.sandbox.calls()[-1]["number"]
    configure(standing, dev(cluster={"workerPools": [POOL]}))
    standing.up().ok()
    wanted = {"UpdateAutoScalingGroup", "DeleteAutoScalingGroup", "DeleteLifecycleHook"}
    calls = [c for c in standing.sandbox.calls(before) if c["action"] in wanted]
    assert [c["action"] for c in calls] == ["UpdateAutoScalingGroup", "DeleteAutoScalingGroup"], calls
    assert calls[0]["parameters"]["DesiredCapacity"] == "0", calls[0]
    assert "true" not in str(calls[1]["parameters"].get("ForceDelete")).lower(), calls[1]
    names = {c["parameters"]["AutoScalingGroupName"] for c in calls}
    assert len(names) == 1 and "extra" in names.pop(), calls
