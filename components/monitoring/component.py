"""MonitoringStack: what watches a swarm and tells somebody."""

import pulumi

from components.monitoring import checks, configs
from components.monitoring.args import PrometheusArgs
from components.monitoring.prometheus import Prometheus


class MonitoringStack(pulumi.ComponentResource):
    """Prometheus, Alertmanager, Grafana, node_exporter and cAdvisor as services of a swarm, with the catalogue's rules.

    It needs a docker provider in ``opts`` and the ports of ``components.monitoring.configs`` open: ``operator_ports``
    for operators, ``NODE_PORTS`` among the nodes. The history lies on the disk of the manager that Prometheus runs on:
    it survives restarts of service and host, and goes with the instance; ``remote_write`` keeps it elsewhere.
    """

    prometheus_url: pulumi.Output[str]
    """Prometheus, ``https://HOST:9090``; its certificate is signed by the cluster's authority."""
    alertmanager_url: pulumi.Output[str]
    """Alertmanager, ``https://HOST:9093``."""
    grafana_url: pulumi.Output[str]
    """Grafana, ``https://HOST:3000``; empty without it."""
    user: pulumi.Output[str]
    """Who logs in at each."""
    password: pulumi.Output[str]
    """Secret. The user's password."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the stack.

        Args:
            name: logical name; the services are called after it, so a swarm has one of a name.
            args: see :class:`PrometheusArgs`.
            opts: resource options, with the docker provider.

        Raises:
            InputError: an argument that cannot work, before any resource is registered.
        """
        checks.check(args)
        super().__init__("timonel:index:MonitoringStack", name, {}, opts)
        backend = Prometheus(name, args, pulumi.ResourceOptions(parent=self))
        self.prometheus_url = pulumi.Output.format("https://{0}:{1}", args["address"], configs.PROMETHEUS_PORT)
        self.alertmanager_url = pulumi.Output.format("https://{0}:{1}", args["address"], configs.ALERTMANAGER_PORT)
        has_grafana = configs.has_grafana(args)
        grafana = pulumi.Output.format("https://{0}:{1}", args["address"], configs.GRAFANA_PORT)
        self.grafana_url = grafana if has_grafana else pulumi.Output.from_input("")
        self.user = pulumi.Output.from_input(configs.USER)
        self.password = pulumi.Output.secret(backend.password.password)
        self.register_outputs(
            {
                "prometheus_url": self.prometheus_url,
                "alertmanager_url": self.alertmanager_url,
                "grafana_url": self.grafana_url,
                "user": self.user,
                "password": self.password,
            }
        )
