"""The way from the sandbox's commands to its machines (sandbox/machines), which not every host can have."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from sandbox.state import State

Say = Callable[[str], None]


def _controller() -> ModuleType | None:
    try:
        return importlib.import_module("sandbox.machines.controller")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("sandbox.machines"):
            return None
        raise


def start(state: State, endpoint: str, say: Say) -> None:
    """Start the machines' controller if this host can have machines; else say what is missing."""
    controller = _controller()
    if controller is None:
        say("machines: none (this checkout has no sandbox/machines); instances start and end by themselves")
        return
    reason = controller.supported()
    if reason is not None:
        say(f"machines: none ({reason}); instances start and end by themselves")
        return
    say(f"machines: controller pid {controller.start(state.folder, endpoint)}")


def stop(state: State, say: Say) -> None:
    """End the controller and every machine; nothing to do is no error."""
    controller = _controller()
    if controller is not None and controller.supported() is None:
        controller.stop(state.folder)
        say("machines: ended")


def status(state: State) -> list[dict[str, Any]]:
    """The machines; empty where there are none."""
    controller = _controller()
    if controller is None or controller.supported() is not None:
        return []
    result: list[dict[str, Any]] = controller.status(state.folder)
    return result


def started(state: State) -> bool:
    """Whether a controller lives, so that instances become booted hosts."""
    controller = _controller()
    return controller is not None and controller.supported() is None and controller.running(state.folder) is not None
