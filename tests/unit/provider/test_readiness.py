"""What counts as ready: pure judgements, then the gate against moto."""

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from provider.errors import ProviderError
from provider.readiness import Group, Look, judge
from tests.unit.provider.conftest import REGION, Harness

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def instance(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "InstanceId": name,
        "LifecycleState": "InService",
        "HealthStatus": "Healthy",
        "LaunchTemplate": {"Version": "2"},
        **changes,
    }


def group(*instances: dict[str, Any], refresh: dict[str, Any] | None = None, desired: int | None = None) -> Group:
    description = {
        "DesiredCapacity": len(instances) if desired is None else desired,
        "Instances": list(instances),
        "LaunchTemplate": {"Version": "2"},
    }
    return Group("managers", description, refresh)


def node(name: str, role: str = "manager", **changes: str) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "hostname": f"host-{name}",
        "instance_id": name,
        "role": role,
        "zone": "us-east-1a",
        "state": "ready",
        "reachability": "reachable" if role == "manager" else "",
        **changes,
    }


def status(*nodes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "epoch": 1,
        "leader": "id-m",
        "nodes": list(nodes),
        "tokens_published": True,
        "updated": NOW.timestamp(),
        "recovery": {"from": "snapshot", "at": 1.0},
        "redirect": None,
        **changes,
    }


HEALTHY = (group(instance("m")), status(node("m")))


@pytest.mark.parametrize(
    ("managers", "told", "words"),
    [
        pytest.param(*HEALTHY, None, id="healthy"),
        pytest.param(Group("managers", None), status(node("m")), "does not exist yet", id="no group"),
        pytest.param(group(instance("m"), desired=2), status(node("m")), "1 of 2 in service", id="one missing"),
        pytest.param(
            group(instance("m"), instance("x", LifecycleState="Terminating:Wait"), desired=1),
            status(node("m")),
            "x Terminating:Wait",
            id="one leaving",
        ),
        pytest.param(
            group(instance("m"), refresh={"Status": "InProgress", "PercentageComplete": 33}),
            status(node("m")),
            "InProgress, 33 % done",
            id="refresh runs",
        ),
        pytest.param(
            group(instance("m", LaunchTemplate={"Version": "1"})),
            status(node("m")),
            "m not yet replaced",
            id="old template, refresh not begun",
        ),
        pytest.param(group(instance("m")), None, "no manager has written", id="no status"),
        pytest.param(
            group(instance("m")), status(node("m"), updated=NOW.timestamp() - 600), "600 s old", id="stale status"
        ),
        pytest.param(group(instance("m")), status(node("m"), leader=None), "no leader", id="no leader"),
        pytest.param(
            group(instance("m")), status(node("m"), tokens_published=False), "tokens are not published", id="no tokens"
        ),
        pytest.param(
            group(instance("m")),
            status(node("m"), redirect={"10.0.0.1": "10.0.0.2"}),
            "recovery is under way",
            id="recovery",
        ),
        pytest.param(
            group(instance("m")), status(node("m", reachability="unreachable")), "0 of 1 managers", id="unreachable"
        ),
        pytest.param(
            group(instance("m")),
            status(node("m"), node("w", "worker", state="down")),
            "node host-w is down",
            id="a dead node is still listed",
        ),
        pytest.param(
            group(instance("m")),
            status(node("m"), node("w", "worker", state="down", hostname="", id="9qx")),
            "node 9qx is down",
            id="joined a moment ago, no name yet",
        ),
        pytest.param(group(instance("other")), status(node("m")), "not ready in the swarm: other", id="not joined"),
    ],
)
def test_a_look_says_what_is_not_as_it_should_be(managers: Group, told: Any, words: str | None) -> None:
    verdict = judge(Look([managers], [], told), 1, NOW)
    assert verdict.fatal == []
    assert bool(verdict.waiting) == (words is not None), verdict.waiting
    assert words is None or words in "; ".join(verdict.waiting)


def test_a_failed_refresh_ends_the_wait_only_while_an_old_instance_is_left() -> None:
    failed = {"Status": "Failed", "InstanceRefreshId": "r-1", "StatusReason": "hook abandoned"}
    old = Look([group(instance("m", LaunchTemplate={"Version": "1"}), refresh=failed)], [], status(node("m")))
    assert judge(old, 1, NOW).fatal == ["group managers: instance refresh r-1 Failed: hook abandoned"]
    mended = Look([group(instance("m"), refresh=failed)], [], status(node("m")))
    assert judge(mended, 1, NOW).fatal == [], "a failure of last week must not fail this up"


def test_a_mixed_instances_group_is_held_against_its_own_template() -> None:
    description = {
        "DesiredCapacity": 1,
        "Instances": [instance("w", LaunchTemplate={"Version": "4"})],
        "MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": {"Version": "5"}}},
    }
    assert Group("workers", description).outdated == ["w"]


def gate(**changes: Any) -> dict[str, Any]:
    return {
        "region": REGION,
        "bucket": "state",
        "managerGroups": ["managers"],
        "workerGroups": [],
        "managers": 1,
        "triggers": {"template": "1"},
        "timeoutSeconds": 60,
        "consecutive": 2,
        "intervalSeconds": 0,
        **changes,
    }


@pytest.fixture
def cluster(bucket: str) -> Callable[..., None]:
    """A group of one manager; the function that it gives writes the managers' status."""
    image = boto3.client("ec2", REGION).describe_images()["Images"][0]["ImageId"]
    ec2, scaling = boto3.client("ec2", REGION), boto3.client("autoscaling", REGION)
    ec2.create_launch_template(LaunchTemplateName="managers", LaunchTemplateData={"ImageId": image})
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="managers",
        LaunchTemplate={"LaunchTemplateName": "managers", "Version": "1"},
        MinSize=1,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
    )
    answer = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"][0]["InstanceId"]

    def write(**changes: Any) -> None:
        body = json.dumps(status(node(answer), **changes))
        boto3.client("s3", REGION).put_object(Bucket=bucket, Key="managers/status.json", Body=body.encode())

    return write


@pytest.fixture(autouse=True)
def no_refreshes(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto 5.2 has no DescribeInstanceRefreshes; the judgement on refreshes is tested above."""
    monkeypatch.setattr("provider.ready_cluster._latest_refresh", lambda scaling, name, described: None)


def test_the_gate_opens_after_healthy_looks_in_a_row(engine: Harness, cluster: Callable[..., None]) -> None:
    cluster()
    identity, state = engine.create("ReadyCluster", gate())
    assert identity == "state/ready"
    assert engine.said[-1].startswith("ready after")
    assert state.keys() == gate().keys(), "the gate gives no data"
    assert engine.diff("ReadyCluster", state, gate()).changes is False
    assert engine.diff("ReadyCluster", state, gate(triggers={"template": "2"})).detailed_diff.keys() == {"triggers"}


def test_the_gate_says_what_it_waits_for_and_its_time_out_says_what_is_missing(
    engine: Harness, cluster: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provider.ready_cluster.SAY_AGAIN_SECONDS", float("inf"))
    clock = itertools.count(0, 0.3)  # a look takes so long, however busy the machine is
    monkeypatch.setattr("provider.ready_cluster.time", SimpleNamespace(monotonic=lambda: next(clock)))
    cluster(leader=None)
    with pytest.raises(ProviderError, match=r"(?s)ReadyCluster it: .*not ready after 1 s.*the swarm has no leader"):
        engine.create("ReadyCluster", gate(timeoutSeconds=1))
    assert any("the swarm has no leader" in line for line in engine.said)
    sentences = [line.partition(" s: ")[2] for line in engine.said]
    assert len(sentences) == len(set(sentences)), "an unchanged sentence is not repeated at every look"


def test_the_gate_ends_at_once_when_the_engine_cancels(engine: Harness, cluster: Callable[..., None]) -> None:
    engine.provider._stop.set()
    with pytest.raises(ProviderError, match="cancelled"):
        engine.create("ReadyCluster", gate())


def test_the_gate_does_not_wait_for_what_aws_refuses(engine: Harness) -> None:
    with pytest.raises(ProviderError, match="NoSuchBucket"):
        engine.create("ReadyCluster", gate(bucket="missing"))


def test_a_clock_of_a_later_day_makes_the_status_old(engine: Harness, cluster: Callable[..., None]) -> None:
    cluster()
    engine.time += timedelta(hours=1)
    with pytest.raises(ProviderError, match="last word is 3600 s old"):
        engine.create("ReadyCluster", gate(timeoutSeconds=1))
