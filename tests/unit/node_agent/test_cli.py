"""The commands for a human."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from node_agent import cli
from node_agent.config import ConfigError
from node_agent.ports import Identity, Node, NoLeaderError, SwarmState, Versioned
from node_agent.records import LEDGER, RECORD, STEWARD, Entry, Marker


class Bucket:
    """What the commands read and write."""

    def __init__(self) -> None:
        self.rows: dict[str, Versioned] = {}

    def get(self, key: str) -> Versioned | None:
        return self.rows.get(key)

    def keys(self, prefix: str) -> list[str]:
        return sorted(k for k in self.rows if k.startswith(prefix))

    def put(self, key: str, body: dict[str, Any], etag: str) -> str:
        assert etag == self.rows[key].etag, "by ETag only"
        self.rows[key] = Versioned(body, etag + "'", 0)
        return etag + "'"


class Swarm:
    """A swarm with or without a leader."""

    led = True

    def state(self) -> SwarmState:
        return SwarmState("active", "n1", "s", True)

    def nodes(self) -> list[Node]:
        if not self.led:
            raise NoLeaderError("The swarm does not have a leader.")
        return [Node("n1", "h1", "manager", True, "active", "10.0.0.1", True, True, True, "i-1", "z")]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Any:
    bucket = Bucket()
    for number in (1, 2, 3):
        entry = Entry(f"i-{number}", f"10.0.0.{number}", "z", "h", "member", 1, node_id=f"n{number}")
        bucket.rows[f"{LEDGER}i-{number}.json"] = Versioned(entry.to_json(), f"e{number}", 500)
    bucket.rows[RECORD] = Versioned({"epoch": 1}, "r", 500)
    bucket.rows[STEWARD] = Versioned({"holder": "i-2"}, "s", 300)
    cloud = SimpleNamespace(instance_states=lambda ids: dict.fromkeys(ids, "running"), leaving=lambda: None)
    made = SimpleNamespace(
        me=Identity("i-1", "10.0.0.1", "z", "h1"), config=SimpleNamespace(is_manager=True, bucket="b"), swarm=Swarm(),
        ports=SimpleNamespace(store=bucket, cloud=cloud, host=SimpleNamespace(marker=Marker)),
    )  # fmt: skip
    monkeypatch.setattr(cli, "build", lambda: made)
    return made


def marked(agent: Any) -> list[str]:
    return [k for k, v in agent.ports.store.rows.items() if k.startswith(LEDGER) and v.body["fenced"]]


def test_fence_marks_the_named_managers(agent: Any) -> None:
    agent.swarm.led = False
    assert cli.main(["recover", "--fence", "i-2", "i-3", "--yes"]) == 0
    assert marked(agent) == [f"{LEDGER}i-2.json", f"{LEDGER}i-3.json"]


def test_fence_is_refused_while_a_leader_speaks(agent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    agent.ports.store.rows[STEWARD] = dataclasses.replace(agent.ports.store.rows[STEWARD], age=12.0)
    assert cli.main(["recover", "--fence", "i-2", "--yes"]) == 1
    assert "nothing to fence" in capsys.readouterr().err and not marked(agent)


@pytest.mark.parametrize(("instance", "says"), [("i-9", "not in the ledger"), ("i-1", "this instance is among them")])
def test_fence_refuses_strangers_and_itself(
    agent: Any, capsys: pytest.CaptureFixture[str], instance: str, says: str
) -> None:
    assert cli.main(["recover", "--fence", instance, "--yes"]) == 1
    assert says in capsys.readouterr().err and not marked(agent)


def test_fence_asks_before_it_acts(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=lambda: "yes\n"))
    assert cli.main(["recover", "--fence", "i-2"]) == 1
    assert not marked(agent), "only the word itself counts"


def test_members_shows_the_ledger_beside_ec2_and_docker(agent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["members"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[1].split()[:7] == ["i-1", "10.0.0.1", "z", "member", "1", "running", "leader"]
    agent.swarm.led = False
    assert cli.main(["members"]) == 0, "it is needed most when there is no leader"
    assert "does not have a leader" in capsys.readouterr().err


def test_a_worker_refuses_the_managers_commands(agent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    agent.config.is_manager = False
    for command in (["members"], ["snapshot"], ["recover", "--fence", "i-2", "--yes"]):
        assert cli.main(command) == 1
        assert "run it on a manager" in capsys.readouterr().err


def test_a_refused_configuration_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise ConfigError("agent.json: unknown key 'x'")

    monkeypatch.setattr(cli, "build", refuse)
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().err == "timonel-node status: agent.json: unknown key 'x'\n"
