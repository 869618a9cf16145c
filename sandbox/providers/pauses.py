"""Growing pauses between two tries or polls, until a deadline."""

import threading
import time
from collections.abc import Callable

from sandbox.providers.serve import ProviderError

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0
"""Seconds between two tries or polls; each pause is half as long again as the one before."""


class CancelledError(ProviderError):
    """The engine asked the provider to stop."""


class Pauses:
    """Growing pauses until a deadline, with a status line after a while."""

    def __init__(self, seconds: float, cancelled: threading.Event, status: Callable[[str], None]) -> None:
        """Start the clock.

        Args:
            seconds: the deadline from now.
            cancelled: ends a pause early.
            status: shows what is waited for.
        """
        self._started = time.monotonic()
        self._seconds = seconds
        self._pause = FIRST_PAUSE
        self._cancelled = cancelled
        self._status = status

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def rest(self, what: str) -> bool:
        """Pause once; False when the deadline has passed. ``what`` is shown when it takes longer than 2 seconds."""
        if self.elapsed >= self._seconds:
            return False
        if self.elapsed > 2:
            self._status(f"{what} ({self.elapsed:.0f} s)")
        if self._cancelled.wait(self._pause):
            raise CancelledError(f"cancelled while {what}")
        self._pause = min(self._pause * 1.5, LONGEST_PAUSE)
        return True
