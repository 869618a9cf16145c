# ruff: noqa: N802 (gRPC names the methods)
"""Serve a provider to the engine: what Pulumi's own ``server.main`` does, with five differences.

- Errors reach the user as one message, not as a Python traceback.
- A resource that was made but did not become ready is reported with its id, so that it stands in the state.
- Assets keep their hash.
- ``diff`` and ``update`` also get the old inputs, which the SDK's requests drop.
- Long waits show a status line.
"""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, cast

import grpc
import grpc.aio
from google.protobuf import any_pb2, struct_pb2  # type: ignore[import-untyped]
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import rpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

WORKERS = 64
"""Calls served at once. The engine's default parallelism is 4 times the CPUs; calls only wait for the network."""


class ProviderError(Exception):
    """A failure whose message is for the user; it must not hold a secret."""


class InitError(ProviderError):
    """The resource exists but did not become ready; the engine keeps it in the state and tries again next time."""

    def __init__(self, resource_id: str, properties: Mapping[str, PropertyValue], reason: str) -> None:
        """Name the resource and the reason.

        Args:
            resource_id: id of what was made.
            properties: what is known of it.
            reason: why it is not ready.
        """
        self.resource_id = resource_id
        self.properties = dict(properties)
        self.reason = reason
        super().__init__(reason)


class EngineLog:
    """The engine's log: status lines that replace each other, and lasting messages."""

    def __init__(self, address: str) -> None:
        """Connect to the engine at ``address`` (host:port)."""
        self._stub: Any = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def _send(self, urn: str, message: str, severity: int, ephemeral: bool) -> None:
        request = engine_pb2.LogRequest(
            severity=cast(Any, severity), message=message, urn=urn, streamId=0, ephemeral=ephemeral
        )
        # A lost log line must not fail the resource.
        self._stub.Log.future(request, timeout=5)

    def status(self, urn: str, message: str) -> None:
        """Show what is being waited for; the next status replaces it."""
        self._send(urn, message, engine_pb2.INFO, ephemeral=True)

    def warn(self, urn: str, message: str) -> None:
        """Leave a warning in the update's diagnostics."""
        self._send(urn, message, engine_pb2.WARNING, ephemeral=False)


def _init_failure(error: InitError) -> grpc.Status:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=PropertyValue.marshal_map(error.properties),
        reasons=[error.reason],
        inputs=struct_pb2.Struct(),
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=error.reason)
    status.details.append(packed)
    result = grpc.Status()
    result.code = grpc.StatusCode.UNKNOWN
    result.details = error.reason
    result.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    return result


_SIGNATURE, _ASSET = rpc._special_sig_key, rpc._special_asset_sig
_OLD_INPUTS: ContextVar[dict[str, PropertyValue] | None] = ContextVar("old_inputs", default=None)


def old_inputs() -> dict[str, PropertyValue] | None:
    """Give the old inputs that the engine sent with the diff or update that is being served; None when it sent none."""
    return _OLD_INPUTS.get()


def _assets(values: Any) -> dict[str, Any]:
    """Copy the assets of a request as the engine sent them."""
    found = {name: value for name, value in values.fields.items() if _is_asset(value)}
    return {name: type(value).FromString(value.SerializeToString()) for name, value in found.items()}


def _is_asset(value: Any) -> bool:
    fields = value.struct_value.fields  # asking a map for a key that it has not would add it
    return value.HasField("struct_value") and _SIGNATURE in fields and fields[_SIGNATURE].string_value == _ASSET


def _restore(answer: Any, assets: dict[str, Any]) -> None:
    """Put assets into an answer as the engine sent them: the SDK's values lose the hash."""
    for name, value in assets.items():
        if name in answer.fields:
            answer.fields[name].CopyFrom(value)


def _make_readable(values: Any) -> None:
    """Give old assets, which the engine sends as a hash alone, the empty text that the SDK needs to read them."""
    for value in values.fields.values():
        if _is_asset(value) and not {"path", "text", "uri"} & set(value.struct_value.fields):
            value.struct_value.fields["text"].string_value = ""


def _old_inputs_of(request: Any) -> dict[str, PropertyValue] | None:
    if not request.HasField("old_inputs"):
        return None
    _make_readable(request.old_inputs)
    return PropertyValue.unmarshal_map(request.old_inputs)


class Servicer(ProviderServicer):
    """The SDK's servicer with the differences of this module."""

    async def _guarded(self, method: Callable[..., Awaitable[Any]], request: Any, context: Any) -> Any:
        for name in ("olds", "news", "properties", "inputs", "old_inputs"):
            if name in request.DESCRIPTOR.fields_by_name and request.HasField(name):
                _make_readable(getattr(request, name))
        try:
            return await method(request, context)
        except Exception as error:
            # The SDK wraps what the provider raised into an exception whose text is the traceback.
            cause = error if isinstance(error, ProviderError) else error.__context__
            if isinstance(cause, InitError):
                await context.abort_with_status(_init_failure(cause))
            if isinstance(cause, ProviderError):
                await context.abort(grpc.StatusCode.UNKNOWN, str(cause))
            raise

    async def Invoke(self, request: Any, context: Any) -> Any:
        """Serve a function call."""
        return await self._guarded(super().Invoke, request, context)

    async def CheckConfig(self, request: Any, context: Any) -> Any:
        """Serve the check of the provider's own settings."""
        return await self._guarded(super().CheckConfig, request, context)

    async def DiffConfig(self, request: Any, context: Any) -> Any:
        """Tell whether a change of the provider's settings means that its resources are made again.

        Without ``diff_config`` of the provider's own it changes no resource by itself.
        """
        old, new = (PropertyValue.unmarshal_map(side) for side in (request.olds, request.news))
        asked = sdk.DiffRequest(request.urn, request.id, old, new, list(request.ignoreChanges))
        found = await self._provider.diff_config(asked)
        kinds = provider_pb2.DiffResponse
        return kinds(
            changes=kinds.DIFF_SOME if found.changes else kinds.DIFF_NONE,
            diffs=found.diffs,
            replaces=found.replaces,
        )

    async def Configure(self, request: Any, context: Any) -> Any:
        """Serve the configuration."""
        return await self._guarded(super().Configure, request, context)

    async def Check(self, request: Any, context: Any) -> Any:
        """Serve the check of inputs."""
        assets = _assets(request.news)
        answer = await self._guarded(super().Check, request, context)
        _restore(answer.inputs, assets)
        return answer

    async def Diff(self, request: Any, context: Any) -> Any:
        """Serve a diff, with the old inputs within reach of ``old_inputs``."""
        _OLD_INPUTS.set(_old_inputs_of(request))
        return await self._guarded(super().Diff, request, context)

    async def Create(self, request: Any, context: Any) -> Any:
        """Serve a create."""
        assets = _assets(request.properties)
        answer = await self._guarded(super().Create, request, context)
        _restore(answer.properties, assets)
        return answer

    async def Update(self, request: Any, context: Any) -> Any:
        """Serve an update, with the old inputs within reach of ``old_inputs``."""
        _OLD_INPUTS.set(_old_inputs_of(request))
        assets = _assets(request.news)
        answer = await self._guarded(super().Update, request, context)
        _restore(answer.properties, assets)
        return answer

    async def Read(self, request: Any, context: Any) -> Any:
        """Serve a read."""
        state, inputs = _assets(request.properties), _assets(request.inputs)
        answer = await self._guarded(super().Read, request, context)
        _restore(answer.properties, state)
        _restore(answer.inputs, inputs)
        return answer

    async def Construct(self, request: Any, context: Any) -> Any:
        """Serve a component."""
        return await self._guarded(super().Construct, request, context)

    async def Delete(self, request: Any, context: Any) -> Any:
        """Serve a delete."""
        return await self._guarded(super().Delete, request, context)


def serve(version: str, make: Callable[[EngineLog], sdk.Provider]) -> None:
    """Print the port and serve until the engine ends the process.

    Args:
        version: what the plugin reports.
        make: makes the provider, given the engine's log.
    """
    serve_plugin(lambda engine: Servicer([], version, make(EngineLog(engine)), engine_address=engine))


def serve_plugin(make: Callable[[str], provider_pb2_grpc.ResourceProviderServicer]) -> None:
    """Print the port and serve what is made for the engine's address, until the engine ends the process."""
    parser = argparse.ArgumentParser(description="Pulumi provider plugin (stand-in)")
    parser.add_argument("engine", help="address of the Pulumi engine")
    known, _ = parser.parse_known_args()

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WORKERS))
        server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(make(known.engine), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        # So the engine ends its plugins, and waits for their end.
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, ended.set)
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await ended.wait()
        await server.stop(grace=None)

    asyncio.run(run())
    # The process ends: a last search through all that boto3 has loaded would free nothing and cost 0.15 s of every run.
    gc.freeze()
