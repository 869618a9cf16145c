"""The VPC's resolver (Amazon's link-local 169.254.169.253): host names and load balancers, nothing of the world.

An unknown name is refused at once, so nothing on a host waits for a time-out (swarm would, 20 s for every image).
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

TYPE_A = 1
REFUSED = 5
SECONDS = 5
"""Time to live of an answer: a load balancer may go at any time."""

Lookup = Callable[[str], list[str] | None]
"""Addresses of a name in lower case; empty for a known name without one, None for an unknown name."""


def reply(query: bytes, lookup: Lookup) -> bytes | None:
    """The answer to one query packet (RFC 1035 §4), None when it is no query."""
    if len(query) < 12:
        return None
    number, flags, questions = struct.unpack("!HHH", query[:6])
    if flags & 0x8000 or questions != 1:
        return None
    labels, at = [], 12
    while at < len(query) and query[at]:
        length = query[at]
        labels.append(query[at + 1 : at + 1 + length].decode("latin-1"))
        at += 1 + length
    question = query[12 : at + 5]
    if len(question) < 5:
        return None
    kind = struct.unpack("!H", question[-4:-2])[0]
    found = lookup(".".join(labels).lower())
    addresses = (found or []) if kind == TYPE_A else []
    code = REFUSED if found is None else 0
    header = struct.pack("!HHHHHH", number, 0x8080 | (flags & 0x0100) | code, 1, len(addresses), 0, 0)
    records = [struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, SECONDS, 4) + socket.inet_aton(a) for a in addresses]
    return header + question + b"".join(records)


class Resolver(asyncio.DatagramProtocol):
    """Answers on one UDP socket."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query."""
        answer = reply(data, self.lookup)
        if answer and self.transport:
            self.transport.sendto(answer, addr)


async def serve(sock: socket.socket, lookup: Lookup) -> asyncio.BaseTransport:
    """Answer on a socket that was opened in a router."""
    sock.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Resolver(lookup), sock=sock)
    return transport
