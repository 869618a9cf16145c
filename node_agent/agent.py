"""The service: prepares the host once, then makes one pass after the other."""

from __future__ import annotations

import time
from collections.abc import Callable

from node_agent import config as configuration
from node_agent import daemon, ecr, health, pki
from node_agent.aws import AwsCloud, S3Store, SecretsManager
from node_agent.config import AgentConfig
from node_agent.docker_api import DockerApi
from node_agent.engine import DockerSwarm
from node_agent.host import LinuxHost, WallClock
from node_agent.imds import Imds
from node_agent.log import logger
from node_agent.manager import Manager
from node_agent.metrics import Metrics
from node_agent.ports import AwayError, Identity
from node_agent.volumes import Volumes
from node_agent.watchdog import Watchdog
from node_agent.worker import Worker
from node_agent.world import Facts, Ports

RETRY = 3.0


class Agent:
    """Everything wired to the real world."""

    def __init__(self, config: AgentConfig, me: Identity, imds: Imds) -> None:
        self.config, self.me = config, me
        self._before = Facts()
        self.node: Manager | Worker | None = None
        self.log = logger(me.instance, self.facts)
        self.swarm = DockerSwarm(DockerApi(), config, me)
        self.ports = Ports(
            store=S3Store(config.bucket, config.region, config.kms_key), secrets=SecretsManager(config),
            cloud=AwsCloud(config, me, imds), swarm=self.swarm, host=LinuxHost(self.swarm), clock=WallClock(),
            log=self.log,
        )  # fmt: skip
        self.node = (Manager if config.is_manager else Worker)(me, config, self.ports)
        self.watchdog = Watchdog(self.swarm.engine)
        self.metrics = Metrics(config, self.swarm.services, self.log)
        self.volumes = Volumes(self.swarm, self.log) if config.is_manager else None
        self._refreshed = -1e9

    def facts(self) -> Facts:
        """What the last pass found."""
        return self.node.facts if self.node else self._before

    def prepare(self) -> None:
        """Certificates, daemon.json, dockerd."""
        if self.config.is_manager:
            ca = self.ports.secrets.get("ca")
            if not ca:
                raise AwayError("the CA's secret is empty: the stack writes it")
            names = [*self.config.api_names, self.me.address, self.me.hostname, "localhost", "127.0.0.1"]
            pki.ensure({"certificate": ca["certificate"], "private_key": ca["private_key"]}, names)
        daemon.ensure(self.config, self.me)

    def forever(self) -> None:
        """Never returns."""
        began = time.time()
        attempt(self.log, "prepare", self.prepare)
        self.log("prepare", "done", seconds=round(time.time() - began, 3))
        if self.config.is_manager:
            health.serve(self.facts)
        while True:
            pause = RETRY
            try:
                pause = self.node.step() if self.node else RETRY
            except OSError as error:  # a full disk: the swarm goes on, and so does the watch
                self.log("pass", "failed", error=str(error))
            self._around()
            time.sleep(pause)

    def _around(self) -> None:
        try:
            silent = self.watchdog.look(time.monotonic())
            if silent:
                self.facts().dockerd_kills += 1
                self.log("dockerd", "killed", why="it did not answer", seconds=round(silent))
        except AwayError as error:
            self.log("dockerd", "failed", error=str(error))
        self.metrics.write(self.facts(), time.time())
        if self.volumes:
            self.volumes.look(time.monotonic())
        if time.monotonic() - self._refreshed >= ecr.EVERY:
            self._refreshed = time.monotonic()
            try:
                ecr.refresh(self.config.region)
            except AwayError as error:
                self._refreshed += 600 - ecr.EVERY
                self.log("ecr", "away", error=str(error))


def attempt(log: Callable[..., None], what: str, call: Callable[[], None]) -> None:
    """Until it succeeds: the launch hook's time-out is what gives up on an instance."""
    while True:
        try:
            return call()
        except AwayError as error:
            log(what, "away", error=str(error))
            time.sleep(RETRY)


def build() -> Agent:
    """The agent of this host.

    Raises:
        ConfigError: agent.json is absent or refused.
        AwayError: the metadata service does not answer.
    """
    config = configuration.load()
    imds = Imds()
    return Agent(config, imds.identity(), imds)
