"""RFC 3339 in UTC to the second: how the provider writes times."""

from datetime import UTC, datetime

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def render(time: datetime) -> str:
    """``2026-11-23T08:00:00Z``."""
    return time.astimezone(UTC).strftime(_FORM)


def parse(text: str) -> datetime:
    """The inverse of :func:`render`."""
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
