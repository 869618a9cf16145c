"""The SDK's debug messages cost the program nothing."""

import pulumi
import pulumi_aws as aws
import pytest

from stacks import debug_messages
from tests.engine import Engine


class _Log:
    """The engine's end."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def Log(self, request: object) -> None:  # noqa: N802 (gRPC names it)
        self.messages.append(str(getattr(request, "message", "")))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> _Log:
    """A log for the whole SDK; its own `debug` comes back after the test."""
    log = _Log()
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.debug)
    monkeypatch.setattr(pulumi.log, "get_engine", lambda: log)
    return log


def lookup_and_warning() -> None:
    aws.get_region()
    pulumi.log.warn("look here")


def test_the_sdk_s_own_messages_do_not_reach_the_engine_and_a_warning_does(engine: Engine, log: _Log) -> None:
    debug_messages.drop()
    engine.run(lookup_and_warning)
    assert log.messages == ["look here"]


def test_without_it_a_lookup_sends_several(engine: Engine, log: _Log) -> None:
    engine.run(lookup_and_warning)
    assert len(log.messages) > 3, "then the SDK has stopped doing it: delete stacks/debug_messages.py and ADR 0012"
