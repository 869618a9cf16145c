"""Volumes of services that are gone. A service's own volumes are made by the node that runs it, so no client of the
swarm's API can remove them later; the node's agent can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from node_agent.ports import AwayError, NoLeaderError, SwarmError

LABEL = "timonel.unused"
REMOVE = "remove"
"""The label's value on a volume that shall go with the last service that mounts it. Volumes without it are kept."""
EVERY = 60.0
"""Seconds between two looks."""
GRACE = 600.0
"""Seconds that no service must have mounted it: an update that stopped between two services is finished within them."""


class LocalVolumes(Protocol):
    """What is asked of dockerd."""

    def labelled_volumes(self, label: str, value: str) -> list[str]:
        """Names of this node's volumes with a label."""

    def mounted_volumes(self) -> set[str]:
        """Names of the volumes that the swarm's services mount."""

    def remove_volume(self, volume: str) -> bool:
        """Removes one; False while a container still has it."""


class Volumes:
    """On managers only: a worker cannot ask for the swarm's services."""

    def __init__(self, docker: LocalVolumes, log: Callable[..., None], grace: float = GRACE) -> None:
        """Args:
        docker: of this node.
        log: where a removal is told.
        grace: seconds that a volume must have been unused.
        """
        self._docker, self._log, self._grace = docker, log, grace
        self._looked = -EVERY
        self._unused: dict[str, float] = {}

    def look(self, now: float) -> None:
        """Removes what has been unused for long enough. Never raises for what dockerd refuses."""
        if now - self._looked < EVERY:
            return
        self._looked = now
        try:
            self._unused = self._still_unused(now)
            for volume, since in list(self._unused.items()):
                if now - since >= self._grace and self._docker.remove_volume(volume):
                    del self._unused[volume]
                    self._log("volume", "removed", target=volume, why=f"no service mounts it, and {LABEL}={REMOVE}")
        except (AwayError, NoLeaderError, SwarmError) as error:
            self._unused = {}  # what was not seen may have been in use
            self._log("volumes", "away", error=str(error))

    def _still_unused(self, now: float) -> dict[str, float]:
        labelled = self._docker.labelled_volumes(LABEL, REMOVE)
        if not labelled:
            return {}
        mounted = self._docker.mounted_volumes()
        return {name: self._unused.get(name, now) for name in labelled if name not in mounted}
