"""kill -9 of `pulumi up` half way, then repair and `up` again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from sandbox.processes import ProcessId, with_marker
from sandbox.state import read_json
from tests.sandbox.rig import Sandbox, Stack

pytestmark = pytest.mark.sandbox

PROGRAM = """
import pulumi, pulumi_aws as aws
stack = f"{pulumi.get_project()}/{pulumi.get_stack()}"
vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags={"Name": "vpc", "timonel:stack": stack})
for i in range(4):
    aws.ec2.Subnet(f"s{i}", vpc_id=vpc.id, cidr_block=f"10.0.{i}.0/24", tags={"Name": f"s{i}", "timonel:stack": stack})
"""


def _until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def test_a_killed_up_is_repaired_named_and_goes_on(account: Sandbox, project: Callable[..., Stack]) -> None:
    stack = project(PROGRAM)
    name = stack.folder / "Pulumi.yaml"
    project_name = name.read_text().split()[1]
    # Every subnet's create is slow, so that some are in flight when the engine dies.
    account.control("PUT", "faults", {"delay": 3.0, "actions": ["CreateSubnet"]})
    running = stack.start("up", "-s", stack.name, "--yes", "--skip-preview")
    _until(lambda: any(c["action"] == "CreateVpc" for c in account.calls()), 300, "the VPC is made")
    _until(lambda: _pending(account, project_name), 100, "a subnet is in flight")
    [run] = [r["run"] for p in account.state.runs.glob("*.json") if (r := read_json(p)).get("pid") == running.pid]
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    account.control("PUT", "faults", {})
    finished = account.cli("repair", "--stack", "test", "--project", str(stack.folder)).ok()
    assert f"pid {running.pid}" in finished.out, f"the dead holder must be named\n{finished}"
    assert "was interrupted" in finished.out, f"the operations in flight must be named\n{finished}"
    assert with_marker("TIMONEL_RUN", [run]) == {}, "no process of the killed run may live on"
    print(finished)
    stack.up().ok()
    assert stack.preview("--expect-no-changes").ok().changed == {}
    subnets = account.client("ec2").describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["s*"]}])["Subnets"]
    assert len(subnets) == 4, "what the killed run made was taken into the state, so nothing was made twice"
    stack.destroy().ok()
    account.cli("leaks", "--stack", f"{project_name}/test").ok()


def _pending(account: Sandbox, project: str) -> bool:
    content = read_json(account.state.engine / ".pulumi" / "stacks" / project / "test.json")
    latest = content.get("checkpoint", {}).get("latest") or {}
    return any("subnet" in o["resource"]["type"] for o in latest.get("pending_operations") or [])


def test_a_living_holder_is_named_and_left_alone(account: Sandbox, project: Callable[..., Stack]) -> None:
    stack = project(PROGRAM)
    account.control("PUT", "faults", {"delay": 3.0, "actions": ["CreateVpc"]})
    running = stack.start("up", "-s", stack.name, "--yes", "--skip-preview")
    locks = account.state.engine / ".pulumi" / "locks"
    _until(lambda: any(locks.glob("**/*.json")), 60, "the engine locks the stack")
    identity = ProcessId.of(running.pid)
    refused = account.cli("repair", "--stack", "test", "--project", str(stack.folder)).failed()
    assert f"pid {running.pid}" in refused.text and "locked" in refused.text
    assert identity is not None and identity.alive(), "a living run must not be touched"
    account.control("PUT", "faults", {})
    out, err = running.communicate(timeout=180)
    assert running.returncode == 0, out + err
    stack.destroy().ok()
