"""Waiting until a service runs as its spec says, and saying why it does not."""

import time
from typing import Any

from sandbox.providers.docker.client import Docker
from sandbox.providers.docker.fields import seconds_of
from sandbox.providers.plain import Call
from sandbox.providers.serve import ProviderError

DELAY, TIMEOUT = "7s", "3m"
"""The genuine provider's defaults of `convergeConfig`."""
SETTLE_SECONDS = 3.0
"""An update that replaces no task never gets a status: after this, running tasks are enough."""
FAILED = {
    "paused": "the update is paused",
    "rollback_completed": "the update was rolled back",
    "rollback_paused": "the rollback is paused",
}
GOING = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")


class NotConvergedError(ProviderError):
    """The service does not run as it should; the message says what its tasks said."""


def tasks(client: Docker, service_id: str) -> list[dict[str, Any]]:
    """All tasks of a service, also of one that was removed (the API's own filter knows no such service)."""
    found: list[dict[str, Any]] = client.call(lambda api: api.tasks())
    return [task for task in found if task.get("ServiceID") == service_id]


def ready_nodes(client: Docker) -> dict[str, str]:
    """Id -> host name of the nodes that managers hear of."""
    found = client.call(lambda api: api.nodes())
    return {n["ID"]: n["Description"]["Hostname"] for n in found if n["Status"]["State"] == "ready"}


def wait(call: Call, service_id: str, *, updating: bool) -> None:
    """Wait until as many tasks run as replicas are asked for, or the update has ended.

    Raises:
        NotConvergedError: time is up, or the swarm has given the update up.
    """
    asked = call.inputs.get("convergeConfig")
    if asked is None:
        return
    timeout = asked.get("timeout") or TIMEOUT
    start = time.monotonic()
    call.cancelled.wait(seconds_of(asked.get("delay") or DELAY))
    while True:
        service = call.client.call(lambda api: api.inspect_service(service_id))
        replicas = service["Spec"]["Mode"]["Replicated"].get("Replicas", 0)
        status = (service.get("UpdateStatus") or {}).get("State", "") if updating else ""
        running, waiting = _running(call.client, service_id)
        if status in FAILED:
            message = service["UpdateStatus"].get("Message", "")
            raise NotConvergedError(f"{FAILED[status]} ({message}); {why(call.client, service_id)}")
        settled = status == "completed" or (not status and time.monotonic() - start > (SETTLE_SECONDS * updating))
        if settled and running == replicas:
            return
        told = f"{running} of {replicas} tasks run"
        if time.monotonic() - start > seconds_of(timeout):
            raise NotConvergedError(f"not converged within {timeout}: {told}; {why(call.client, service_id)}")
        if call.cancelled.wait(1):
            raise NotConvergedError(f"cancelled: {told}")
        call.status(f"{told}{f' ({waiting})' if waiting else ''}")


def _running(client: Docker, service_id: str) -> tuple[int, str]:
    """How many slots have a running task on a living node, and what the others are at."""
    nodes = ready_nodes(client)
    slots: dict[Any, str] = {}
    for task in tasks(client, service_id):
        if task["DesiredState"] != "running" or (task.get("NodeID") and task["NodeID"] not in nodes):
            continue
        slot = task.get("Slot") or task.get("NodeID")
        if slots.get(slot) != "running":
            slots[slot] = task["Status"]["State"]
    running = sum(state == "running" for state in slots.values())
    return running, ", ".join(sorted({state for state in slots.values() if state != "running"}))


def why(client: Docker, service_id: str) -> str:
    """The newest errors of a service's tasks, each once."""
    nodes = ready_nodes(client)
    lines: dict[str, str] = {}
    for task in sorted(tasks(client, service_id), key=lambda t: str(t["Status"].get("Timestamp", "")), reverse=True):
        status = task["Status"]
        error = status.get("Err", "")
        if error:
            where = nodes.get(task.get("NodeID", ""), "no node")
            lines.setdefault(error, f"task {task.get('Slot') or task['ID'][:8]} on {where}: {status['State']}: {error}")
    if lines:
        return "; ".join(list(lines.values())[:3])
    said = {task["Status"]["State"]: task["Status"].get("Message", "") for task in tasks(client, service_id)}
    return "; ".join(f"tasks are {state} ({message})" for state, message in said.items()) or "it has no tasks"


def wait_until_gone(call: Call, service_id: str, limit: float) -> None:
    """Wait until no living node has a task of a removed service, so that what it used can be removed.

    Raises:
        ProviderError: time is up.
    """
    deadline = time.monotonic() + limit
    while True:
        nodes = ready_nodes(call.client)
        left = [t for t in tasks(call.client, service_id) if t.get("NodeID") in nodes and _alive(t)]
        if not left:
            return
        if time.monotonic() > deadline or call.cancelled.is_set():
            where = ", ".join(sorted({nodes[t["NodeID"]] for t in left}))
            raise ProviderError(f"removed, but after {limit:.0f} s tasks are still there on {where}")
        call.status(f"waiting for {len(left)} tasks to end")
        call.cancelled.wait(0.5)


def _alive(task: dict[str, Any]) -> bool:
    return task["Status"]["State"] not in GOING
