"""The provider: the engine's requests, answered by a cluster's API."""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pulumi.provider.experimental import provider as sdk

from sandbox.providers import serve, values
from sandbox.providers.kubernetes import differences, lifecycle, objects, settings
from sandbox.providers.kubernetes.client import INVALID, ApiError, Client, UnreachableError
from sandbox.providers.kubernetes.lifecycle import Run
from sandbox.providers.plain import NotReadyError


class KubernetesProvider(sdk.Provider):
    """Pulumi's Kubernetes provider, by server-side apply."""

    def __init__(self, log: serve.EngineLog | None = None) -> None:
        """Hold the engine's log; nothing is called before a cluster is needed."""
        self._log = log
        self._settings = settings.Settings(None, "the provider is not configured")
        self._client: Client | None = None
        self._cancelled = threading.Event()

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Refuse settings that the stand-in does not follow."""
        given, _ = values.from_wire(request.new_inputs)
        failures = [sdk.CheckFailure(*item) for item in settings.failures(given)]
        return sdk.CheckResponse(request.new_inputs, failures or None)

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Tell a change of credentials from another cluster, whose objects are all made again."""
        old, new = values.from_wire(request.old_state)[0], values.from_wire(request.new_inputs)[0]
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return sdk.DiffResponse(changes=bool(changed), diffs=changed, replaces=settings.replaced(old, new))

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Take the settings; the cluster is not called."""
        given, _ = values.from_wire(request.args)
        self._settings = settings.settings(given, os.environ)
        self._client = Client(self._settings.connection) if self._settings.connection else None
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def cancel(self) -> None:
        """End every wait."""
        self._cancelled.set()

    def _run(self, request: Any, inputs: dict[str, Any], state: dict[str, Any]) -> Run:
        if self._client is None:
            raise UnreachableError(self._settings.reason)
        log, urn = self._log, request.urn
        return Run(
            self._client,
            self._settings,
            _kind(request),
            inputs,
            state,
            id=str(getattr(request, "resource_id", "") or ""),
            timeout=float(getattr(request, "timeout", 0) or 0),
            cancelled=self._cancelled,
            status=(lambda text: log.status(urn, text)) if log else (lambda _text: None),
        )

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Fill in apiVersion, kind, name and namespace."""
        of = _kind(request)
        given, hidden = values.from_wire(request.new_inputs)
        old, _ = values.from_wire(request.old_inputs)
        made = objects.named(of, request.name, {"apiVersion": of.api_version, "kind": of.kind, **given}, old)
        if isinstance(made["metadata"], Mapping) and made["metadata"].get("namespace") is None:
            namespace = await asyncio.to_thread(self._default_namespace, of, old)
            made["metadata"] = {**made["metadata"], **({"namespace": namespace} if namespace else {})}
        return sdk.CheckResponse(values.to_wire(made, hidden | of.secret_fields))

    def _default_namespace(self, of: objects.Kind, old: Mapping[str, Any]) -> str | None:
        """Give the namespace of an object without one; the cluster is asked about kinds of others only, and once."""
        if of.built_in:
            return None if of.kind in objects.CLUSTER_SCOPED else self._settings.namespace
        if old:
            return objects.metadata(old).get("namespace")
        try:
            namespaced = self._client is not None and self._client.place(of.api_version, of.kind).namespaced
        except (UnreachableError, ApiError):
            return None  # its definition may be made by the same update; the object gets the default one then
        return self._settings.namespace if namespaced else None

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Compare inputs; ask the server whether it can make the change in place."""
        of = _kind(request)
        state, new = values.from_wire(request.old_state)[0], values.from_wire(request.new_inputs)[0]
        before = serve.old_inputs()
        old = values.from_wire(before)[0] if before is not None else {k: v for k, v in state.items() if k in new}
        found = differences.changes(old, new)
        replacing = {path for path, _ in found if differences.replaces(of.kind, path)}
        if found and not replacing and await asyncio.to_thread(self._refused, request, new, state):
            replacing = {path for path, _ in found if not path.startswith("metadata")}
        same_name = objects.metadata(old).get("name") == objects.metadata(new).get("name")
        sort = sdk.PropertyDiffKind
        return sdk.DiffResponse(
            changes=bool(found),
            replaces=sorted({differences.top(path) for path in replacing}),
            diffs=sorted({differences.top(path) for path, _ in found}),
            # Two objects of one name cannot stand side by side.
            delete_before_replace=bool(replacing) and same_name,
            detailed_diff={
                path: sdk.PropertyDiff(sort[how.upper() + ("_REPLACE" if path in replacing else "")], True)
                for path, how in found
            },
        )

    def _refused(self, request: Any, new: dict[str, Any], state: dict[str, Any]) -> bool:
        """Tell whether the server calls a changed field immutable."""
        try:
            lifecycle.previewed(self._run(request, new, state))
        except ApiError as error:
            return error.code == INVALID and any(words in error.message for words in differences.FIXED)
        except serve.ProviderError:
            return False
        return False

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make it, or in a preview let the server say what it would make."""
        inputs, hidden = values.from_wire(request.properties)
        hidden |= _kind(request).secret_fields
        if request.preview:
            return sdk.CreateResponse("", values.to_wire(await self._preview(request, inputs, {}, hidden), hidden))
        made, state = await self._guarded("create", lifecycle.create, request, hidden, inputs=inputs, state={})
        return sdk.CreateResponse(made, values.to_wire(state, hidden))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change it, or in a preview let the server say what it would be."""
        state, _ = values.from_wire(request.olds)
        inputs, hidden = values.from_wire(request.news)
        hidden |= _kind(request).secret_fields
        if request.preview:
            return sdk.UpdateResponse(values.to_wire(await self._preview(request, inputs, state, hidden), hidden))
        after = await self._guarded("update", lifecycle.update, request, hidden, inputs=inputs, state=state)
        return sdk.UpdateResponse(values.to_wire(after, hidden))

    async def _preview(
        self, request: Any, inputs: dict[str, Any], state: dict[str, Any], hidden: frozenset[str]
    ) -> dict[str, Any]:
        offline = {**{key: value for key, value in state.items() if key in {"status"}}, **inputs}
        if self._client is None:
            return offline
        found = await self._guarded("preview", lifecycle.previewed, request, hidden, inputs=inputs, state=state)
        return found or offline

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """Read it for a refresh, an import or a ``get``."""
        inputs, hidden = values.from_wire(request.inputs)
        state, more = values.from_wire(request.properties)
        hidden |= more | _kind(request).secret_fields
        try:
            found = await self._guarded("read", lifecycle.read, request, hidden, inputs=inputs, state=state)
        except UnreachableError:
            if self._settings.skip_update_unreachable:
                return sdk.ReadResponse(request.resource_id, request.properties, request.inputs)
            if not self._settings.delete_unreachable:
                raise
            self._warn(request, "the cluster does not answer: taken out of the state, as deleteUnreachable asks")
            found = None
        if found is None:
            return sdk.ReadResponse("")
        after, seen = found
        return sdk.ReadResponse(objects.identity(after), values.to_wire(after, hidden), values.to_wire(seen, hidden))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Delete it and wait until it is gone."""
        state, hidden = values.from_wire(request.properties)
        try:
            await self._guarded("delete", lifecycle.delete, request, hidden, inputs={}, state=state)
        except UnreachableError:
            if not self._settings.delete_unreachable:
                raise
            self._warn(request, "the cluster does not answer: taken as deleted, as deleteUnreachable asks")

    def _warn(self, request: Any, message: str) -> None:
        if self._log:
            self._log.warn(request.urn, message)

    async def _guarded(
        self,
        verb: str,
        function: Callable[[Run], Any],
        request: Any,
        hidden: frozenset[str],
        *,
        inputs: dict[str, Any],
        state: dict[str, Any],
    ) -> Any:
        """Run in a thread; errors name the object and hold no secret."""
        of = _kind(request)
        known = objects.metadata(inputs or state)
        name = getattr(request, "resource_id", "") or known.get("name") or ""

        def told(error: Exception) -> str:
            return f"{verb} {of.token} {name}: {objects.without_secrets(str(error), of, inputs, state)}"

        try:
            return await asyncio.to_thread(function, self._run(request, inputs, state))
        except NotReadyError as error:
            kept = values.to_wire(error.state, hidden)
            raise serve.InitError(error.resource_id, kept, told(error)) from None
        except UnreachableError as error:
            hint = ", or set deleteUnreachable to forget it" if verb in {"delete", "read"} else ""
            raise UnreachableError(told(error) + hint) from None
        except serve.ProviderError as error:
            raise serve.ProviderError(told(error)) from None

    async def construct(self, request: sdk.ConstructRequest) -> sdk.ConstructResponse:
        """Refuse components (charts, YAML files)."""
        raise serve.ProviderError(f"the stand-in for the Kubernetes provider does not support {request.resource_type}")

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        """Refuse functions (``yaml:decode``, ``helm:template``, ...)."""
        raise serve.ProviderError(
            f"the stand-in for the Kubernetes provider does not support the function {request.tok}"
        )


def _kind(request: Any) -> objects.Kind:
    """Read the token; below a component the URN's type also names the parents."""
    return objects.kind(str(request.type).rpartition("$")[2])
