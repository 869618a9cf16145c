"""The API's own time: what AWS does by itself (instances start, hooks expire, groups replace) happens on its ticks."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

INTERVAL = 0.2
"""Seconds between ticks."""


class Clock:
    """Calls every registered task under the application's lock, one tick after another."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self.tasks: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to tick in a thread of its own."""
        threading.Thread(target=self._run, name="clock", daemon=True).start()

    def tick(self) -> None:
        """One tick, now. A task that fails says so in the log and does not stop the others."""
        with self._lock:
            for task in self.tasks:
                try:
                    task()
                except Exception:  # noqa: BLE001 - the API must outlive one broken model
                    traceback.print_exc()

    def _run(self) -> None:
        while True:
            time.sleep(INTERVAL)
            self.tick()
