"""The real Alertmanager with the rendered settings: what reaches each receiver, at an alert's end too."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.monitoring import configs
from components.monitoring.checks import check
from sandbox.machines import debian
from tests.sinks import HttpSink, MailSink, free_port

PASSWORD, ROUTING_KEY = "mail-PLANTED", "0123456789abcdef0123456789abcdef"
LASTS = 3
"""Seconds between the firing and the end of the alerts."""


def alertmanager() -> list[str]:
    """The one on PATH, else Debian's; skips where there is neither."""
    if found := shutil.which("alertmanager"):
        return [found]
    try:
        folder = debian.newest("prometheus-alertmanager").folder
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        assert not os.environ.get("CI"), f"CI must have Alertmanager: {error}"
        pytest.skip(f"Alertmanager is not at hand: {error}")
    # Debian's reads its message templates from /usr/share, where they are not installed: it sees the package's own.
    script = 'mount --bind "$0" /usr/share && exec "$@"'
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(folder / "usr/share")]
    return [*inside, str(folder / "usr/bin/prometheus-alertmanager")]


def certificate_for_localhost(path: Path) -> None:
    """A key and a certificate that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))


class Told:
    """A running Alertmanager and everything that it tells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http = HttpSink()
        certificate = folder / "localhost.pem"
        certificate_for_localhost(certificate)
        self.mail = MailSink(certificate, "robot@ops.example", PASSWORD)
        args: Any = {
            "cluster": "dev", "address": "lb", "authority": {}, "managers": 1,
            "group_wait_seconds": 0, "group_interval_seconds": 5,
            "dead_mans_switch": f"{self.http.url}/switch",
            "receivers": [
                {"kind": "slack", "secret": f"{self.http.url}/services/T0/B0/x", "channel": "#ops"},
                {
                    "kind": "email", "secret": PASSWORD, "to": "one@ops.example, two@ops.example",
                    "sender": "robot@ops.example", "server": f"localhost:{self.mail.port}",
                },
                {"kind": "pagerduty", "secret": ROUTING_KEY, "url": f"{self.http.url}/v2/enqueue"},
                {"kind": "webhook", "secret": f"{self.http.url}/all"},
                {"kind": "webhook", "secret": f"{self.http.url}/critical", "critical_only": True},
            ],
        }  # fmt: skip
        check(args)
        for name, secret in {
            **configs.secrets_of(args["receivers"]),
            "dead-mans-switch": args["dead_mans_switch"],
        }.items():
            (folder / name).write_text(secret)
        # In a container the secrets are elsewhere; nothing else of the rendered settings is changed.
        (folder / "alertmanager.yml").write_text(configs.alertmanager(args).replace(configs.SECRETS, str(folder)))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [*alertmanager(), f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}",
             f"--web.listen-address={self.url.removeprefix('http://')}", "--cluster.listen-address="],
            stdout=self.log, stderr=self.log,
            # The mail server's certificate is the test's own: the program must trust it, and does not skip its check.
            env={**os.environ, "SSL_CERT_FILE": str(certificate)},
        )  # fmt: skip
        until(self, "Alertmanager is ready", self._ready)

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=5).ok
        except requests.ConnectionError:
            return False

    def fire(self, name: str, severity: str, *, ends: float | None = None, **labels: str) -> None:
        """Tell Alertmanager of an alert as Prometheus does; `ends`: seconds from now."""
        alert: dict[str, Any] = {
            "labels": {"alertname": name, "severity": severity, "cluster": "dev", **labels},
            "annotations": {"summary": f"{name} of {labels}", "runbook_url": f"docs/runbooks.md#{name.lower()}"},
        }
        if ends is not None:
            alert["endsAt"] = (datetime.now(UTC) + timedelta(seconds=ends)).isoformat()
        requests.post(f"{self.url}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()

    def close(self) -> None:
        """End everything."""
        self._process.terminate()
        self._process.wait(20)
        self.log.close()
        self.http.close()
        self.mail.close()


def until(told: Told, what: str, look: Callable[[], Any], seconds: float = 40) -> Any:
    """Wait until a look is true; the failure shows Alertmanager's log."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, (
            f"not within {seconds} s: {what}\n{(told.folder / 'log').read_text()[-3000:]}"
        )
        time.sleep(0.1)
    return seen


@pytest.fixture(scope="module", name="told")
def _told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    running = Told(tmp_path_factory.mktemp("alertmanager"))
    running.fire("Watchdog", "none", ends=LASTS)
    running.fire("NodeDown", "warning", node="w1", ends=LASTS)
    running.fire("QuorumAtRisk", "critical", ends=LASTS)
    yield running
    running.close()


def test_slack_hears_of_the_alert_and_of_its_end_in_its_incoming_webhook_s_form(told: Told) -> None:
    def of(status: str) -> list[dict[str, Any]]:
        bodies = [one.body for one in told.http.at("/services/T0/B0/x")]
        return [b for b in bodies if b["attachments"][0]["title"].startswith(f"[{status}") and "NodeDown" in str(b)]

    [firing] = until(told, "Slack hears of NodeDown", lambda: of("FIRING"))
    assert firing["channel"] == "#ops"
    assert firing["attachments"][0]["text"].strip() == "NodeDown of {'node': 'w1'} docs/runbooks.md#nodedown"
    assert until(told, "Slack hears of its end", lambda: of("RESOLVED"))


def test_mail_goes_over_tls_with_a_login_to_everybody_and_once_more_at_the_end(told: Told) -> None:
    def of(status: str) -> list[Any]:
        return [(e, m) for e, m in told.mail.mails if f"[{status}" in m["Subject"] and "NodeDown" in m["Subject"]]

    [(envelope, mail)] = until(told, "a mail about NodeDown", lambda: of("FIRING"))
    assert envelope.mail_from == "robot@ops.example"
    assert envelope.rcpt_tos == ["one@ops.example", "two@ops.example"]
    assert "NodeDown" in mail["Subject"] and "w1" in mail.as_string()
    assert told.mail.logins and all(told.mail.logins), "it logs in with the secret's password"
    assert until(told, "a mail about its end", lambda: of("RESOLVED"))


def test_pagerduty_s_events_open_and_close_one_incident(told: Told) -> None:
    def of(action: str) -> list[dict[str, Any]]:
        bodies = [one.body for one in told.http.at("/v2/enqueue")]
        return [b for b in bodies if b["event_action"] == action and "NodeDown" in str(b)]

    [opened] = until(told, "an incident", lambda: of("trigger"))
    assert opened["routing_key"] == ROUTING_KEY
    assert "NodeDown" in opened["payload"]["summary"]
    [closed] = until(told, "its end", lambda: of("resolve"))
    assert closed["dedup_key"] == opened["dedup_key"], "another key would leave the incident open"


def test_a_webhook_hears_of_both_and_the_end_waits_no_longer_than_the_group_s_interval(told: Told) -> None:
    def of(status: str) -> list[Any]:
        found = [one for one in told.http.at("/all") if one.body["status"] == status]
        return [one for one in found if one.body["groupLabels"]["alertname"] == "NodeDown"]

    [firing] = until(told, "the webhook hears of NodeDown", lambda: of("firing"))
    assert firing.body["alerts"][0]["labels"]["node"] == "w1"
    [ended] = until(told, "the webhook hears of its end", lambda: of("resolved"))
    assert ended.at - firing.at <= LASTS + 5 + 2, "the alert's length, the group's interval and a margin"


def test_who_asked_for_critical_only_hears_of_nothing_else(told: Told) -> None:
    until(told, "the critical one", lambda: told.http.at("/critical"))
    until(told, "everybody has heard of the end", lambda: len(told.http.at("/all")) >= 4)
    assert {one.body["groupLabels"]["alertname"] for one in told.http.at("/critical")} == {"QuorumAtRisk"}


def test_the_switch_hears_the_watchdog_alone_and_no_end_of_it(told: Told) -> None:
    until(told, "the switch is called", lambda: told.http.at("/switch"))
    until(told, "everybody has heard of the end", lambda: len(told.http.at("/all")) >= 4)
    assert {one.body["groupLabels"]["alertname"] for one in told.http.at("/switch")} == {"Watchdog"}
    assert {one.body["status"] for one in told.http.at("/switch")} == {"firing"}, "silence is its message"
    elsewhere = [one for one in told.http.arrived if one.path != "/switch" and "Watchdog" in str(one.body)]
    assert not elsewhere and not [m for _, m in told.mail.mails if "Watchdog" in m["Subject"]]


def test_no_receiver_s_secret_stands_in_the_settings_or_the_log(told: Told) -> None:
    text = (told.folder / "alertmanager.yml").read_text() + (told.folder / "log").read_text()
    for secret in (PASSWORD, ROUTING_KEY, "/services/T0/B0/x"):
        assert secret not in text
