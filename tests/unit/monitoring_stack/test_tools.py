"""What amtool and promtool refuse is an error at preview, in their words, where they are on PATH."""

import os
from pathlib import Path
from typing import Any

import pytest

from components.errors import InputError
from components.monitoring import tools
from components.monitoring.args import ReceiverKind
from components.monitoring.catalogue import load
from components.monitoring.catalogue.models import Area, Catalogue
from components.monitoring.checks import check
from sandbox.machines import debian
from tests.unit.monitoring.promtool import find

BASE: dict[str, Any] = {"cluster": "dev", "address": "lb", "authority": {}, "managers": 3}
WEBHOOK = {"kind": "webhook", "secret": "PLANTED"}


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are on PATH; skips where there is no archive to take them from."""
    folders = [Path(find()).parent, debian.newest("prometheus-alertmanager").folder / "usr/bin"]
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, folders), os.environ["PATH"]]))


@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        (
            {"receivers": [WEBHOOK, {"kind": ReceiverKind.PAGERDUTY, "secret": "PLANTED", "url": "https://a b"}]},
            "receivers[1]",
            "got {'kind': 'pagerduty', 'url': 'https://a b'}, but it must be what amtool accepts. "
            'It says: parse "https://a b": invalid character " " in host name',
        ),
        (
            {"remote_write": {"url": "https://a b", "username": "me", "secret": "PLANTED"}},
            "remote_write",
            'parsing YAML file settings.yml: parse "https://a b": invalid character " " in host name',
        ),
    ],
)
def test_a_setting_that_a_service_would_not_start_with_is_named_with_the_tool_s_reason(
    changes: dict[str, Any], path: str, reason: str
) -> None:
    args: Any = {**BASE, **changes}
    with pytest.raises(InputError) as caught:
        check(args)
    assert caught.value.path == path
    assert reason in str(caught.value)
    assert "PLANTED" not in str(caught.value), "a secret is not shown"


@pytest.mark.usefixtures("at_hand")
def test_a_broken_rule_of_the_catalogue_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    [area] = [area for area in load().areas if area.area == "quorum"]
    first = area.alerts[0]
    broken = first.model_copy(update={"prometheus": first.prometheus.model_copy(update={"expr": "max(up"})})
    catalogue = Catalogue(areas=(Area(area=area.area, alerts=(broken,)),))
    monkeypatch.setattr(tools, "load", lambda: catalogue)
    args: Any = BASE
    with pytest.raises(InputError, match=rf'rule 1, "{first.name}": could not parse expression') as caught:
        check(args)
    assert caught.value.path == "rules"


@pytest.mark.usefixtures("at_hand")
def test_what_is_right_is_taken() -> None:
    args: Any = {**BASE, "receivers": [WEBHOOK], "dead_mans_switch": "PLANTED", "alertmanagers": 3, "replicas": 2}
    check(args)


def test_without_the_tools_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tools._said.cache_clear()
    args: Any = {**BASE, "remote_write": {"url": "https://a b"}}
    check(args)


def test_a_tool_that_hangs_is_given_up_with_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("amtool", "promtool"):
        (tmp_path / name).write_text("#!/bin/sh\nexec sleep 60\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    monkeypatch.setattr(tools, "SECONDS", 0.2)
    warned: list[str] = []
    monkeypatch.setattr(tools.pulumi.log, "warn", warned.append)
    tools._said.cache_clear()
    args: Any = BASE
    check(args)
    assert any("amtool" in line for line in warned) and any("promtool" in line for line in warned)
