"""A create in flight at a kill: what AWS made of it, found by tag and Name, as the state does not have it."""

from __future__ import annotations

from typing import Any

from sandbox.leaks.command import clients_of_sandbox
from sandbox.leaks.model import STACK_TAG, Finding
from sandbox.leaks.search import of_token, search
from sandbox.state import State


def candidates(state: State, stack: str, resource: dict[str, Any], deployment: dict[str, Any]) -> list[Finding] | None:
    """Resources of the same kind, stack and Name that the state does not know; None when they could not be told.

    Args:
        state: the sandbox.
        stack: "project/stack".
        resource: the pending operation's resource, with its inputs.
        deployment: the stack's state.
    """
    lister = of_token(resource["type"])
    inputs = resource.get("inputs") or {}
    tags = inputs.get("tags") or {}
    if lister is None or not isinstance(tags, dict):
        return None
    region = inputs.get("region")
    regions = {region} if isinstance(region, str) else set()
    known = {r.get("id") for r in deployment.get("resources") or [] if r["type"] == resource["type"]}
    clients = clients_of_sandbox(state, regions)
    found = [f for f in search(clients, None, whole_account=True, listers=(lister,)) if f.id not in known]
    name = tags.get("Name")
    return [
        f for f in found if f.stack in {stack, tags.get(STACK_TAG, "")} and f.stack and (not name or f.name == name)
    ]
