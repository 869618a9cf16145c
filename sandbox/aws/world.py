"""What the API knows beyond moto: its own time settings, the machines' controller, and what that reported."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sandbox.aws.faults import Faults
from sandbox.processes import ProcessId


@dataclass(frozen=True)
class Settings:
    """How fast the sandbox's AWS moves. Seconds.

    Attributes:
        transition: pending -> running and the like, when no controller reports them.
        hook: after which the API itself completes lifecycle actions, when `auto_complete_hooks` and no controller.
        auto_complete_hooks: without machines nobody else would ever complete a lifecycle action.
        health_check: how long an instance that is not running stays unnoticed by its group (AWS: up to minutes).
        warmup: upper bound for the instance warm-up of a refresh (AWS: the group's 300 s grace period by default).
        launch_retry: between attempts to launch where there was no capacity.
        enforce: services (as signed) whose calls by an instance's role are refused when its policies do not allow them.
        cloud_controllers: whether the stand-ins for AWS's controllers in EKS clusters work (false: as dead).
        terminated_visible: how long terminated instances are described (AWS: about an hour).
    """

    transition: float = 0.5
    hook: float = 1.0
    auto_complete_hooks: bool = True
    health_check: float = 5.0
    warmup: float = 5.0
    launch_retry: float = 5.0
    terminated_visible: float = 3600.0
    cloud_controllers: bool = True
    enforce: list[str] = field(default_factory=lambda: ["s3", "secretsmanager"])


@dataclass
class World:
    """One for the process. Guarded by the application's lock."""

    settings: Settings = field(default_factory=Settings)
    faults: Faults = field(default_factory=Faults)
    controller: ProcessId | None = None

    def tick(self) -> None:
        """A controller that died reports nothing any more: instances move by themselves again."""
        if self.controller is not None and not self.controller.alive():
            self.controller = None

    def set(self, content: dict[str, Any]) -> None:
        """Change settings.

        Raises:
            ValueError: an unknown key.
        """
        unknown = set(content) - set(asdict(Settings()))
        if unknown:
            raise ValueError(f"settings: unknown {sorted(unknown)}; known: {sorted(asdict(Settings()))}")
        self.settings = replace(self.settings, **content)

    def reset(self) -> None:
        """Everything but the controller as at the start."""
        self.settings = Settings()
        self.faults.set({})


WORLD = World()
