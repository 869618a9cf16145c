"""What MonitoringStack refuses, by name, before anything is made."""

from typing import Any

import pytest

from components.errors import InputError
from components.monitoring.checks import check

BASE: dict[str, Any] = {"cluster": "dev", "address": "lb", "authority": {}, "managers": 3}


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"replicas": 3}, "replicas", "same data"),
        ({"replicas": 2, "managers": 1}, "replicas", "Each manager runs one"),
        ({"alertmanagers": 4}, "alertmanagers", "Three"),
        ({"alertmanagers": 2, "managers": 1}, "alertmanagers", "Each manager runs one"),
        ({"retention_days": 0}, "retention_days", "history"),
        ({"scrape_interval_seconds": 1}, "scrape_interval_seconds", "alerts"),
        ({"receivers": [{"kind": "slack", "secret": "s"}]}, "receivers[0].channel", "slack"),
        ({"receivers": [{"kind": "email", "secret": "s", "to": "a@b"}]}, "receivers[0].sender", "email"),
        ({"receivers": [{"kind": "webhook", "secret": "s", "channel": "#a"}]}, "receivers[0].channel", "no use"),
        ({"receivers": [{"kind": "pagerduty", "secret": "s", "url": "events.eu"}]}, "receivers[0].url", "HTTP"),
        ({"receivers": [{"kind": "webhook", "secret": "s", "url": "https://x"}]}, "receivers[0].url", "no use"),
        (
            {"receivers": [{"kind": "email", "secret": "s", "to": "a@b", "sender": "c@d", "server": "mail.example"}]},
            "receivers[0].server",
            "port",
        ),
        ({"remote_write": {"url": "example.com"}}, "remote_write.url", "HTTP"),
        ({"remote_write": {"url": "https://x", "username": "me"}}, "remote_write", "both"),
    ],
)
def test_what_cannot_work_is_refused_by_name(changes: dict[str, Any], path: str, reason: str) -> None:
    args: Any = {**BASE, **changes}
    with pytest.raises(InputError) as caught:
        check(args)
    assert caught.value.path == path
    assert reason in str(caught.value)
    assert "'s'" not in str(caught.value), "a secret is not shown"


def test_the_defaults_are_taken() -> None:
    args: Any = BASE
    check(args)
