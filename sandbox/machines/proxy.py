"""The data path of network load balancers: listeners, health checks, connections to targets."""

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.machines import names, relay
from sandbox.machines.balancers import Balancer, Group, Health, Target, accepts, eligible
from sandbox.machines.namespaces import Namespace, listen
from sandbox.machines.network import Network
from sandbox.state import read_json, write_json

log = logging.getLogger("machines.proxy")
CONNECT_SECONDS = 10.0
Tell = Callable[[str, list[dict[str, Any]]], None]
Address = Callable[[str], str | None]
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class GroupProxy:
    """One target group: checks its targets for ever and opens connections to them. Lives in the relays' event loop."""

    def __init__(self, group: Group, space: Namespace, source: str, address: Address, tell: Tell) -> None:
        self.group = group
        self.space = space
        self.source = source
        self.address = address
        self.tell = tell
        self.health: dict[Target, Health] = {}
        self.leaving: dict[Target, float] = {}
        self._checks: dict[Target, asyncio.Task[None]] = {}
        self._open: dict[Target, set[asyncio.StreamWriter]] = {}
        self._turn = itertools.count()

    def follow(self, group: Group) -> None:
        """Take the group as the API shows it now."""
        self.group = group
        now = asyncio.get_running_loop().time()
        for target in group.targets:
            if target not in self.health:
                self.leaving.pop(target, None)
                self.health[target] = Health()
                self._checks[target] = asyncio.create_task(self._watch(target))
        for target in set(self.health) - set(group.targets):
            self._checks.pop(target).cancel()
            del self.health[target]
            self.leaving[target] = now + group.delay
        for target, until in list(self.leaving.items()):
            if now >= until:
                del self.leaving[target]
                if group.cut_after_delay:
                    self._cut(target)
        self.report()

    def close(self) -> None:
        """Stop checking and cut every connection: the balancer is gone."""
        for task in self._checks.values():
            task.cancel()
        for target in list(self._open):
            self._cut(target)

    def report(self) -> None:
        """Tell the API the health of every target, those that drain included."""
        entries = [
            {"id": t.id, "port": t.port, "state": h.state, "reason": h.reason, "description": h.description}
            for t, h in self.health.items()
        ]
        draining = {"state": "draining", "reason": "Target.DeregistrationInProgress"}
        entries += [{"id": t.id, "port": t.port, **draining, "description": ""} for t in self.leaving]
        self.tell(self.group.arn, entries)

    async def connect(self) -> tuple[Target, Pair]:
        """A connection to the next target in turn.

        Raises:
            OSError: no target, or it does not answer. As with a real NLB no other one is tried.
        """
        choice = eligible({target: health.state for target, health in self.health.items()})
        if not choice:
            raise ConnectionRefusedError("no target")
        target = choice[next(self._turn) % len(choice)]
        return target, await self._dial(target, target.port, CONNECT_SECONDS)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a client's connection."""
        try:
            target, (far_reader, far_writer) = await self.connect()
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        mine = self._open.setdefault(target, set())
        mine.add(far_writer)
        try:
            await relay.join(reader, writer, far_reader, far_writer)
        finally:
            mine.discard(far_writer)

    async def _dial(self, target: Target, port: int, seconds: float) -> Pair:
        address = self.address(target.id)
        if address is None:
            raise ConnectionRefusedError(f"no host is {target.id}")
        made = self.space.stream(self.source)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (address, port)), seconds)
            return await asyncio.open_connection(sock=made)
        except BaseException:
            made.close()
            raise

    async def _watch(self, target: Target) -> None:
        while True:
            start = asyncio.get_running_loop().time()
            check = self.group.check
            try:
                passed, why = await asyncio.wait_for(self._look(target), check.timeout), ""
            except TimeoutError:
                passed, why = False, "Request timed out"
            except OSError as error:
                passed, why = False, f"Connection failed: {error.strerror or error}"
            health = self.health[target]
            if health.saw(passed, check, why):
                log.info("%s port %s: %s %s", target.id, target.port, health.state, health.description)
                if health.state == "unhealthy" and self.group.cut_unhealthy:
                    self._cut(target)
                self.report()
            await asyncio.sleep(max(0.0, check.interval - (asyncio.get_running_loop().time() - start)))

    async def _look(self, target: Target) -> bool:
        check = self.group.check
        port = target.port if check.port == "traffic-port" else int(check.port)
        reader, writer = await self._dial(target, port, check.timeout)
        try:
            if check.protocol == "TCP":
                return True
            writer.write(f"GET {check.path} HTTP/1.1\r\nHost: {target.id}\r\nConnection: close\r\n\r\n".encode())
            words = (await reader.readline()).split()
            return len(words) > 1 and words[1].isdigit() and accepts(check.codes, int(words[1]))
        finally:
            writer.transport.abort()

    def _cut(self, target: Target) -> None:
        for writer in self._open.pop(target, set()):
            writer.transport.abort()


class Proxies:
    """All load balancers of a sandbox."""

    def __init__(self, machines: Path, network: Network, loop: relay.Loop, address: Address, tell: Tell) -> None:
        self.machines = machines
        self.key = network.key
        self.network = network
        self.loop = loop
        self.address = address
        self.tell = tell
        self.groups: dict[str, GroupProxy] = {}
        self.inside: dict[tuple[str, str], str] = {}
        """(VPC, DNS name) -> address that hosts reach the balancer at."""
        self._servers: dict[tuple[str, int], list[asyncio.Server]] = {}
        self._numbers: dict[str, int] = {k: int(v) for k, v in read_json(machines / "balancers.json").items()}
        self._failed: dict[tuple[str, int], str] = {}
        self._published = ""
        if not (machines / names.HOSTS_FILE).exists():
            self._publish([])  # a command that starts before the first balancer is made must see it come

    def follow(self, balancers: list[Balancer], groups: list[Group]) -> None:
        """Serve exactly these balancers. Called from the controller's thread."""
        self._number(balancers)
        self.loop.call(self._follow(balancers, {g.arn: g for g in groups}))
        self.inside = {(b.vpc_id, b.dns): names.inside(self._numbers[b.arn]) for b in balancers}
        self._publish(balancers)

    def _number(self, balancers: list[Balancer]) -> None:
        """Give every balancer a number of its own for as long as it lives; it makes its two addresses."""
        living = {b.arn for b in balancers}
        numbers = {arn: n for arn, n in self._numbers.items() if arn in living}
        free = (n for n in range(1, 255) if n not in numbers.values())
        for balancer in balancers:
            if balancer.arn not in numbers:
                numbers[balancer.arn] = next(free)
        if numbers != self._numbers:
            self._numbers = numbers
            write_json(self.machines / "balancers.json", dict(numbers))

    async def _follow(self, balancers: list[Balancer], groups: dict[str, Group]) -> None:
        wanted = {(b.arn, port): (b, arn) for b in balancers for port, arn in b.listeners.items() if arn in groups}
        for key in set(self._servers) - set(wanted):
            for server in self._servers.pop(key):
                server.close()
        used = {arn for _, arn in wanted.values()}
        for arn in set(self.groups) - used:
            self.groups.pop(arn).close()
        for key, (balancer, arn) in wanted.items():
            inside = names.inside(self._numbers[balancer.arn])
            space = self.network.router(balancer.vpc_id)
            if arn not in self.groups:
                space.batch([f"address replace {inside}/32 dev lo"])
                self.groups[arn] = GroupProxy(groups[arn], space, inside, self.address, self.tell)
            if key not in self._servers:
                await self._serve(key, balancer, arn, space, inside)
        for arn, proxy in self.groups.items():
            proxy.follow(groups[arn])

    async def _serve(self, key: tuple[str, int], balancer: Balancer, arn: str, space: Namespace, inside: str) -> None:
        _, port = key
        outside = names.loopback(self.key, self._numbers[balancer.arn])
        space.batch([f"address replace {inside}/32 dev lo"])

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            proxy = self.groups.get(arn)
            if proxy is None:
                writer.transport.abort()
            else:
                await proxy.carry(reader, writer)

        opened: list[socket.socket] = []
        try:
            opened.append(space.listen(inside, port))
            opened.append(listen(outside, port))
        except OSError as error:
            for one in opened:
                one.close()
            if self._failed.get(key) != str(error):
                log.warning("%s: port %s cannot be served on %s: %s", balancer.name, port, outside, error)
            self._failed[key] = str(error)
            return
        self._failed.pop(key, None)
        self._servers[key] = [await asyncio.start_server(carry, sock=one) for one in opened]
        log.info("%s: port %s is served on %s and inside on %s", balancer.name, port, outside, inside)

    def _publish(self, balancers: list[Balancer]) -> None:
        """Rewrite `hosts` in place (it may be bind-mounted on /etc/hosts of a running command)."""
        lines = [f"{names.loopback(self.key, self._numbers[b.arn])} {b.dns}" for b in balancers]
        text = "\n".join([Path("/etc/hosts").read_text().rstrip("\n"), *sorted(lines), ""])
        if text != self._published:
            (self.machines / names.HOSTS_FILE).write_text(text)
            self._published = text
            for balancer in balancers:
                for what in balancer.unserved:
                    log.warning("%s: listener %s is not served: only TCP is", balancer.name, what)
