"""Bounded waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from provider.errors import ProviderError
from provider.handler import Context

LONGEST_INTERVAL = 5.0
"""Seconds between two looks: what is waited for takes AWS one to several minutes."""
SAY_AGAIN_SECONDS = 60
"""The same sentence is repeated this often, so that a long wait does not look like a hang."""


@dataclass
class Pace:
    """A bound in time with a voice."""

    context: Context
    seconds: float
    """The bound of the whole, from the moment that this was made."""
    begun: float = field(default_factory=time.monotonic)
    _said: str = ""
    _said_at: float = 0.0

    @property
    def waited(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begun

    @property
    def left(self) -> float:
        """Seconds until the bound, at least 0."""
        return max(0.0, self.seconds - self.waited)

    @property
    def interval(self) -> float:
        """Seconds between two looks; shorter under a short bound."""
        return min(LONGEST_INTERVAL, self.seconds / 60)

    def part(self, share: float) -> float:
        """Until when (in ``waited``) a step may go on that gets ``share`` of the whole, if so much is left."""
        return self.waited + min(self.seconds * share, self.left)

    def say(self, sentence: str) -> None:
        """Tell the user what is waited for: when it changes, and once a minute."""
        if sentence != self._said or self.waited - self._said_at >= SAY_AGAIN_SECONDS:
            self.context.log(f"{self.waited:.0f} s: {sentence}")
            self._said, self._said_at = sentence, self.waited

    def rest(self) -> None:
        """Wait one interval.

        Raises:
            ProviderError: the engine wants everything to end.
        """
        if self.context.stop.wait(self.interval):
            raise ProviderError("the clean-up was cancelled; run destroy again to go on with it")
