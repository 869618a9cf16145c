"""ARNs and tags of the resources that a call names, for the journal (least privilege is checked from it)."""

from __future__ import annotations

from typing import Any

from sandbox.aws.calls import Call


def of(call: Call) -> list[dict[str, Any]]:
    """[{arn, tags}] of what the call's parameters name; empty when it names nothing (a list or a create)."""
    return []
