"""A provider whose resources are a few Python classes: what the stand-ins for small packages share.

A `Kind` says what a resource supports and does; `PlainProvider` is the engine's side of it: names and types held
against the SDK package, physical names, diffs by path, secrets, errors that name the resource.
"""

import asyncio
import secrets as randomness
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pulumi.provider.experimental import provider as sdk

from sandbox.providers import serve, values
from sandbox.providers.aws import checking
from sandbox.providers.schema import Package, UnknownTokenError

DEFAULTS = "__defaults"
"""Input with the names of the properties that the provider filled in, as Pulumi's bridged providers keep it."""
HIDDEN = "[secret]"
Values = dict[str, Any]


@dataclass
class Call:
    """One request, as a kind sees it."""

    client: Any
    """What the provider made of its settings."""
    inputs: Values
    state: Values
    id: str = ""
    old: Values = field(default_factory=dict)
    """The inputs of the last update."""
    timeout: float = 0
    """Seconds from `customTimeouts`, 0 without."""
    status: Callable[[str], None] = lambda _text: None
    cancelled: threading.Event = field(default_factory=threading.Event)


class NotReadyError(serve.ProviderError):
    """The resource is there and not as it should be: its state is kept, and the next update tries again."""

    def __init__(self, resource_id: str, state: Values, reason: str) -> None:
        """Name the resource and the reason."""
        super().__init__(reason)
        self.resource_id, self.state = resource_id, state


class Kind(ABC):
    """A resource."""

    token: ClassVar[str]
    supported: ClassVar[frozenset[str]]
    """Inputs that are followed; every other one is refused."""
    unsupported: ClassVar[tuple[str, ...]] = ()
    """Nested inputs that are refused, by dotted path."""
    always_secret: ClassVar[frozenset[str]] = frozenset()
    named: ClassVar[bool] = False
    """Whether `name` is made up when it is not given."""
    name_limit: ClassVar[int] = 63

    def failures(self, inputs: Values) -> list[checking.Failure]:
        """Rules between properties; values may be unknown."""
        return []

    @abstractmethod
    def replaces(self, path: str, old: Any, new: Any) -> bool:
        """Whether a change of a property replaces."""

    def canonical(self, path: str, value: Any) -> Any:
        """A form in which equal meaning is equality."""
        return value

    def computed(self, inputs: Values, state: Values) -> Iterable[str]:
        """Outputs that are not known before a create."""
        return ()

    @abstractmethod
    def create(self, call: Call) -> tuple[str, Values]:
        """Make it; give id and state."""

    @abstractmethod
    def read(self, call: Call) -> tuple[Values, Values] | None:
        """Inputs and state as they are now, None when it is gone. Without inputs in the call it is an import."""

    def update(self, call: Call) -> Values:
        """Change it in place; give the state."""
        raise serve.ProviderError(f"{self.token} cannot be changed in place")

    @abstractmethod
    def delete(self, call: Call) -> None:
        """Remove it and wait until it is gone; nothing to do when it is."""


def differences(kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Changed properties as (dotted path, add | delete | update); objects are looked into, lists are not."""
    found: list[tuple[str, str]] = []
    for name in sorted(set(old) | set(new)):
        if not path and name.startswith("__"):
            continue
        inner = f"{path}.{name}" if path else name
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(kind, before, after, inner)
        elif kind.canonical(inner, before) != kind.canonical(inner, after):
            found.append((inner, "add" if before is None else "delete" if after is None else "update"))
    return found


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path, None when nothing does."""
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


class PlainProvider(sdk.Provider):
    """The engine's requests, answered by kinds."""

    title: ClassVar[str]
    """Whose stand-in it is, for messages."""
    followed: ClassVar[frozenset[str]]
    """Provider settings that are followed."""
    harmless: ClassVar[frozenset[str]] = frozenset({"version", "pluginDownloadURL"})

    def __init__(self, package: Package, kinds: Iterable[Kind], log: serve.EngineLog | None = None) -> None:
        """Hold the parts; nothing is called before `configure`."""
        self._package = package
        self._kinds = {kind.token: kind for kind in kinds}
        self._log = log
        self._client: Any = None
        self._cancelled = threading.Event()

    def connect(self, settings: Values) -> Any:
        """Make what kinds call the service with. No call is made yet: settings may be unknown in a preview."""
        raise NotImplementedError

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Refuse settings that the stand-in does not follow."""
        given, _ = values.from_wire(request.new_inputs)
        reason = f"the stand-in for the {self.title} provider does not support the provider setting {{!r}}"
        refused = sorted(set(given) - self.followed - self.harmless)
        failures = [
            sdk.CheckFailure(name, reason.format(name))
            for name in refused
            if not name.startswith("__") and given[name] not in ("", "[]", [], {}, False)
        ]
        return sdk.CheckResponse(request.new_inputs, failures)

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Take the settings."""
        given, _ = values.from_wire(request.args)
        self._client = self.connect(given)
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def cancel(self) -> None:
        """End every wait."""
        self._cancelled.set()

    def _kind(self, request: Any) -> Kind:
        token = str(request.type).rpartition("$")[2]  # below a component the URN's type also names the parents
        if token not in self._kinds:
            raise serve.ProviderError(f"the stand-in for the {self.title} provider does not support {token}")
        return self._kinds[token]

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Check names, types, what the kind supports and its rules; make up a name."""
        kind = self._kind(request)
        try:
            schema = self._package.resource(kind.token)
        except UnknownTokenError as error:
            raise serve.ProviderError(str(error)) from None
        given, hidden = values.from_wire(request.new_inputs)
        old, _ = values.from_wire(request.old_inputs)
        made, failures = checking.inputs(
            kind.token, schema["inputs"], kind.supported, kind.unsupported, given, provider=self.title
        )
        if not failures:
            failures = kind.failures(made)
        if kind.named and made.get("name") is None:
            kept = old.get("name") if "name" in (old.get(DEFAULTS) or []) else None
            made["name"] = kept or f"{request.name}-{randomness.token_hex(4)[:7]}"
            made[DEFAULTS] = ["name"]
            if len(made["name"]) > kind.name_limit:
                reason = f"{kind.token}: the name made from {request.name!r} has more than {kind.name_limit} characters"
                failures.append(("name", reason))
        return sdk.CheckResponse(
            values.to_wire(made, hidden | kind.always_secret),
            [sdk.CheckFailure(*failure) for failure in failures] or None,
        )

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Tell update from replacement, by path."""
        kind = self._kind(request)
        state, _ = values.from_wire(request.old_state)
        new, _ = values.from_wire(request.new_inputs)
        before = serve.old_inputs()
        old = values.from_wire(before)[0] if before is not None else {k: v for k, v in state.items() if k in new}
        found = differences(kind, old, new)
        replacing = {path for path, _ in found if kind.replaces(path, at(old, path), at(new, path))}
        same_name = old.get("name") == new.get("name") and not new.get(DEFAULTS)
        sort = sdk.PropertyDiffKind
        return sdk.DiffResponse(
            changes=bool(found),
            replaces=sorted(replacing),
            diffs=sorted({path.partition(".")[0] for path, _ in found}),
            # Two objects of one name cannot stand side by side.
            delete_before_replace=bool(replacing) and kind.named and same_name,
            detailed_diff={
                path: sdk.PropertyDiff(sort[how.upper() + ("_REPLACE" if path in replacing else "")], True)
                for path, how in found
            },
        )

    def _call(self, request: Any, inputs: Values, state: Values, old: Values | None = None) -> Call:
        log, urn = self._log, request.urn
        return Call(
            self._client,
            inputs,
            state,
            str(getattr(request, "resource_id", "") or ""),
            old or {},
            float(getattr(request, "timeout", 0) or 0),
            (lambda text: log.status(urn, text)) if log else (lambda _text: None),
            self._cancelled,
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make it, or in a preview say what is known of it."""
        kind = self._kind(request)
        inputs, hidden = values.from_wire(request.properties)
        hidden |= kind.always_secret
        if request.preview:
            unknown = dict.fromkeys(kind.computed(inputs, {}), values.UNKNOWN)
            return sdk.CreateResponse("", values.to_wire({**_plain(inputs), **unknown}, hidden))
        made, state = await self._guarded(kind, "create", kind.create, self._call(request, inputs, {}), hidden)
        return sdk.CreateResponse(made, values.to_wire(state, hidden))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """Read it for a refresh, an import or a `get`."""
        kind = self._kind(request)
        inputs, hidden = values.from_wire(request.inputs)
        state, more = values.from_wire(request.properties)
        hidden |= more | kind.always_secret
        call = self._call(request, inputs, state)
        found = await self._guarded(kind, "read", kind.read, call, hidden)
        if found is None:
            return sdk.ReadResponse("")
        inputs, state = found
        return sdk.ReadResponse(call.id, values.to_wire(state, hidden), values.to_wire(inputs, hidden))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change it, or in a preview say what it will be."""
        kind = self._kind(request)
        state, _ = values.from_wire(request.olds)
        inputs, hidden = values.from_wire(request.news)
        hidden |= kind.always_secret
        if request.preview:
            kept = {name: value for name, value in state.items() if name in kind.computed(inputs, state)}
            return sdk.UpdateResponse(values.to_wire({**_plain(inputs), **kept}, hidden))
        before = serve.old_inputs()
        old = values.from_wire(before)[0] if before is not None else {}
        after = await self._guarded(kind, "update", kind.update, self._call(request, inputs, state, old), hidden)
        return sdk.UpdateResponse(values.to_wire(after, hidden))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Delete it and wait until it is gone."""
        kind = self._kind(request)
        state, hidden = values.from_wire(request.properties)
        await self._guarded(kind, "delete", kind.delete, self._call(request, {}, state), hidden)

    async def _guarded(
        self, kind: Kind, verb: str, function: Callable[[Call], Any], call: Call, hidden: frozenset[str]
    ) -> Any:
        """Run in a thread; errors name the resource and hold no secret."""
        name = call.inputs.get("name") or call.state.get("name") or call.id
        texts = [text for key in hidden for side in (call.inputs, call.state) for text in _texts(side.get(key))]

        def told(error: Exception) -> str:
            message = f"{verb} {kind.token} {name}: {error}"
            for text in sorted(texts, key=len, reverse=True):
                message = message.replace(text, HIDDEN)
            return message

        try:
            return await asyncio.to_thread(function, call)
        except NotReadyError as error:
            state = values.to_wire(error.state, hidden)
            raise serve.InitError(error.resource_id, state, told(error)) from None
        except serve.ProviderError as error:
            raise serve.ProviderError(told(error)) from None


def _plain(inputs: Values) -> Values:
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) and value and not values.is_unknown(value) else []
