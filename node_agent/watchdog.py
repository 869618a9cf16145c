"""A dockerd that runs and no longer answers: it is killed, systemd starts it again, and the node keeps its identity."""

from __future__ import annotations

from collections.abc import Callable

from node_agent import daemon
from node_agent.ports import AwayError, SwarmError

HUNG = 90.0
"""Seconds of silence after which dockerd is killed; the swarm has called the node down since 15 s of them."""


class Watchdog:
    """Asked between two passes, so never while the agent itself has stopped dockerd."""

    def __init__(
        self,
        ask: Callable[[], object],
        runs: Callable[[], bool] = daemon.runs,
        kill: Callable[[], None] = daemon.kill,
    ) -> None:
        """Args:
        ask: any request to dockerd; raises AwayError when it does not answer.
        runs: whether systemd says that it has started (one that is still starting may be slow).
        kill: ends it at once.
        """
        self._ask, self._runs, self._kill = ask, runs, kill
        self._silent_since: float | None = None

    def look(self, now: float) -> float:
        """Kills a hung dockerd.

        Returns:
            For how many seconds the one that was killed had been silent; 0 when none was.
        """
        try:
            self._ask()
        except AwayError:
            if not self._runs():
                self._silent_since = None
                return 0.0
            began = self._silent_since = now if self._silent_since is None else self._silent_since
            if now - began < HUNG:
                return 0.0
            self._silent_since = None
            self._kill()
            return now - began
        except SwarmError:
            pass  # it refuses, so it lives
        self._silent_since = None
        return 0.0
