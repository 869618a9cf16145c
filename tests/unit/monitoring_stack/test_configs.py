"""What Prometheus and Alertmanager are told."""

from pathlib import Path
from typing import Any

import yaml

from components.monitoring import configs
from components.monitoring.images import FILE, image
from tests.unit.monitoring.promtool import promtool

ARGS: Any = {"cluster": "dev", "address": "lb", "authority": {}, "managers": 3}
EVERYBODY: Any = {
    **ARGS,
    "dead_mans_switch": "https://switch.example/PLANTED",
    "receivers": [
        {"kind": "slack", "secret": "PLANTED", "channel": "#ops"},
        {"kind": "email", "secret": "PLANTED", "to": "a@b.example", "sender": "c@b.example", "server": "m.example:587"},
        {"kind": "pagerduty", "secret": "PLANTED", "critical_only": True},
        {"kind": "webhook", "secret": "PLANTED"},
    ],
    "remote_write": {"url": "https://w.example/write", "username": "me", "secret": "PLANTED"},
}


def test_no_secret_stands_in_a_config() -> None:
    texts = configs.prometheus(EVERYBODY, "m-prometheus", "m-alertmanager") + configs.alertmanager(EVERYBODY)
    assert "PLANTED" not in texts, "configs are readable in `docker config inspect`"


def test_every_receiver_is_told_and_the_switch_hears_the_watchdog_alone() -> None:
    told = yaml.safe_load(configs.alertmanager(EVERYBODY))
    routes = told["route"]["routes"]
    assert [route["receiver"] for route in routes] == [
        "dead-mans-switch", "slack-0", "email-1", "pagerduty-2", "webhook-3",
    ]  # fmt: skip
    assert "continue" not in routes[0], "nobody else hears the watchdog"
    assert all(route["continue"] for route in routes[1:]), "one receiver does not keep an alert from the next"
    assert routes[3]["matchers"] == ['severity="critical"']
    assert {route["receiver"] for route in routes} | {"nobody"} == {one["name"] for one in told["receivers"]}


def test_the_watchdog_wakes_nobody_where_there_is_no_switch() -> None:
    args: Any = {**ARGS, "receivers": [{"kind": "webhook", "secret": "s"}]}
    first = yaml.safe_load(configs.alertmanager(args))["route"]["routes"][0]
    assert (first["receiver"], first["matchers"]) == ("nobody", ['alertname="Watchdog"'])


def test_no_label_of_a_node_s_target_changes_while_the_node_lives() -> None:
    told = yaml.safe_load(configs.prometheus(ARGS, "p", "a"))
    jobs = {job["job_name"]: job for job in told["scrape_configs"]}
    assert {*jobs} == {"node", "cadvisor", "dockerd", "prometheus", "alertmanager"}
    for name in configs.NODE_PORTS:
        sources = {source for rule in jobs[name]["relabel_configs"] for source in rule["source_labels"]}
        assert not {s for s in sources if any(w in s for w in ("status", "availability", "leader", "reachab"))}


def test_promtool_takes_the_settings_of_prometheus(tmp_path: Path) -> None:
    text = configs.prometheus(EVERYBODY, "m-prometheus", "m-alertmanager")
    for place in (configs.SECRETS, "/etc/timonel"):
        text = text.replace(place, str(tmp_path))
    for name in ("password", "remote-write", "ca.pem"):
        (tmp_path / name).write_text("x")
    (tmp_path / "rules.yml").write_text("groups: []")
    (tmp_path / "prometheus.yml").write_text(text)
    done = promtool("check", "config", "--syntax-only", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_image_has_its_digest_where_the_lock_knows_this_version(tmp_path: Path) -> None:
    tagged = image("prometheus", lock=tmp_path / "none")
    assert tagged.startswith("prom/prometheus:v")
    (tmp_path / "lock").write_text(yaml.safe_dump({"digests": {tagged: "sha256:abc"}}))
    assert image("prometheus", lock=tmp_path / "lock") == f"{tagged}@sha256:abc"
    assert "@" not in image("alertmanager", lock=tmp_path / "lock"), "another image's digest is not its"
    lines = FILE.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  ") and not line.startswith("  #"):
            assert "# renovate:" in lines[number - 1], f"{line}: nobody would renew it"
