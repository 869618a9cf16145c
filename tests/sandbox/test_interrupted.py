"""What happens to a run that is killed, or throttled, or overtaken by somebody at the console."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.rig import Sandbox, Stack
from tests.sandbox.shapes import dev

pytestmark = pytest.mark.sandbox

THROTTLED = {"RequestLimitExceeded", "Throttling", "ThrottlingException", "SlowDown"}


def leaks(sandbox: Sandbox, stack: Stack) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(sandbox.cli("leaks", "--stack", f"timonel/{stack.name}", "--json").out)
    return report


def calls_that_create(sandbox: Sandbox) -> int:
    return sum(call["action"].startswith(("Create", "Put", "Allocate")) for call in sandbox.calls())


def test_kill_9_half_way_then_again_names_the_holder_ends_its_orphans_and_finishes(
    account: Sandbox, checkout_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = checkout_stack(dev())
    process = stack.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + 180
    while calls_that_create(account) < 30 and time.monotonic() < deadline:
        assert process.poll() is None, "the update ended before it could be killed"
        time.sleep(0.1)
    engine = _engine_below(process.pid)
    os.kill(engine, signal.SIGKILL)
    process.wait(timeout=60)

    said = account.cli("repair", "--stack", stack.name, "--project", str(stack.folder)).ok().text
    assert str(engine) in said, f"repair names the dead holder (pid {engine})\n{said}"
    assert _with_environment_of(stack) == [], "no provider or language host of the dead run lives on"

    stack.up().ok()
    assert stack.preview("--expect-no-changes").ok().changed == {}, "the second run completed what the first began"
    twins = leaks(account, stack)["left_behind"]
    stack.destroy().ok()
    after = leaks(account, stack)["left_behind"]
    named = {item["id"] for item in twins}
    assert {item["id"] for item in after} <= named, (
        f"what destroy can't know (made in flight when the engine died) was named while the stack stood: {after}"
    )


def test_repair_refuses_while_the_holder_lives(account: Sandbox, checkout_stack: Callable[..., Stack]) -> None:
    stack = checkout_stack(dev())
    process = stack.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + 180
    while calls_that_create(account) < 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    said = account.cli("repair", "--stack", stack.name, "--project", str(stack.folder)).failed().text
    assert "lives" in said or "running" in said, f"it says that somebody is at work\n{said}"
    assert process.wait(timeout=600) == 0, "the run that was at work ends well, untouched by repair"
    stack.destroy().ok()


@pytest.mark.parametrize("rate", [0.1])
def test_up_and_destroy_succeed_while_one_call_in_ten_is_throttled(
    rate: float, account: Sandbox, checkout_stack: Callable[..., Stack]
) -> None:
    account.cli("faults", "set", "--throttle", str(rate), "--seed", "7").ok()
    stack = checkout_stack(dev())
    stack.up().ok()
    stack.destroy().ok()
    account.cli("faults", "clear").ok()
    throttled = [call for call in account.calls() if call["error"] in THROTTLED]
    assert len(throttled) > 10, "the faults were really on"
    assert leaks(account, stack)["left_behind"] == [], "a retried create made nothing twice"


def test_refresh_shows_what_was_changed_behind_pulumis_back(
    account: Sandbox, checkout_stack: Callable[..., Stack]
) -> None:
    stack = checkout_stack(dev())
    stack.up().ok()
    [group] = [r for r in stack.resources("aws:ec2/securityGroup:SecurityGroup") if r["urn"].endswith("-nodes")]
    account.client("ec2").create_tags(Resources=[group["id"]], Tags=[{"Key": "Name", "Value": "by hand"}])
    shown = stack.pulumi("refresh", "-s", stack.name, "--preview-only", "--diff").ok().text
    assert "by hand" in shown, f"refresh shows the drift\n{shown}"
    stack.refresh().ok()
    repaired = stack.preview().ok()
    assert [s["type"] for s in repaired.steps] == ["aws:ec2/securityGroup:SecurityGroup"], (
        f"and only what drifted would be put right: {repaired.steps}"
    )
    stack.up().ok()
    stack.destroy().ok()


def _engine_below(pid: int) -> int:
    """The pulumi process that exec became or started."""
    for candidate in [pid, *_descendants(pid)]:
        if Path(f"/proc/{candidate}/exe").resolve().name == "pulumi":
            return candidate
    raise AssertionError(f"no pulumi process below {pid}")


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _with_environment_of(stack: Stack) -> list[str]:
    """Processes whose working folder or command line is the stack's project."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            at = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(stack.folder) in words or at == str(stack.folder):
            found.append(words)
    return found
