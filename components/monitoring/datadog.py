"""Datadog on a swarm: the Agent on every node; the catalogue's monitors and a dashboard in the account.

Two components, since they end in two ways: what is in the swarm goes with it, what is in the account must be deleted.
"""

from pathlib import Path
from typing import Any

import pulumi
import pulumi_datadog as datadog
import yaml

from components.monitoring import catalogue, objects
from components.monitoring.args import DatadogArgs
from components.monitoring.dashboards import datadog_dashboard
from components.monitoring.images import image
from components.monitoring.objects import Swarm

_CHECK = Path(catalogue.__file__).with_name("datadog_check") / "timonel.py"
_METRICS = "/var/lib/timonel/metrics"
_KEY = "api-key"


class DatadogAgents(pulumi.ComponentResource):
    """The Agent on every node, with the API key as a Docker secret. It needs a docker provider in ``opts``."""

    def __init__(self, name: str, args: DatadogArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the service.

        Args:
            name: logical name; the service is called after it, so a swarm has one of a name.
            args: see :class:`DatadogArgs`.
            opts: resource options, with the docker provider.
        """
        super().__init__("timonel:index:DatadogAgents", name, {}, opts)
        self._args = args
        self._create_agent(Swarm(name, pulumi.ResourceOptions(parent=self)))
        self.register_outputs({})

    def _create_agent(self, swarm: Swarm) -> None:
        args = self._args
        tags = {"cluster": args["cluster"], **args.get("further_tags", {})}
        environment = {
            # Read by the Agent itself, so that no inspection of the service shows the key.
            "DD_API_KEY": f"ENC[file@/run/secrets/{_KEY}]",
            "DD_SECRET_BACKEND_COMMAND": "/readsecret_multiple_providers.sh",
            "DD_SITE": args.get("site", "datadoghq.com"),
            "DD_HOSTNAME": "{{.Node.Hostname}}",
            "DD_TAGS": " ".join(f"{key}:{value}" for key, value in sorted(tags.items())),
            "DD_LOGS_ENABLED": _switch(args, "enable_logs"),
            "DD_LOGS_CONFIG_CONTAINER_COLLECT_ALL": _switch(args, "enable_logs"),
            "DD_PROCESS_CONFIG_PROCESS_COLLECTION_ENABLED": _switch(args, "enable_processes"),
        }
        mounts = [
            objects.folder("/run", "/host/var/run"),
            objects.folder("/proc", "/host/proc"),
            objects.folder("/sys/fs/cgroup", "/host/sys/fs/cgroup"),
            objects.folder(_METRICS, _METRICS),
        ]
        if args.get("enable_logs"):
            mounts.append(objects.folder("/var/lib/docker/containers", "/var/lib/docker/containers"))
        texts = {
            "/etc/datadog-agent/checks.d/timonel.py": _CHECK.read_text(),
            "/etc/datadog-agent/conf.d/timonel.d/conf.yaml": self._check_settings(),
        }
        swarm.service(
            "datadog-agent",
            image=image("datadog-agent"),
            args=[],
            mounts=mounts,
            memory_mib=512,
            files=swarm.files("datadog-agent", texts, {_KEY: args["api_key"]}),
            environment=environment,
            opts=pulumi.ResourceOptions(ignore_changes=["taskSpec.networksAdvanceds"]),
        )

    def _check_settings(self) -> pulumi.Input[str]:
        instance: dict[str, Any] = {"file": f"{_METRICS}/timonel.prom"}
        expires = self._args.get("client_certificate_expires")
        if expires is None:
            return yaml.safe_dump({"instances": [instance]})
        return pulumi.Output.from_input(expires).apply(
            lambda end: yaml.safe_dump({"instances": [{**instance, "client_certificate_expires": end}]})
        )


class DatadogMonitors(pulumi.ComponentResource):
    """A monitor for each alert of the catalogue that has one there, and a dashboard.

    They go to the account of the default datadog provider (``datadog:apiKey``, ``datadog:appKey``, ``datadog:apiUrl``).
    """

    def __init__(self, name: str, args: DatadogArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make them.

        Args:
            name: logical name.
            args: see :class:`DatadogArgs`.
            opts: resource options.
        """
        super().__init__("timonel:index:DatadogMonitors", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        cluster, notify = args["cluster"], tuple(args.get("notify", []))
        for monitor in catalogue.datadog_monitors(catalogue.load(), cluster, notify=notify):
            datadog.MonitorJson(f"{name}-{monitor.alert}", monitor=monitor.json(), opts=child)
        datadog.DashboardJson(f"{name}-dashboard", dashboard=datadog_dashboard(cluster), opts=child)
        self.register_outputs({})


def _switch(args: DatadogArgs, key: str) -> str:
    return str(bool(args.get(key, False))).lower()
