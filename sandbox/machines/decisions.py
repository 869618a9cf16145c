"""What to do with one host, given its instance's state and its own: a pure function."""

from enum import StrEnum

from sandbox.machines.cloud import GONE, OFF
from sandbox.machines.host import REBOOTED


class Action(StrEnum):
    """What to do with one host now."""

    NOTHING = "nothing"
    BOOT = "boot"
    REBOOT = "reboot"
    SHUT_DOWN = "shut down"
    DESTROY = "destroy"
    REPORT = "report"
    STOP_INSTANCE = "stop instance"
    LOST_POWER = "lost power"


def decide(state: str, *, exists: bool, alive: bool, powered: bool, ended: int | None, reboot: bool) -> Action:
    """One host's next step.

    Args:
        state: the instance's state in the API.
        exists: the host has a folder, so it was booted before.
        alive: its PID 1 runs.
        powered: nobody has cut its power.
        ended: exit code of the last boot, None when unknown.
        reboot: RebootInstances was called since the last look.
    """
    if state in GONE:
        return Action.DESTROY if exists or state == "shutting-down" else Action.NOTHING
    if state in OFF:
        return Action.SHUT_DOWN if alive or state == "stopping" else Action.NOTHING
    if alive:
        return Action.REBOOT if reboot else (Action.REPORT if state == "pending" else Action.NOTHING)
    if not exists or (powered and (state == "pending" or ended == REBOOTED)):
        return Action.BOOT
    if not powered:
        return Action.NOTHING
    # The host's own poweroff stops an EC2 instance; an end that nobody asked for is a power cut.
    return Action.STOP_INSTANCE if ended == 0 else Action.LOST_POWER
