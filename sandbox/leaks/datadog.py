"""What a stack may leave behind in the sandbox's Datadog. A real account is not searched: its keys are not here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from sandbox.leaks.model import STACK_TAG, Finding

STACK = "timonel_stack"
"""Key of the tag `timonel_stack:<project>/<stack>`, as monitors may carry it; Datadog's keys hold no colon."""


def findings(endpoint: str, stack: str | None) -> Iterator[Finding]:
    """Monitors and dashboards of a stack, or all. What names no stack is anybody's: the account is the sandbox's."""
    recorded = requests.get(f"{endpoint}/_timonel/datadog", timeout=30).json()
    for kind, items in (("datadog monitor", recorded["monitors"]), ("datadog dashboard", recorded["dashboards"])):
        for item in items:
            tags = _tags(item)
            if stack is None or tags.get(STACK_TAG, stack) == stack:
                yield Finding(kind, str(item["id"]), tags, region="global")


def _tags(item: dict[str, Any]) -> dict[str, str]:
    pairs = dict(tag.partition(":")[::2] for tag in item.get("tags") or [])
    named = {"Name": str(item.get("name") or item.get("title") or "")}
    return pairs | named | ({STACK_TAG: pairs[STACK]} if STACK in pairs else {})
