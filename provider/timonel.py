"""The provider: Pulumi's calls, translated for the handlers."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from pulumi.provider.experimental.provider import (
    CheckFailure,
    CheckRequest,
    CheckResponse,
    ConfigureRequest,
    ConfigureResponse,
    CreateRequest,
    CreateResponse,
    DeleteRequest,
    DiffRequest,
    DiffResponse,
    InvokeRequest,
    InvokeResponse,
    PropertyDiff,
    PropertyDiffKind,
    Provider,
    ReadRequest,
    ReadResponse,
    UpdateRequest,
    UpdateResponse,
)

from provider import aws
from provider.closing_mark import ClosingMarkHandler
from provider.eks_teardown.handlers import EksSweepHandler, EksTeardownHandler
from provider.errors import ProviderError
from provider.handler import Context, Handler, problems
from provider.password import PasswordHandler
from provider.pki import CertificateAuthorityHandler, ClientCertificateHandler, ServerCertificateHandler
from provider.properties import UNKNOWN, Plain, to_plain, to_wire
from provider.protection import ProtectionHandler
from provider.ready_cluster import ReadyClusterHandler

VERSION = "0.1.0"

HANDLERS: Mapping[str, Handler] = {
    "timonel:index:CertificateAuthority": CertificateAuthorityHandler(),
    "timonel:index:ClientCertificate": ClientCertificateHandler(),
    "timonel:index:ClosingMark": ClosingMarkHandler(),
    "timonel:index:EksSweep": EksSweepHandler(),
    "timonel:index:EksTeardown": EksTeardownHandler(),
    "timonel:index:Password": PasswordHandler(),
    "timonel:index:Protection": ProtectionHandler(),
    "timonel:index:ReadyCluster": ReadyClusterHandler(),
    "timonel:index:ServerCertificate": ServerCertificateHandler(),
}

GET_VERSION = "timonel:index:getVersion"
"""The one function."""

Log = Callable[[str, str], None]
"""Tells the user a sentence (second) about the resource with the URN (first)."""


class TimonelProvider(Provider):
    """Knows properties, previews and diffs; what a resource is, its handler knows."""

    def __init__(self, log: Log, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """A provider that speaks through ``log`` and believes the clock ``now``."""
        self._log = log
        self._now = now
        self._stop = threading.Event()

    async def cancel(self) -> None:
        """Let every wait end."""
        self._stop.set()

    async def check_config(self, request: CheckRequest) -> CheckResponse:
        """Take no configuration.

        The project's own settings share the namespace ``timonel:`` and reach the provider as its configuration.
        Dropped here, they are no input of the provider's resource, so a changed setting never changes the provider.
        """
        del request
        return CheckResponse(inputs={})

    async def configure(self, request: ConfigureRequest) -> ConfigureResponse:
        """Announce what this provider can: secrets, and outputs that previews may rely on."""
        del request
        return ConfigureResponse(
            accept_secrets=True, supports_preview=True, accept_outputs=False, accept_resources=False
        )

    async def invoke(self, request: InvokeRequest) -> InvokeResponse:
        """Tell the provider's version: a program asks whether it starts, before the first resource is made."""
        if request.tok != GET_VERSION:
            raise ProviderError(f"{request.tok} is not a function of the timonel provider; it has {GET_VERSION}")
        return InvokeResponse(to_wire({"version": VERSION}, ()))

    async def check(self, request: CheckRequest) -> CheckResponse:
        """Refuse inputs that cannot work, by name."""
        handler = _handler(request.type)
        hidden = {name for name, value in request.new_inputs.items() if value.contains_secret()}
        found = problems(handler, to_plain(request.new_inputs), hidden)
        failures = [CheckFailure(name, f"{name} {text}") for name, text in found]
        return CheckResponse(inputs=request.new_inputs, failures=failures)

    async def diff(self, request: DiffRequest) -> DiffResponse:
        """Compare inputs; the clock may ask for a renewal besides."""
        handler = _handler(request.type)
        old, new = to_plain(request.old_state), to_plain(request.new_inputs)
        changed = [k for k in handler.inputs if old.get(k) != new.get(k) and k not in request.ignore_changes]
        replaces = [key for key in changed if handler.inputs[key].replaces]
        details = {
            key: PropertyDiff(
                PropertyDiffKind.UPDATE_REPLACE if key in replaces else PropertyDiffKind.UPDATE, input_diff=True
            )
            for key in changed
        }
        due = None if replaces else _due(handler, old, new, self._now())
        if due:
            details[due] = PropertyDiff(PropertyDiffKind.UPDATE, input_diff=False)
        return DiffResponse(changes=bool(details), replaces=replaces, diffs=list(details), detailed_diff=details)

    async def create(self, request: CreateRequest) -> CreateResponse:
        """Make it; a preview says which outputs it cannot know."""
        handler = _handler(request.type)
        inputs = to_plain(request.properties)
        if request.preview:
            unknown: Plain = dict.fromkeys(handler.outputs, UNKNOWN)
            return CreateResponse(resource_id="", properties=to_wire({**inputs, **unknown}, handler.secrets))
        resource_id, outputs = await self._run(handler.create, inputs, request.urn, inputs)
        return CreateResponse(resource_id=resource_id, properties=to_wire({**inputs, **outputs}, handler.secrets))

    async def update(self, request: UpdateRequest) -> UpdateResponse:
        """Bring it to its new inputs; outputs stay known in a preview unless a renewal is due."""
        handler = _handler(request.type)
        state, inputs = to_plain(request.olds), to_plain(request.news)
        if request.preview:
            kept = {name: state[name] for name in handler.outputs if name in state}
            outputs = dict.fromkeys(kept, UNKNOWN) if _due(handler, state, inputs, self._now()) else kept
        else:
            outputs = await self._run(handler.update, inputs, request.urn, state, inputs)
        return UpdateResponse(properties=to_wire({**inputs, **outputs}, handler.secrets))

    async def read(self, request: ReadRequest) -> ReadResponse:
        """What it is now; a resource that is gone has no id."""
        handler = _handler(request.type)
        state, inputs = to_plain(request.properties), to_plain(request.inputs)
        if not state:
            raise ProviderError(f"{request.type} {request.name}: import is not supported; declare it and run up.")
        outputs = await self._run(handler.read, state, request.urn, state)
        if outputs is None:
            return ReadResponse(resource_id="")
        return ReadResponse(
            resource_id=request.resource_id,
            properties=to_wire({**state, **outputs}, handler.secrets),
            inputs=to_wire(inputs, ()),
        )

    async def delete(self, request: DeleteRequest) -> None:
        """Remove it."""
        handler = _handler(request.type)
        state = to_plain(request.properties)
        await self._run(handler.delete, state, request.urn, state)

    async def _run(self, action: Callable[..., Any], access: Plain, urn: str, *args: Any) -> Any:
        """Run one blocking call of a handler in a thread; an error gets the resource's name."""
        context = Context(
            aws=cache(lambda service: aws.client(service, access)),
            now=self._now,
            log=partial(self._log, urn),
            stop=self._stop,
        )
        try:
            return await asyncio.to_thread(action, *args, context)
        except ProviderError as error:
            raise ProviderError(f"{_label(urn)}: {error}") from error
        except Exception as error:
            # botocore's exceptions name operation, code and AWS's reason; loaded only if a call was made.
            if type(error).__module__.startswith("botocore"):
                raise ProviderError(f"{_label(urn)}: {error}") from error
            raise


def _handler(token: str) -> Handler:
    # A URN's type carries its parents: `parent$...$type`.
    own = token.rsplit("$", maxsplit=1)[-1]
    if own not in HANDLERS:
        raise ProviderError(f"{own} is not a resource of the timonel provider; it has {', '.join(sorted(HANDLERS))}")
    return HANDLERS[own]


def _due(handler: Handler, state: Plain, inputs: Plain, now: datetime) -> str | None:
    if any(value is UNKNOWN for value in inputs.values()):
        return None
    return handler.due(state, inputs, now)


def _label(urn: str) -> str:
    parts = urn.split("::")
    return f"{parts[-2].split('$')[-1]} {parts[-1]}"
