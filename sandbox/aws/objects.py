"""Versioned buckets in which something was deleted: emptying them works as on S3.

moto 5.2 releases every version of a key that goes for good, delete markers too, which have nothing to release and
answer with a server error.
"""

from __future__ import annotations

from typing import Any

from moto.s3.models import FakeDeleteMarker


def install() -> None:
    """Give delete markers the method that moto calls. Idempotent."""

    def dispose(_self: Any, garbage: bool = False) -> None:
        """Nothing: a marker holds no content."""

    FakeDeleteMarker.dispose = dispose  # type: ignore[attr-defined]
