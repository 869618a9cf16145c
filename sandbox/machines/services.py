"""What a VPC offers its hosts: metadata, the AWS API, the registry and names. Served by the controller's process."""

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.machines import balancers, dns, front, imds, names, registry, relay, standins
from sandbox.machines.cloud import GONE, Cloud, Instance
from sandbox.machines.network import Network
from sandbox.machines.proxy import Proxies
from sandbox.state import read_json

log = logging.getLogger("machines.services")
BALANCER_SECONDS = 2.0
"""How often the API is asked about load balancers."""


class Services:
    """One set of listeners for each VPC, opened in its router's namespace."""

    def __init__(self, machines: Path, key: str, cloud: Cloud, network: Network) -> None:
        self.machines = machines
        self.key = key
        self.cloud = cloud
        self.network = network
        self.loop = relay.Loop()
        self.tokens = imds.Tokens(machines / "imds.key")
        self._served: set[str] = set()
        self._lock = threading.Lock()
        self._hosts: dict[tuple[str, str], Instance] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._addresses: dict[str, str] = {}
        self._reports = ThreadPoolExecutor(1, "reports")
        self._reported: dict[str, list[dict[str, Any]]] = {}
        self.proxies = Proxies(machines, network, self.loop, self._address, self._tell_health)
        threading.Thread(target=self._follow_balancers, name="balancers", daemon=True).start()

    def update(self, instances: dict[str, Instance]) -> None:
        """Take note of who lives where."""
        living = [i for i in instances.values() if i.state not in GONE or (self.machines / "hosts" / i.id).exists()]
        self._hosts = {(i.vpc_id, i.ip): i for i in sorted(living, key=lambda i: i.launched)}
        self._addresses = {i.id: i.ip for i in living}
        self._names = {(i.vpc_id, names.private_dns(i.ip, self.cloud.region)): i.ip for i in living}

    def serve_vpc(self, vpc_id: str) -> None:
        """Serve a VPC's hosts; nothing to do for one that is served."""
        with self._lock:
            if vpc_id in self._served:
                return
            space = self.network.router(vpc_id)
            metadata = imds.Service(
                space.listen(names.IMDS, 80),
                self.cloud,
                self.tokens,
                lambda address: self._hosts.get((vpc_id, address)),
                lambda instance: imds.Metadata(self.cloud, instance, self._notice(instance)),
            )
            threading.Thread(target=metadata.serve_forever, name=f"imds-{vpc_id}", daemon=True).start()
            api = urlsplit(self.cloud.endpoint)
            to_api = relay.to(api.hostname or "127.0.0.1", api.port or 80)
            self.loop.call(relay.serve(space.listen(names.API, 80), to_api))
            for port in (names.REGISTRY_PORT, 80):  # as the mirror, and as other registries by their own names
                listener = space.listen(names.REGISTRY, port)
                self.loop.call(front.serve(listener, self._to_registry, lambda: registry.address(self.machines)))
            self.loop.call(dns.serve(space.datagrams(names.DNS, 53), lambda name: self._lookup(vpc_id, name)))
            self._served.add(vpc_id)
            log.info("%s: metadata, API, registry and names are served", vpc_id)

    def _notice(self, instance: Instance) -> Path:
        return self.machines / "hosts" / instance.id / "spot.json"

    async def _to_registry(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        kept = read_json(self.machines / "registry.json")
        if not kept:
            raise ConnectionRefusedError("no registry runs")
        return await asyncio.open_connection("127.0.0.1", int(kept["port"]))

    def _lookup(self, vpc_id: str, name: str) -> list[str] | None:
        if name in standins.HOSTS:
            return [names.REGISTRY]
        if name.endswith(names.DATADOG):
            return [names.API]
        found = self._names.get((vpc_id, name)) or self.proxies.inside.get((vpc_id, name))
        return [found] if found else None

    def _address(self, target: str) -> str | None:
        """Where a target lives: an instance's host, or the address itself for targets of type ip."""
        return self._addresses.get(target) if target.startswith("i-") else target

    def _tell_health(self, arn: str, entries: list[dict[str, Any]]) -> None:
        """Report a group's health when it changed (called in the event loop, so sent by another thread)."""
        if self._reported.get(arn) != entries:
            self._reported[arn] = entries
            self._reports.submit(self.cloud.tell, "target-health", {"target_group": arn, "targets": entries})

    def _follow_balancers(self) -> None:
        failing = False
        while True:
            time.sleep(BALANCER_SECONDS)
            try:
                self.proxies.follow(*balancers.read(self.cloud))
                failing = False
            except (
                Exception
            ):  # whatever it was, the next look may go well, and hosts must not lose their balancers for ever
                if not failing:
                    log.exception("load balancers: looked at again every %s s", BALANCER_SECONDS)
                failing = True
