"""The textfile: what each node tells, what only the leader tells, and that nothing of it can stop the agent."""

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node_agent import metrics
from node_agent.engine import DockerSwarm
from node_agent.metrics import Certificates, Fates, Metrics
from node_agent.ports import AwayError, Identity, Service
from node_agent.world import Facts, NodeFact
from tests.unit.monitoring.promtool import promtool
from tests.unit.node_agent.sim import World
from tests.unit.node_agent.test_host_parts import config

LEADER = Facts(
    leads=True,
    led=True,
    has_leader=True,
    epoch=3,
    nodes=(NodeFact("m1", True, True, True), NodeFact("w1", False, True)),
)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    folder = tmp_path / "tls"
    folder.mkdir()
    for name in ("node.crt", "ca.pem", "server.pem"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", "/CN=x", "-keyout", "/dev/null", "-out", str(folder / name)], check=True, capture_output=True,
        )  # fmt: skip
    return Certificates(folder / "node.crt", folder)


@pytest.fixture
def said() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def told(tmp_path: Path, certificates: Certificates, said: list[tuple[Any, ...]]) -> Iterator[Metrics]:
    yield Metrics(config(), lambda: [Service("web", 3, 2)], lambda *a, **f: said.append((*a, f)),
                  tmp_path / "metrics" / "timonel.prom", certificates)  # fmt: skip


def values(text: str) -> dict[str, float]:
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    assert len({series for series, _ in rows}) == len(rows), "a series twice makes node_exporter refuse the whole file"
    return {series: float(value) for series, value in rows}


def test_every_metric_has_a_help_line_and_the_leader_tells_more(told: Metrics) -> None:
    everything = values(told.render(LEADER, 0.0))
    assert {series.partition("{")[0] for series in everything} == set(metrics.HELP), "no metric is dead"
    assert everything["timonel_epoch"] == 3
    assert everything['timonel_service_replicas_running{service="web"}'] == 2
    follower = values(told.render(dataclasses.replace(LEADER, leads=False), 0.0))
    assert follower["timonel_is_leader"] == 0 and "timonel_managers" not in follower
    assert not any("{" in series for series in follower), "what a former leader saw is out of date"


def test_prometheus_own_linter_has_nothing_to_say(told: Metrics) -> None:
    answer = promtool("check", "metrics", stdin=told.render(LEADER, 0.0))
    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")


def test_a_new_leader_tells_nothing_before_its_first_whole_pass(told: Metrics) -> None:
    assert "timonel_quorum_margin" not in values(told.render(Facts(leads=True), 0.0)), "0 would be an alarm"


def test_a_worker_tells_of_itself_only(told: Metrics, certificates: Certificates) -> None:
    worker = Metrics(config(role="worker", pool="web"), list, print, certificates=certificates)
    found = values(worker.render(Facts(passed=5, hook_held=7), 0.0))
    assert set(found) == {
        "timonel_agent_last_pass_timestamp_seconds", "timonel_aws_unanswered_passes", "timonel_epoch",
        "timonel_dockerd_kills",
        "timonel_lifecycle_hook_held_seconds", "timonel_node_certificate_expiry_timestamp_seconds",
    }  # fmt: skip


def test_the_file_appears_whole_and_readable_by_the_exporter(told: Metrics, tmp_path: Path) -> None:
    told.write(LEADER, 0.0)
    told.write(LEADER, 1.0)
    folder = tmp_path / "metrics"
    assert [p.name for p in folder.iterdir()] == ["timonel.prom"]
    assert (folder.stat().st_mode & 0o777, (folder / "timonel.prom").stat().st_mode & 0o777) == (0o755, 0o644)


def test_a_failing_write_is_told_and_stops_nothing(told: Metrics, tmp_path: Path, said: list[tuple[Any, ...]]) -> None:
    (tmp_path / "metrics").write_text("a file where the folder should be")
    told.write(LEADER, 0.0)
    assert said[0][:2] == ("metrics", "failed")


def test_without_dockerds_word_the_services_are_left_out_and_asked_again(
    certificates: Certificates, said: list[tuple[Any, ...]]
) -> None:
    answers: list[Any] = [AwayError("timed out"), [Service("web", 1, 1)]]

    def ask() -> list[Service]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    told = Metrics(config(), ask, lambda *a, **f: said.append(a), certificates=certificates)
    assert "service" not in told.render(LEADER, 0.0)
    assert said == [("metrics", "away")]
    assert "service" not in told.render(LEADER, 5.0) and len(answers) == 1, "asked every ten seconds only"
    assert 'service="web"' in told.render(LEADER, 10.0)


def test_a_certificate_that_cannot_be_read_takes_nothing_else_along(
    told: Metrics, certificates: Certificates, said: list[tuple[Any, ...]]
) -> None:
    certificates.node.write_text("no certificate")
    assert "timonel_epoch 3" in told.render(LEADER, 0.0)
    assert said[0][:2] == ("certificates", "unread")


def test_a_certificate_is_read_again_only_when_its_file_changed(
    told: Metrics, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = values(told.render(LEADER, 0.0))
    monkeypatch.setattr(metrics.pki, "end_of", lambda path: 1.0)
    assert values(told.render(LEADER, 0.0)) == first, "openssl is not run in every pass"
    certificates.node.touch()
    assert values(told.render(LEADER, 0.0))["timonel_node_certificate_expiry_timestamp_seconds"] == 1


def test_hostnames_are_escaped(told: Metrics) -> None:
    facts = dataclasses.replace(LEADER, nodes=(NodeFact('a"b\\c\n', False, True),))
    assert 'timonel_node_ready{subject="a\\"b\\\\c\\n"} 1' in told.render(facts, 0.0)


# --- what became of a node: (ready, leaving, lost)

UP, DOWN = NodeFact("w", False, True), NodeFact("w", False, False)


def test_a_node_that_dies_is_lost_and_stays_so_for_a_while_after_it_left_the_list() -> None:
    fates = Fates()
    assert fates.update((UP,), 0) == {"w": (True, False, False)}
    assert fates.update((DOWN,), 10) == {"w": (False, False, True)}
    assert fates.update((), 20) == {"w": (False, False, True)}, "out of the swarm before Prometheus came by"
    assert fates.update((), 10 + metrics.LOST_KEPT) == {}


def test_a_dead_node_that_its_group_replaces_is_lost_all_the_same() -> None:
    fates = Fates()
    fates.update((UP,), 0)
    dying = dataclasses.replace(DOWN, leaving=True)  # Auto Scaling terminates it because it is dead
    assert fates.update((dying,), 10)["w"] == (False, False, True)


def test_a_dead_node_that_its_group_called_unhealthy_first_and_the_steward_drained_is_lost() -> None:
    fates = Fates()
    fates.update((UP,), 0)
    drained = dataclasses.replace(DOWN, drained=True, leaving=True, unhealthy=True)
    assert fates.update((drained,), 10)["w"] == (False, False, True), "draining the dead is no will of the group"


def test_a_node_that_goes_by_the_groups_will_is_not_lost() -> None:
    fates = Fates()
    fates.update((dataclasses.replace(UP, leaving=True),), 0)
    assert fates.update((DOWN,), 10) == {"w": (False, True, False)}, "it left before anybody drained it"
    assert fates.update((), 20) == {}
    assert fates.update((dataclasses.replace(DOWN, drained=True),), 30) == {"w": (False, True, False)}


def test_a_node_that_comes_back_is_not_lost_even_beside_its_older_self() -> None:
    fates = Fates()
    fates.update((DOWN,), 0)
    assert fates.update((DOWN, UP), 10) == {"w": (True, False, False)}
    assert fates.update((UP,), 20) == {"w": (True, False, False)}


# --- services, as dockerd counts them


def test_services_are_told_with_what_they_shall_have_and_jobs_are_not() -> None:
    class Api:
        asked: Any = None

        def call(self, method: str, path: str, query: Any = None) -> Any:
            self.asked = (method, path, query)
            status = {"RunningTasks": 2, "DesiredTasks": 3}
            return [
                {"Spec": {"Name": "web", "Mode": {"Replicated": {"Replicas": 3}}}, "ServiceStatus": status},
                {"Spec": {"Name": "all", "Mode": {"Global": {}}}, "ServiceStatus": status},
                {"Spec": {"Name": "job", "Mode": {"ReplicatedJob": {}}}, "ServiceStatus": status},
                {"Spec": {"Name": "an engine before API 1.41"}},
            ]

    api: Any = Api()
    me = Identity("i-1", "10.0.0.4", "z", "h")
    assert DockerSwarm(api, config(), me).services() == [Service("web", 3, 2), Service("all", 3, 2)]
    assert api.asked == ("GET", "/services", {"status": True})


# --- in the simulated world


def facts_of_the_leader(world: World) -> Facts:
    raft = world.the_raft()
    agent = world.agents[raft.members[raft.leader or ""][0]].agent  # type: ignore[attr-defined]
    return agent.facts


def test_the_leader_tells_the_quorums_margin_through_the_death_of_a_manager() -> None:
    world = World(managers=3, workers=1)
    try:
        world.converge()
        world.run(60)
        facts = facts_of_the_leader(world)
        assert (facts.managers, facts.wanted, facts.reachable, facts.margin) == (3, 3, 3, 1)
        assert facts.live and not facts.holder_dead and facts.unbalanced == 0
        raft = world.the_raft()
        victim = next(i for n, (i, _) in sorted(raft.members.items()) if n != raft.leader)
        world.terminate(victim)
        seen: set[tuple[int, int]] = set()
        lost: set[str] = set()
        fates = Fates()
        for _ in range(120):
            world.run(1)
            facts = facts_of_the_leader(world)
            seen.add((facts.reachable, facts.margin))
            rows = fates.update(facts.nodes, world.now)
            lost |= {name for name, (_, _, is_lost) in rows.items() if is_lost}
        assert (2, 0) in seen, "at risk while the dead member counts, and while two are left of two"
        assert len(lost) == 1, "one node died, and it was told of"
        world.converge()
        world.run(60)
        assert facts_of_the_leader(world).margin == 1
    finally:
        world.close()
