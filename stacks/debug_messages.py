"""The SDK's messages for its own developers: each is a call to the engine that the program waits for.

ADR 0012 says what they cost and who misses them.
"""

from typing import Any

import pulumi


def drop() -> None:
    """Send none from now on. Called by the program only."""
    setattr(pulumi.log, "debug", _dropped)  # noqa: B010 (a type checker refuses the assignment)


def _dropped(*_: Any, **__: Any) -> None:
    """In place of ``pulumi.log.debug``."""
