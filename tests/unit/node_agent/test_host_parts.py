"""What touches the host: certificates, redirect, daemon.json, metrics, log, health, ECR, raft log, freezing."""

import json
import signal
import ssl
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from node_agent import ecr, freeze, health, log, pki, redirect
from node_agent.config import AgentConfig, Secrets
from node_agent.daemon import drop_in, render
from node_agent.observe import Observer
from node_agent.ports import AwayError, Identity
from node_agent.raft import last_entry
from node_agent.run import run
from node_agent.watchdog import Watchdog
from node_agent.world import Facts
from tests.sandbox.agent.lab import authority

ME = Identity("i-1", "10.0.0.4", "us-east-1a", "ip-10-0-0-4")


def config(**changes: Any) -> AgentConfig:
    base: dict[str, Any] = {
        "version": 1, "cluster": "b", "platform": "swarm", "role": "manager", "pool": "managers",
        "region": "us-east-1", "bucket": "b", "secrets": Secrets("w", "c", "m"), "kms_key": "k",
    }  # fmt: skip
    return AgentConfig(**{**base, **changes})


# --- certificates


def test_the_server_certificate_is_signed_by_the_ca_for_every_name(tmp_path: Path) -> None:
    ca = authority()
    assert pki.ensure(ca, ["nlb.example", "10.0.0.4", "localhost"], tmp_path / "tls")
    files = pki.paths(tmp_path / "tls")
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["nlb.example", "localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.4"]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca["certificate"].encode()))
    assert (files.key.stat().st_mode & 0o777) == 0o600
    assert pki.end_of(pki.paths(tmp_path / "tls").certificate) > time.time() + 4 * 365 * 86400, (
        "longer-lived than an instance"
    )
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)


def test_the_cas_key_is_in_no_file_and_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = subprocess.run

    def spy(command: list[str], **kwargs: Any) -> Any:
        seen.extend(command)
        return real(command, **kwargs)

    monkeypatch.setattr(subprocess, "run", spy)
    ca = authority()
    pki.ensure(ca, ["localhost"], tmp_path / "tls")
    body = ca["private_key"].splitlines()[1]
    assert seen and not any(body in argument for argument in seen)
    assert not any(body in path.read_text() for path in (tmp_path / "tls").iterdir())


def test_a_certificate_is_made_anew_only_for_other_names_or_another_ca(tmp_path: Path) -> None:
    ca = authority()
    assert pki.ensure(ca, ["a"], tmp_path)
    assert not pki.ensure(ca, ["a"], tmp_path), "a restart of the agent keeps what is good"
    assert pki.ensure(ca, ["a", "b"], tmp_path)
    assert pki.ensure(authority(), ["a", "b"], tmp_path)


# --- dockerd


def test_daemon_json_of_a_manager_asks_for_client_certificates_and_caps_logs() -> None:
    found = render(config(labels={"disk": "ssd"}), ME, 28, None)
    assert found["tlsverify"] is True and found["live-restore"] is False
    assert found["log-opts"] == {"max-size": "10m", "max-file": "3"}
    assert "timonel.instance=i-1" in found["labels"] and "timonel.label.disk=ssd" in found["labels"]
    assert "hosts" not in found, "the unit's command line has them; both together stop dockerd"


def test_daemon_json_of_a_worker_has_no_api() -> None:
    worker = config(role="worker", pool="web", log_group="logs", mtu=8000)
    found = render(worker, ME, 28, "http://endpoint")
    assert "tlsverify" not in found and "2376" not in drop_in(worker, "/usr/bin/dockerd")
    assert found["log-opts"]["awslogs-endpoint"] == "http://endpoint" and found["log-opts"]["mode"] == "non-blocking"
    assert found["default-network-opts"]["overlay"] == {"com.docker.network.driver.mtu": "8000"}


def test_old_engines_serve_metrics_only_as_an_experiment() -> None:
    assert render(config(), ME, 20, None)["experimental"] is True
    assert "experimental" not in render(config(), ME, 28, None)


# --- redirect


def test_the_redirect_is_one_rule_for_each_old_address() -> None:
    text = redirect.script({"10.0.0.9": "10.0.0.4"})
    assert "-A TIMONEL-REDIRECT -d 10.0.0.9/32 -p tcp --dport 2377 -j DNAT --to-destination 10.0.0.4:2377" in text
    assert redirect.script({}).splitlines() == ["*nat", ":TIMONEL-REDIRECT - [0:0]", "COMMIT"]


def test_an_unchanged_redirect_starts_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def fake(args: list[str], **_: Any) -> bytes:
        calls.append(args)
        if "-C" in args or "-S" in args:
            raise AwayError("no such rule")
        return b""

    monkeypatch.setattr(redirect, "run", fake)
    rules = redirect.Redirect()
    rules.apply({"10.0.0.9": "10.0.0.4"})
    assert any("-I" in c for c in calls)
    calls.clear()
    rules.apply({"10.0.0.9": "10.0.0.4"})
    assert not calls


# --- raft log


def frame(kind: int, data: bytes) -> bytes:
    record = bytes([8, kind, 16, 1, 0x1A, len(data)]) + data
    padding = -len(record) % 8
    field = len(record) | ((0x80 | padding) << 56 if padding else 0)
    return struct.pack("<Q", field) + record + bytes(padding)


def entry(term: int, index: int) -> bytes:
    return bytes([8, 0, 16, term, 24, index, 0x22, 3]) + b"xyz"


def test_the_last_entry_of_a_raft_log_is_read_in_the_clear(tmp_path: Path) -> None:
    (tmp_path / "0-0.wal").write_bytes(frame(4, b"") + frame(2, entry(1, 5)) + frame(2, entry(3, 9)) + bytes(4096))
    assert last_entry(tmp_path) == (3, 9)
    (tmp_path / "1-10.wal").write_bytes(frame(2, entry(3, 10)) + frame(2, entry(4, 11))[:-12])
    assert last_entry(tmp_path) == (3, 10), "a torn last record does not count"
    assert last_entry(tmp_path / "none") == (0, 0)


# --- freezing


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@pytest.fixture
def sleeper(tmp_path: Path) -> Any:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (tmp_path / "docker.pid").write_text(str(process.pid))
    yield process
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def assert_stopped(pid: int) -> None:
    """A busy machine delivers the signal a little after the call that sent it."""
    deadline = time.monotonic() + 2
    while state_of(pid) != "T":
        assert time.monotonic() < deadline, "it was not stopped"
        time.sleep(0.01)


def test_dockerd_stands_still_inside_and_runs_after_an_error(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    def fail_inside() -> None:
        with freeze.frozen(tmp_path / "docker.pid"):
            assert_stopped(sleeper.pid)
            raise ValueError("the copy failed")

    with pytest.raises(ValueError, match="copy failed"):
        fail_inside()
    time.sleep(0.05)
    assert state_of(sleeper.pid) != "T"


def test_the_watchdog_thaws_dockerd_when_the_agent_is_killed(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    script = (
        "import pathlib, sys, time; from node_agent import freeze; freeze.WATCHDOG = 3\n"
        "with freeze.frozen(pathlib.Path(sys.argv[1])):\n    print('frozen', flush=True); time.sleep(30)"
    )
    agent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "docker.pid")], stdout=subprocess.PIPE)
    assert agent.stdout is not None and agent.stdout.readline() == b"frozen\n"
    agent.kill()
    agent.wait()
    agent.stdout.close()
    assert_stopped(sleeper.pid)
    deadline = time.monotonic() + 20
    while state_of(sleeper.pid) == "T":
        assert time.monotonic() < deadline, "the watchdog outlives the agent"
        time.sleep(0.05)


def test_without_dockerd_there_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(AwayError, match="not running"), freeze.frozen(tmp_path / "absent.pid"):
        pass


# --- a hung dockerd


class Dockerd:
    """Answers or hangs; counts how often it was killed."""

    def __init__(self) -> None:
        self.hangs, self.started, self.killed = False, True, 0
        self.watchdog = Watchdog(self.ask, lambda: self.started, self.kill)

    def ask(self) -> None:
        if self.hangs:
            raise AwayError("timed out")

    def kill(self) -> None:
        self.killed += 1


def test_a_dockerd_that_stays_silent_is_killed_once_and_given_time_again() -> None:
    dockerd = Dockerd()
    assert dockerd.watchdog.look(0) == 0
    dockerd.hangs = True
    assert [dockerd.watchdog.look(now) for now in (10, 50, 99)] == [0, 0, 0]
    assert dockerd.watchdog.look(101) == 91 and dockerd.killed == 1
    assert [dockerd.watchdog.look(now) for now in (105, 190)] == [0, 0], "it starts: the watch begins anew"


def test_a_dockerd_that_answers_now_and_then_or_still_starts_is_left_alone() -> None:
    dockerd = Dockerd()
    for now in range(0, 1000, 50):
        dockerd.hangs = now % 100 == 0
        dockerd.watchdog.look(now)
    dockerd.hangs, dockerd.started = True, False
    for now in range(1000, 2000, 50):
        dockerd.watchdog.look(now)
    assert dockerd.killed == 0


def test_without_dockerds_word_a_manager_claims_no_leader() -> None:
    class Hung:
        def state(self) -> None:
            raise AwayError("timed out")

    facts = Facts(has_leader=True, leads=True)
    ports: Any = SimpleNamespace(swarm=Hung(), clock=SimpleNamespace(now=lambda: 0.0))
    with pytest.raises(AwayError):
        Observer(ME, ports, facts).observe()
    assert not facts.has_leader and not facts.leads, "the load balancer must not send anybody here"


# --- telling


def test_the_load_balancer_is_told_of_a_leader_only_by_a_living_agent() -> None:
    now = 1000.0
    assert health.verdict(Facts(has_leader=True, passed=990), now)[0] == 200
    assert health.verdict(Facts(has_leader=False, passed=990), now)[0] == 503
    assert health.verdict(Facts(has_leader=True, passed=700), now)[0] == 503, "the agent hangs: nothing is known"


def test_a_log_line_names_instance_epoch_action_and_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    say = log.logger("i-1", lambda: Facts(epoch=2))
    say("join", "done", seconds=1.5, why="6", target="")
    say("wait", "away", error="S3")
    say("wait", "away", error="S3")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"instance": "i-1", "epoch": 2, "action": "join", "outcome": "done", "level": "info",
                        "seconds": 1.5, "why": "6"}  # fmt: skip
    assert len(lines) == 2, "a failure that repeats each pass is said once a minute"


def test_ecr_keeps_other_registries_logins() -> None:
    answer = {"authorizationData": [{"proxyEndpoint": "https://1.dkr.ecr.aws", "authorizationToken": "T"}]}
    found = ecr.merged({"auths": {"other": {"auth": "O"}}, "experimental": "enabled"}, answer)
    assert found["auths"] == {"other": {"auth": "O"}, "1.dkr.ecr.aws": {"auth": "T"}}
    assert found["experimental"] == "enabled"


# --- programs


def test_a_secret_reaches_a_program_through_a_pipe() -> None:
    assert run(["cat", "{0}", "{1}"], fds=[b"a", b"b"]) == b"ab"


def test_a_program_that_fails_or_hangs_is_named() -> None:
    with pytest.raises(AwayError, match=r"ls .*exit 2"):
        run(["ls", "/nonexistent"])
    with pytest.raises(AwayError, match="sleep"):
        run(["sleep", "5"], timeout=0.1)
