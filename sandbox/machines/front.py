"""What stands before the registry: it knows which registry a host asks, and has stand-ins made when they are wanted.

Every connection serves one request, so that each request's head is seen; the bytes behind it are carried as they are.
"""

import asyncio
import json
import logging
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.error import URLError

from sandbox.machines import relay, standins
from toolchain.errors import ToolchainError

log = logging.getLogger("machines.registry")
PATH = re.compile(r"^/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags)/(?P<reference>[^?]+)(?P<query>\?.*)?$")


@dataclass(frozen=True)
class Head:
    """The head of one request."""

    method: str
    path: str
    lines: tuple[str, ...]

    @classmethod
    def parse(cls, text: bytes) -> "Head":
        """Read a head (RFC 9112 §2.1)."""
        first, *lines = text.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ", 2)
        return cls(method, path, tuple(lines))

    @property
    def host(self) -> str:
        """The registry that is asked, without a port; Docker Hub when the sandbox's own address is."""
        given = next((line.split(":")[1].strip() for line in self.lines if line.lower().startswith("host:")), "")
        return given if given in standins.HOSTS else standins.HUB

    def wanted(self) -> tuple[standins.StandIn | None, str, str]:
        """The stand-in that is asked for with its tag (empty unless a manifest is), and the path in our registry."""
        match = PATH.match(self.path)
        if not match:
            return None, "", self.path
        item = standins.find(self.host, match["repository"])
        name = match["repository"] if self.host == standins.HUB else f"{self.host}/{match['repository']}"
        path = f"/v2/{name}/{match['kind']}/{match['reference']}"
        return item, match["reference"] if match["kind"] == "manifests" else "", path

    def rewritten(self, path: str) -> bytes:
        """The head for our registry, which closes the connection after its answer."""
        kept = [line for line in self.lines if not line.lower().startswith("connection:")]
        return "\r\n".join([f"{self.method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1")


async def serve(listener: socket.socket, connect: relay.Connect, registry: Callable[[], str]) -> asyncio.Server:
    """Accept on a listener; `registry` gives the address (`http://HOST:PORT`) of what `connect` connects to."""
    shelf = standins.Shelf()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = Head.parse(await reader.readuntil(b"\r\n\r\n"))
            item, tag, path = head.wanted()
            if item and tag and head.method in ("GET", "HEAD"):
                await asyncio.to_thread(shelf.provide, item, tag, registry())
            far_reader, far_writer = await connect()
        except (RuntimeError, ToolchainError, URLError) as error:
            log.exception("a stand-in cannot be made")
            await _refuse(writer, str(error))
            return
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
            return
        far_writer.write(head.rewritten(path))
        await relay.join(reader, writer, far_reader, far_writer)

    return await asyncio.start_server(carry, sock=listener)


async def _refuse(writer: asyncio.StreamWriter, reason: str) -> None:
    body = json.dumps({"errors": [{"code": "UNAVAILABLE", "message": f"the sandbox's registry: {reason}"}]}).encode()
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    writer.close()
