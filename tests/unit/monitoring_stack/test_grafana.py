"""What Grafana is told: who gets in, by what, what it shows, and that it calls nobody."""

import json
from typing import Any

import yaml

from components.monitoring import configs, grafana
from components.monitoring.dashboards import DATASOURCE_UID, dashboards


def test_the_password_is_named_by_a_file_and_nobody_gets_in_without_it() -> None:
    told = grafana.environment("https://lb.example:3000/")
    assert told["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/admin-password"
    assert not [name for name in told if "PASSWORD" in name and not name.endswith("__FILE")]
    closed = ("GF_AUTH_ANONYMOUS_ENABLED", "GF_USERS_ALLOW_SIGN_UP", "GF_METRICS_ENABLED")
    assert [told[name] for name in closed] == ["false"] * 3
    assert told["GF_SERVER_PROTOCOL"] == "https"


def test_nothing_is_asked_of_or_sent_to_the_world() -> None:
    told = grafana.environment("https://lb.example:3000/")
    silent = {
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    }
    assert {name: told.get(name) for name in silent} == silent


def test_prometheus_is_asked_by_tls_under_the_name_of_its_certificate_and_a_dollar_in_the_password_is_kept() -> None:
    [source] = yaml.safe_load(grafana.data_source("m-prometheus", "pa$$w$rd${HOME}", "PEM"))["datasources"]
    assert source["url"] == f"https://tasks.m-prometheus:{configs.PROMETHEUS_PORT}"
    assert source["jsonData"]["serverName"] == "prometheus"
    assert source["jsonData"]["tlsAuthWithCACert"] is True
    assert source["secureJsonData"]["tlsCACert"] == "PEM"
    kept = source["secureJsonData"]["basicAuthPassword"].replace("$$", "\0")
    assert "$" not in kept, "Grafana would put a variable there"
    assert kept.replace("\0", "$") == "pa$$w$rd${HOME}"
    assert source["uid"] == DATASOURCE_UID, "the dashboards name it"


def test_dashboards_are_read_from_where_they_are_put_and_nobody_changes_them_by_hand() -> None:
    [provider] = yaml.safe_load(grafana.folder())["providers"]
    assert provider["options"]["path"] == grafana.DASHBOARDS
    assert (provider["allowUiUpdates"], provider["disableDeletion"]) == (False, True)
    assert {json.loads(text)["uid"] for text in dashboards().values()} == {
        "timonel-nodes", "timonel-swarm", "timonel-containers", "timonel-alerts",
    }  # fmt: skip


def test_its_port_is_open_to_operators_only_where_it_is() -> None:
    without: Any = {"enable_grafana": False}
    assert configs.operator_ports({}) == [9090, 9093, 3000]
    assert configs.operator_ports(without) == [9090, 9093]
