# ruff: noqa: N802 (gRPC names the methods)
"""Serve component resources to the engine: what Pulumi's own ``provider.main`` does, with two differences.

- Errors reach the user as one message, not as a Python traceback.
- Components are made one after the other: the SDK keeps its settings (monitor, preview) in one place for all.
"""

import argparse
import asyncio
import contextlib
import sys
from typing import Any

import grpc
import grpc.aio
from pulumi.provider.provider import Provider
from pulumi.provider.server import ProviderServicer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.providers.serve import ProviderError


class _Servicer(ProviderServicer):
    def __init__(self, provider: Provider, engine: str) -> None:
        super().__init__(provider, [], engine)
        self._one_at_a_time = asyncio.Lock()

    async def Construct(self, request: Any, context: Any) -> Any:
        """Make a component and its children."""
        async with self._one_at_a_time:
            try:
                return await self._construct(request, context)
            except ProviderError as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))


def serve(provider: Provider) -> None:
    """Print the port and serve until the engine ends the process."""
    parser = argparse.ArgumentParser(description="Pulumi provider plugin (stand-in)")
    parser.add_argument("engine", help="address of the Pulumi engine")
    known, _ = parser.parse_known_args()

    async def run() -> None:
        server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Servicer(provider, known.engine), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await server.wait_for_termination()

    # The engine ends its plugins with SIGINT when the user presses Ctrl-C.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
