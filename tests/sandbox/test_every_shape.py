"""Every shape of the dev stack: up, an empty second preview, a destroy without flags, nothing left.

Each test is one run of the real engine against the sandbox's API.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.rig import Sandbox, Stack, clone
from tests.sandbox.shapes import PREINSTALLED_IMAGE, closed_network, dev, existing_vpc

pytestmark = pytest.mark.sandbox

SHAPES: dict[str, Callable[[], dict[str, Any]]] = {
    "one manager": lambda: dev(cluster={"managers": {"count": 1}}),
    "three zones, one NAT gateway": lambda: dev(network={"zones": 3}),
    "three zones, a NAT gateway each": lambda: dev(network={"zones": 3, "nat": "per-zone"}),
    "no NAT": lambda: dev(network=closed_network(), cluster={"image": PREINSTALLED_IMAGE}),
    "spot workers": lambda: dev(cluster={"workerPools": [{"name": "general", "purchase": "spot", "minSize": 2}]}),
    "arm64": lambda: dev(cluster={"image": {"architecture": "arm64"}}),
}


def leftovers(sandbox: Sandbox, stack: Stack) -> dict[str, Any]:
    """What `leaks` says of one stack."""
    found = sandbox.cli("leaks", "--stack", f"timonel/{stack.name}", "--json")
    report: dict[str, Any] = json.loads(found.out)
    assert report["left_behind"] == [], f"destroy left something behind\n{found}"
    assert found.code == 0, f"nothing is left, so the exit code says so\n{found}"
    return report


def lives_and_leaves_nothing(sandbox: Sandbox, stack: Stack) -> None:
    """The promise that every stack file makes."""
    created = stack.up().ok()
    assert created.changed.keys() == {"create"}, f"a first up only creates: {created.changed}"
    again = stack.preview("--expect-no-changes").ok()
    assert again.changed == {}, f"the second preview is empty: {again.steps}"
    stack.destroy().ok()
    assert stack.resources() == [], "the state is empty after destroy"
    leftovers(sandbox, stack)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_comes_up_previews_empty_and_leaves_nothing(
    shape: str, account: Sandbox, checkout_stack: Callable[..., Stack]
) -> None:
    lives_and_leaves_nothing(account, checkout_stack(SHAPES[shape]()))


def test_an_existing_vpc_is_used_and_is_left_as_it_was(account: Sandbox, checkout_stack: Callable[..., Stack]) -> None:
    given = existing_vpc(account)
    ec2 = account.client("ec2")

    def seen() -> tuple[Any, ...]:
        in_it = [{"Name": "vpc-id", "Values": [given["vpcId"]]}]
        return (
            ec2.describe_vpcs(VpcIds=[given["vpcId"]])["Vpcs"],
            ec2.describe_subnets(Filters=in_it)["Subnets"],
            ec2.describe_route_tables(Filters=in_it)["RouteTables"],
            ec2.describe_vpc_endpoints(Filters=in_it)["VpcEndpoints"],
        )

    before = seen()
    lives_and_leaves_nothing(account, checkout_stack(dev(network={"existing": given})))
    assert seen() == before, "a VPC that is somebody else's is never changed"


def test_a_second_clone_previews_empty_too(
    account: Sandbox, checkout_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = checkout_stack(dev())
    stack.up().ok()
    other = clone(tmp_path / "second-clone")
    for path in other.rglob("*.py"):
        path.touch()  # an artefact that carried file times would differ now
    config = stack.folder / f"Pulumi.{stack.name}.yaml"
    (other / config.name).write_bytes(config.read_bytes())
    there = Stack(account, other, stack.name)
    again = there.preview("--expect-no-changes").ok()
    assert again.changed == {}, f"the same commit elsewhere wants the same: {again.steps}"
    there.destroy().ok()
    leftovers(account, stack)
