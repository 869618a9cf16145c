"""Grafana on a swarm: one server on a manager, with the dashboards and the data source that it starts with.

It keeps nothing: what it shows stands in files, so it starts anywhere and a changed password is taken. Settings by
environment, files of provisioning: https://grafana.com/docs/grafana/v12.4/setup-grafana/configure-grafana/ and
https://grafana.com/docs/grafana/v12.4/administration/provisioning/
"""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_docker as docker
import yaml

from components.monitoring import configs
from components.monitoring.dashboards import DATASOURCE_UID, dashboards
from components.monitoring.images import image
from components.monitoring.objects import Swarm

USER = "472"
"""Number of the image's user."""
PASSWORD_FILE = "admin-password"  # noqa: S105 (a file's name)
DATA_SOURCE_FILE = "/etc/grafana/provisioning/datasources/prometheus.yaml"
FOLDER_FILE = "/etc/grafana/provisioning/dashboards/folder.yaml"
DASHBOARDS = "/etc/timonel/dashboards"


def create(
    swarm: Swarm,
    *,
    prometheus: str,
    network: pulumi.Input[str],
    address: pulumi.Input[str],
    password: pulumi.Input[str],
    own_configs: Mapping[str, pulumi.Input[str]],
    private_key: pulumi.Input[str],
) -> docker.Service:
    """Make the service and its files.

    Args:
        swarm: where.
        prometheus: name of Prometheus' service.
        network: overlay network that both are in.
        address: name under which operators reach the managers.
        password: secret; of ``configs.USER``, at Prometheus and here.
        own_configs: authority and certificate, by path.
        private_key: secret; of the certificate.
    """
    secret = pulumi.Output.secret(password)
    root_url = pulumi.Output.format("https://{0}:{1}/", address, configs.GRAFANA_PORT)
    secrets: dict[str, pulumi.Input[str]] = {
        "server.key": private_key,
        PASSWORD_FILE: secret,
        DATA_SOURCE_FILE: pulumi.Output.all(secret, own_configs[configs.CA_FILE]).apply(
            lambda known: data_source(prometheus, *known)
        ),
    }
    shown = {f"{DASHBOARDS}/{name}": text for name, text in dashboards().items()}
    return swarm.service(
        "grafana",
        image=image("grafana"),
        args=[],
        environment=environment(root_url),
        files=swarm.files("grafana", {FOLDER_FILE: folder(), **shown, **own_configs}, secrets, USER),
        mounts=[],
        memory_mib=512,
        replicas=1,
        network=network,
        port=configs.GRAFANA_PORT,
        constraints=configs.ON_MANAGERS,
    )


def environment(root_url: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    """Grafana's settings: who gets in, by what, and that it calls nobody."""
    return {
        "GF_SERVER_PROTOCOL": "https",
        "GF_SERVER_HTTP_PORT": str(configs.GRAFANA_PORT),
        "GF_SERVER_ROOT_URL": root_url,
        "GF_SERVER_CERT_FILE": configs.CERTIFICATE_FILE,
        "GF_SERVER_CERT_KEY": f"{configs.SECRETS}/server.key",
        "GF_SECURITY_ADMIN_USER": configs.USER,
        "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{configs.SECRETS}/{PASSWORD_FILE}",
        "GF_SECURITY_COOKIE_SECURE": "true",
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_AUTH_ANONYMOUS_ENABLED": "false",
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_METRICS_ENABLED": "false",  # its page asks for no password
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "true",
    }


def data_source(prometheus: str, password: str, authority: str) -> str:
    """The provisioned data source. A secret, since the password stands in it.

    The password is not named by Grafana's ``$__file{}``: what that reads is expanded again, and a ``$`` lost.
    """
    source: dict[str, Any] = {
        "name": "Prometheus",
        "uid": DATASOURCE_UID,
        "type": "prometheus",
        "access": "proxy",
        # The tasks' addresses: a service's virtual one needs IPVS, which a kernel may lack.
        "url": f"https://tasks.{prometheus}:{configs.PROMETHEUS_PORT}",
        "isDefault": True,
        "editable": False,
        "basicAuth": True,
        "basicAuthUser": configs.USER,
        "jsonData": {"httpMethod": "POST", "tlsAuthWithCACert": True, "serverName": "prometheus"},
        "secureJsonData": {"basicAuthPassword": password.replace("$", "$$"), "tlsCACert": authority},
    }
    return yaml.safe_dump({"apiVersion": 1, "prune": True, "datasources": [source]}, sort_keys=False, width=1000)


def folder() -> str:
    """Where the dashboards are read from, and that nobody changes or deletes them by hand."""
    provider = {
        "name": "timonel",
        "folder": "Timonel",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": DASHBOARDS},
    }
    return yaml.safe_dump({"apiVersion": 1, "providers": [provider]}, sort_keys=False)
