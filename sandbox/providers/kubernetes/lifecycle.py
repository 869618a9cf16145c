"""Create, read, update and delete one object."""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.providers.kubernetes import objects, waiting
from sandbox.providers.kubernetes.client import CONFLICT, INVALID, NOT_FOUND, ApiError, Client, Place, UnreachableError
from sandbox.providers.kubernetes.objects import Kind
from sandbox.providers.kubernetes.settings import Settings
from sandbox.providers.pauses import Pauses
from sandbox.providers.plain import NotReadyError
from sandbox.providers.serve import ProviderError

APPLY = "application/apply-patch+yaml"
"""Server-side apply's content type; JSON is YAML."""
MANAGER_PREFIX = "pulumi-kubernetes-"
"""What field managers of Pulumi's are called, the genuine provider's too."""
FOUND_SECONDS = 15.0
"""How long a namespace or a kind that was made a moment ago is waited for."""


@dataclass
class Run:
    """An operation in progress."""

    client: Client
    settings: Settings
    kind: Kind
    inputs: dict[str, Any]
    state: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    timeout: float = 0
    cancelled: threading.Event = field(default_factory=threading.Event)
    status: Callable[[str], None] = lambda _text: None

    @property
    def place(self) -> Place:
        """Where objects of the kind are."""
        return self.client.place(self.kind.api_version, self.kind.kind)

    @property
    def path(self) -> str:
        """The object's path: by its id when it has one, else by its inputs."""
        if self.id:
            namespace, _, name = self.id.rpartition("/")
            return self.place.path(namespace or self.settings.namespace, name)
        known = objects.metadata(self.inputs)
        return self.place.path(str(known.get("namespace") or self.settings.namespace), str(known["name"]))

    def pauses(self, seconds: float) -> Pauses:
        """Pauses until a deadline: ``customTimeouts``, else the object's annotation, else ``seconds``."""
        asked = objects.annotation(self.inputs or self.state, objects.TIMEOUT)
        return Pauses(self.timeout or float(asked or 0) or seconds, self.cancelled, self.status)


def manager(run: Run) -> str:
    """The field manager: the annotation's, the one in the state, or a new one."""
    asked = objects.annotation(run.inputs, objects.MANAGER)
    return asked or run.state.get(objects.FIELD_MANAGER) or f"{MANAGER_PREFIX}{secrets.token_hex(4)}"


def apply(run: Run, by: str, *, dry: bool = False) -> dict[str, Any]:
    """Apply the object on the server's side. Raises ApiError; a conflict says how to win it."""
    force = run.settings.patch_force or objects.annotation(run.inputs, objects.FORCE) == "true"
    query = {"fieldManager": by, "force": "true" if force else "false", "fieldValidation": "Strict"}
    if dry:
        query["dryRun"] = "All"
    try:
        return run.client.request("PATCH", run.path, objects.plain(run.inputs), query, APPLY)
    except ApiError as error:
        if error.code == CONFLICT:
            hint = f"to take the fields over, give the annotation {objects.FORCE}: 'true'"
            raise ApiError(error.code, error.reason, f"{error.message}; {hint}", {"causes": error.causes}) from None
        raise


def _kept(run: Run, item: Mapping[str, Any], by: str) -> dict[str, Any]:
    return {**objects.live(item), objects.FIELD_MANAGER: by, objects.API_VERSION: run.kind.api_version}


def create(run: Run) -> tuple[str, dict[str, Any]]:
    """Make the object and wait until it is ready. Raises NotReadyError when it is there and not ready."""
    by = manager(run)
    pauses = Pauses(FOUND_SECONDS, run.cancelled, run.status)
    while True:
        try:
            if run.kind.patch:
                run.client.request("GET", run.path)
            item = apply(run, by)
            break
        except ApiError as error:
            # A namespace or a definition that was made a moment ago may not be known yet.
            if error.code != NOT_FOUND or run.kind.patch or not pauses.rest(f"waiting: {error.message}"):
                raise
    run.id = objects.identity(item)
    return run.id, _wait(run, item, by)


def update(run: Run) -> dict[str, Any]:
    """Apply the object again, and wait until it is ready."""
    by = manager(run)
    return _wait(run, apply(run, by), by)


def _wait(run: Run, item: dict[str, Any], by: str) -> dict[str, Any]:
    """Wait until the object is ready; give the state."""
    rule = waiting.ready(item)
    if rule is None or run.kind.patch or objects.annotation(run.inputs, objects.SKIP_AWAIT) == "true":
        return _kept(run, item, by)
    pauses = run.pauses(waiting.SECONDS.get(run.kind.kind, waiting.USUAL_SECONDS))
    try:
        while (missing := rule(run.client, item)) is not None:
            if not pauses.rest(f"waiting for {run.kind.kind} {run.id}: {missing}"):
                raise waiting.FailedError(f"not ready after {pauses.elapsed:.0f} s: {missing}")
            item = run.client.request("GET", run.path)
    except ProviderError as error:
        raise NotReadyError(run.id, _kept(run, item, by), str(error)) from None
    return _kept(run, item, by)


def read(run: Run) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Give state and inputs as the API has them; None when the object is gone. Without inputs it is an import."""
    try:
        item = run.client.request("GET", run.path)
    except ApiError as error:
        if error.code == NOT_FOUND:
            return None
        raise
    state = _kept(run, item, run.state.get(objects.FIELD_MANAGER) or manager(run))
    if not run.inputs:
        return state, imported(item)
    return state, objects.given_part(run.inputs, objects.readable(objects.live(item), run.inputs))


def imported(item: Mapping[str, Any]) -> dict[str, Any]:
    """What a program would have to give for an object that is there."""
    kept = ("name", "namespace", "labels", "annotations")
    known = {key: value for key, value in objects.metadata(item).items() if key in kept}
    return {**{key: value for key, value in item.items() if key not in {"metadata", "status"}}, "metadata": known}


def delete(run: Run) -> None:
    """Delete the object and wait until it is gone; gone already is no error. A patch only lets go of its fields."""
    if run.kind.patch:
        _let_go(run)
        return
    given = run.state
    policy = (objects.annotation(given, objects.PROPAGATION) or "foreground").capitalize()
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
    try:
        run.client.request("DELETE", run.path, body)
        if objects.annotation(given, objects.SKIP_AWAIT) == "true":
            return
        pauses = run.pauses(waiting.USUAL_SECONDS)
        while True:
            item = run.client.request("GET", run.path)
            left = ", ".join(objects.metadata(item).get("finalizers") or []) or "its pods"
            if not pauses.rest(f"waiting until {run.kind.kind} {run.id} is gone: {left}"):
                raise ProviderError(f"it is still there after {pauses.elapsed:.0f} s, held by {left}")
    except ApiError as error:
        if error.code != NOT_FOUND:
            raise


def _let_go(run: Run) -> None:
    known = run.state["metadata"]
    own = {key: known[key] for key in ("name", "namespace") if key in known}
    run.inputs = {"apiVersion": run.kind.api_version, "kind": run.kind.kind, "metadata": own}
    try:
        apply(run, str(run.state.get(objects.FIELD_MANAGER)))
    except ApiError as error:
        if error.code != NOT_FOUND:
            raise


def previewed(run: Run) -> dict[str, Any] | None:
    """What the server would make of the object; None when it cannot tell: unknown values, or it does not answer.

    Raises:
        ApiError: it would refuse the object.
    """
    if objects.unknown(run.inputs):
        return None
    by = manager(run)
    try:
        return _kept(run, apply(run, by, dry=True), by)
    except UnreachableError:
        return None
    except ApiError as error:
        if error.code == NOT_FOUND:  # its namespace or its definition is made by the same update
            return None
        replaced = error.code == INVALID or (error.code == CONFLICT and MANAGER_PREFIX in error.message)
        if replaced and not run.id and _exists(run):  # the one that is there goes first
            return None
        raise


def _exists(run: Run) -> bool:
    try:
        run.client.request("GET", run.path)
    except ApiError:
        return False
    return True
