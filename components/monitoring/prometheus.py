"""Prometheus on a swarm: servers and Alertmanager on the managers, exporters on every node."""

from typing import Any

import pulumi
import pulumi_docker as docker

from components.monitoring import configs, grafana, objects
from components.monitoring.args import PrometheusArgs
from components.monitoring.catalogue import Parameters, load, prometheus_rules
from components.monitoring.images import image
from components.monitoring.objects import NOBODY, Swarm
from components.timonel_provider import Password, ServerCertificate

_CLUSTERED = (
    # Alertmanager would tell its peers the address of its default route, which is the node's own bridge and the same
    # on each node. The host name's address is that of the overlay network. Nothing in a service's templates is it.
    "/bin/sh",
    "-c",
    f'exec /bin/alertmanager --cluster.advertise-address="$(hostname -i | cut -d" " -f1):{configs.GOSSIP_PORT}" "$@"',
    "alertmanager",
)


class Prometheus:
    """Makes the backend's objects as children of a MonitoringStack."""

    def __init__(self, name: str, args: PrometheusArgs, child: pulumi.ResourceOptions) -> None:
        """Make them.

        Args:
            name: logical name of the stack.
            args: see :class:`PrometheusArgs`.
            child: options of every object.
        """
        self._name = name
        self._args = args
        self._swarm = Swarm(name, child)
        self.password = Password(f"{name}-password", given=args.get("password"), opts=child)
        authority = args["authority"]
        self._certificate = ServerCertificate(
            f"{name}-certificate",
            access=authority["access"],
            authority_secret_id=authority["secret_id"],
            authority_fingerprint=authority["fingerprint"],
            names=[args["address"], "prometheus", "alertmanager"],
            opts=child,
        )
        self._network = self._swarm.network("network").id
        self._create_exporters()
        self._create_alertmanager()
        self._create_prometheus()
        if configs.has_grafana(args):
            self._create_grafana()

    def _create_exporters(self) -> None:
        # Docker answers with another name of the same network: that of the node which was asked.
        hosts = pulumi.ResourceOptions(ignore_changes=["taskSpec.networksAdvanceds"])
        self._swarm.service(
            "node-exporter",
            image=image("node-exporter"),
            args=[
                "--path.rootfs=/host",
                "--path.procfs=/host/proc",  # the node's mounts, not the container's
                "--path.sysfs=/host/sys",
                "--collector.textfile.directory=/host/var/lib/timonel/metrics",
                f"--web.listen-address=:{configs.NODE_PORTS['node']}",
            ],
            mounts=[objects.folder("/", "/host", "rslave")],
            memory_mib=64,
            opts=hosts,
        )
        self._swarm.service(
            "cadvisor",
            image=image("cadvisor"),
            args=[
                f"-port={configs.NODE_PORTS['cadvisor']}",
                "-docker_only=true",
                "-housekeeping_interval=10s",
                "-store_container_labels=false",
                "-whitelisted_container_labels=com.docker.swarm.service.name,com.docker.swarm.task.name",
            ],
            mounts=[
                objects.folder("/", "/rootfs"),
                objects.folder("/run", "/var/run"),
                objects.folder("/sys", "/sys"),
                objects.folder("/var/lib/docker", "/var/lib/docker"),
            ],
            memory_mib=256,
            opts=hosts,
        )

    def _create_alertmanager(self) -> None:
        args = self._args
        secrets = {**self._own_secrets(), **configs.secrets_of(args.get("receivers", []))}
        if "dead_mans_switch" in args:
            secrets["dead-mans-switch"] = args["dead_mans_switch"]
        name, count = f"{self._name}-alertmanager", int(args.get("alertmanagers", 1))
        texts = {"/etc/timonel/alertmanager.yml": configs.alertmanager(args), **self._own_configs()}
        self._swarm.service(
            "alertmanager",
            image=image("alertmanager"),
            command=_CLUSTERED if count > 1 else (),
            args=[
                "--config.file=/etc/timonel/alertmanager.yml",
                "--storage.path=/alertmanager",
                f"--web.config.file={configs.SECRETS}/web.yml",
                pulumi.Output.format("--web.external-url=https://{0}:{1}", args["address"], configs.ALERTMANAGER_PORT),
                *configs.gossip(name, count),
            ],
            files=self._swarm.files("alertmanager", texts, secrets, NOBODY),
            mounts=[self._volume(name, "/alertmanager")],
            memory_mib=128,
            replicas=count,
            network=self._network,
            port=configs.ALERTMANAGER_PORT,
            constraints=configs.ON_MANAGERS,
        )

    def _create_prometheus(self) -> docker.Service:
        args = self._args
        name = f"{self._name}-prometheus"
        texts = {
            "/etc/timonel/prometheus.yml": configs.prometheus(args, name, f"{self._name}-alertmanager"),
            "/etc/timonel/rules.yml": self._rules(),
            **self._own_configs(),
        }
        secrets = {**self._own_secrets(), "password": self.password.password}
        if "secret" in args.get("remote_write", {}):
            secrets["remote-write"] = args["remote_write"]["secret"]
        return self._swarm.service(
            "prometheus",
            image=image("prometheus"),
            args=[
                "--config.file=/etc/timonel/prometheus.yml",
                "--storage.tsdb.path=/prometheus",
                f"--storage.tsdb.retention.time={int(args.get('retention_days', 15))}d",
                f"--storage.tsdb.retention.size={int(args.get('retention_gib', 5))}GB",
                f"--web.config.file={configs.SECRETS}/web.yml",
                pulumi.Output.format("--web.external-url=https://{0}:{1}", args["address"], configs.PROMETHEUS_PORT),
            ],
            files=self._swarm.files("prometheus", texts, secrets),
            # The folder, not the socket in it: a mounted socket keeps dockerd from starting again.
            mounts=[self._volume(name, "/prometheus"), objects.folder("/run", "/host/run")],
            memory_mib=1024,
            replicas=int(args.get("replicas", 1)),
            network=self._network,
            port=configs.PROMETHEUS_PORT,
            constraints=configs.ON_MANAGERS,
            environment={"REPLICA": "{{.Task.Slot}}"},
            user="0:0",  # the socket is root's
        )

    def _create_grafana(self) -> None:
        grafana.create(
            self._swarm,
            prometheus=f"{self._name}-prometheus",
            network=self._network,
            address=self._args["address"],
            password=self.password.password,
            own_configs=self._own_configs(),
            private_key=self._certificate.private_key,
        )

    def _volume(self, name: str, target: str) -> dict[str, Any]:
        return objects.volume(name, target, goes=bool(self._args.get("enable_volume_removal")))

    def _rules(self) -> pulumi.Input[str]:
        expires = self._args.get("client_certificate_expires")
        if expires is None:
            return prometheus_rules(load())
        known = pulumi.Output.from_input(expires)
        return known.apply(lambda end: prometheus_rules(load(), Parameters(client_certificate_expires=end)))

    def _own_configs(self) -> dict[str, pulumi.Input[str]]:
        return {
            configs.CA_FILE: self._args["authority"]["certificate"],
            configs.CERTIFICATE_FILE: self._certificate.certificate,
        }

    def _own_secrets(self) -> dict[str, pulumi.Input[str]]:
        return {"server.key": self._certificate.private_key, "web.yml": self.password.bcrypt.apply(configs.web)}
