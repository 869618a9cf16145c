"""Bytes from one TCP connection to another, and the event loop in which all relays of the controller run."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
# The event loop forgets a transport after its end of file and holds readers weakly: without this a half-closed one
# would be collected as garbage in the middle of its other direction.
_carrying: set[asyncio.Task[Any] | None] = set()
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="relays", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T], timeout: float = 20) -> T:
        """Run a coroutine there and wait for its answer."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start a coroutine there."""
        asyncio.run_coroutine_threadsafe(work, self.loop)


async def serve(listener: socket.socket, connect: Connect) -> asyncio.Server:
    """Accept on a listener; every connection is carried to what `connect` opens, and reset when that fails."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await connect()
        except OSError:
            writer.transport.abort()
            return
        await join(reader, writer, far_reader, far_writer)

    return await asyncio.start_server(carry, sock=listener)


def to(host: str, port: int) -> Connect:
    """A `connect` to an address of the VM itself."""
    return lambda: asyncio.open_connection(host, port)


async def join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    """Carry both directions to their ends. A broken side breaks the other, as a proxy in the way would."""
    task = asyncio.current_task()
    _carrying.add(task)
    try:
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    except OSError:
        writer.transport.abort()
        far_writer.transport.abort()
    finally:
        _carrying.discard(task)
        for one in (writer, far_writer):
            with contextlib.suppress(OSError):
                one.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction, its end included: half-closed connections are part of TCP."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
