"""The process: serves the provider to the engine and speaks to the user through the engine's log."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2_grpc

from provider.errors import ProviderError
from provider.timonel import VERSION, Log, TimonelProvider

CALLS = ("Check", "Diff", "Create", "Read", "Update", "Delete", "CheckConfig", "DiffConfig", "Configure", "Invoke")


def _without_trace(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The SDK's servicer puts a stack trace into every error; an error made for the user reaches it bare."""

    async def wrapper(self: "TimonelServicer", request: Any, context: Any) -> Any:
        try:
            return await call(self, request, context)
        except Exception as error:
            # The SDK raises its own error while it handles ours.
            cause = error.__context__
            if isinstance(cause, ProviderError):
                await context.abort(grpc.StatusCode.UNKNOWN, str(cause))
            raise

    return wrapper


class TimonelServicer(ProviderServicer):
    """The SDK's servicer, with errors as the user should read them."""


for _name in CALLS:
    setattr(TimonelServicer, _name, _without_trace(getattr(ProviderServicer, _name)))


def engine_log(engine_address: str) -> Log:
    """A log that writes to the resource's line of the engine's display."""
    channel = grpc.insecure_channel(engine_address, options=_GRPC_CHANNEL_OPTIONS)
    engine = engine_pb2_grpc.EngineStub(channel)

    def log(urn: str, message: str) -> None:
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn)
        # Losing a progress line must not fail the work that it tells of. (A future that nobody keeps would be
        # cancelled when it is collected, so the call is waited for.)
        with suppress(grpc.RpcError):
            engine.Log(request, timeout=10)

    return log


async def _serve(make: Callable[[Log], TimonelProvider], engine_address: str) -> None:
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    provider = make(engine_log(engine_address))
    servicer = TimonelServicer([engine_address], VERSION, provider, engine_address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


def serve(make: Callable[[Log], TimonelProvider], arguments: list[str]) -> None:
    """Serve until the engine ends the process.

    Args:
        make: makes the provider around the log that it may use.
        arguments: the engine's address first; flags that an engine may add are not used.
    """
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    if not addresses:
        sys.exit("usage: python FOLDER ENGINE-ADDRESS (the Pulumi engine starts this; there is nothing to run by hand)")
    try:
        asyncio.run(_serve(make, addresses[0]))
    except KeyboardInterrupt:
        return
