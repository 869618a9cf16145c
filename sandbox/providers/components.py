# ruff: noqa: N802 (gRPC names the methods)
"""Serve component resources to the engine: what Pulumi's own ``provider.main`` does, with two differences.

- Errors reach the user as one message, not as a Python traceback.
- Components are made one after the other: the SDK keeps its settings (monitor, preview) in one place for all.
"""

import asyncio
from typing import Any

import grpc
from pulumi.provider.provider import Provider
from pulumi.provider.server import ProviderServicer

from sandbox.providers.serve import ProviderError, serve_plugin


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
    serve_plugin(lambda engine: _Servicer(provider, engine))
