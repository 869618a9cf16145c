"""The controller can be killed at any time; two sandboxes with the same addresses do not meet."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.machines import actions, controller
from tests.sandbox.machines.rig import IMDS, TOKEN, Machines, reaches, shell, until

pytestmark = pytest.mark.machines

Launch = Callable[..., str]


def test_a_killed_controller_is_started_again_and_takes_over_the_hosts(machines: Machines, launch: Launch) -> None:
    instance = launch()
    [host] = machines.booted(instance)
    leader = host.leader()
    former = controller.running(machines.folder)
    assert former and leader
    os.kill(former.pid, signal.SIGKILL)
    until("it is dead", lambda: not former.alive())
    assert leader.alive(), "hosts do not hang on the controller"
    during = launch(zone="us-east-1b")
    assert machines.up("--machines").code == 0
    assert controller.running(machines.folder) != former
    assert host.leader() == leader, "the running host was taken over, not booted again"
    ask = f'T={TOKEN}; curl -sf -H "X-aws-ec2-metadata-token: $T" {IMDS}/meta-data/instance-id'
    assert shell(host, ask) == instance, "and is served again"
    machines.booted(during)


def test_two_sandboxes_with_the_same_addresses_do_not_meet(machines: Machines, launch: Launch, tmp_path: Path) -> None:
    other = Machines(tmp_path / "other", machines.cidr)
    [mine] = machines.booted(launch())
    try:
        other.up("--machines")
        other.prepare()
        [first] = other.booted(other.launch())
        [second] = other.booted(other.launch(zone="us-east-1c"))
        here, there, third = mine.identity(), first.identity(), second.identity()
        assert here and there and third
        assert here.wire.subnet_cidr == there.wire.subnet_cidr, "the premise: equal addresses"
        known = [h.identity() for h in actions.hosts(machines.folder)]
        assert third.wire.ip not in [i.wire.ip for i in known if i], "the premise: nobody here has its address"
        assert reaches(first, third.wire.ip)
        assert not reaches(mine, third.wire.ip), "a host of the other sandbox answered"
        who = shell(first, f'T={TOKEN}; curl -sf -H "X-aws-ec2-metadata-token: $T" {IMDS}/meta-data/instance-id')
        assert who == first.id
        leader = mine.leader()
    finally:
        other.down()
    left = {what: found for what, found in other.traces().items() if found}
    assert not left, f"down left something behind: {left}"
    assert mine.leader() == leader, "the end of one sandbox is nothing to the other"
