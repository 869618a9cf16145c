"""Where things lie: the checkout, its environment, and the cache that all checkouts of a user share."""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
LOCK = CHECKOUT / "requirements.lock"
ENGINE_SOURCE = CHECKOUT / "toolchain" / "engine"
BOOTSTRAP_LOCK = CHECKOUT / "toolchain" / "bootstrap.lock"


def cache() -> Path:
    """Folder of the shared cache, by the XDG base directory specification: a relative XDG_CACHE_HOME does not count."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "timonel"  # noqa: PTH117
