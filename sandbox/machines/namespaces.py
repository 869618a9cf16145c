"""Network namespaces: making them by name, and opening sockets in them from this process."""

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _enter(path: Path) -> None:
    """Move the calling thread (only it) into a namespace."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(handle, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"setns {path}: {os.strerror(number)}")
    finally:
        os.close(handle)


class Namespace:
    """A named network namespace with one thread that lives in it and opens sockets for the others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread: ThreadPoolExecutor | None = None

    @property
    def path(self) -> Path:
        """Where `ip netns` keeps it."""
        return FOLDER / self.name

    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.exists()

    def create(self) -> bool:
        """Make it with its loopback up. False when it was there."""
        if self.exists():
            return False
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        return True

    def delete(self) -> None:
        """Remove the name; the kernel frees the rest when the last process and socket in it are gone."""
        self.close()
        if self.exists():
            run("ip", "netns", "delete", self.name)

    def close(self) -> None:
        """End the thread."""
        if self._thread:
            self._thread.shutdown(wait=False)
            self._thread = None

    def run(self, function: Callable[[], T]) -> T:
        """Call a short function inside the namespace (in its thread) and return its answer."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, f"netns-{self.name}", _enter, (self.path,))
        return self._thread.submit(function).result()

    def batch(self, lines: list[str]) -> None:
        """Run `ip` commands inside, all in one process."""
        run("ip", "-n", self.name, "-batch", "-", stdin="\n".join(lines) + "\n")

    def sysctl(self, values: dict[str, str]) -> None:
        """Write the namespace's own settings below /proc/sys/net (`ipv4/ip_forward`)."""

        def write() -> None:
            for key, value in values.items():
                Path("/proc/sys/net", key).write_text(value)

        self.run(write)

    def listen(self, address: str, port: int) -> socket.socket:
        """A listening TCP socket inside."""
        return self.run(lambda: listen(address, port))

    def datagrams(self, address: str, port: int) -> socket.socket:
        """A bound UDP socket inside."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((address, port))
            return made

        return self.run(make)

    def stream(self, source: str = "") -> socket.socket:
        """A TCP socket inside, not yet connected, bound to a source address if one is given."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            made.setblocking(False)
            keep_alive(made)
            if source:
                made.bind((source, 0))
            return made

        return self.run(make)


def listen(address: str, port: int) -> socket.socket:
    """A listening TCP socket in the calling thread's namespace."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keep_alive(made)
    made.bind((address, port))
    made.listen(256)
    return made


def keep_alive(sock: socket.socket) -> None:
    """Notice a peer that is gone without a word (its power was cut) within two minutes. Accepted sockets inherit it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def run(*command: str, stdin: str | None = None) -> str:
    """Run a short command and return what it printed.

    Raises:
        RuntimeError: it failed; the message holds the command and its own words.
    """
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        told = f" < {stdin!r}" if stdin else ""
        raise RuntimeError(f"{' '.join(command)}{told}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout
