"""The Datadog stand-in and the sandbox's Datadog, over HTTP: keys, monitors, dashboards, the intake."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

from components.monitoring.catalogue.datadog import datadog_monitors
from components.monitoring.catalogue.load import load
from components.monitoring.dashboards.datadog import datadog_dashboard
from sandbox.datadog.account import Account, is_datadog, monitor_errors
from sandbox.leaks import datadog as leaks
from sandbox.providers import values
from sandbox.providers.datadog.provider import DatadogProvider
from sandbox.providers.schema import Package
from sandbox.providers.serve import ProviderError
from tests.unit.providers.plain_driver import Engine

PACKAGE = Package("datadog")
MONITOR = "datadog:index/monitorJson:MonitorJson"
DASHBOARD = "datadog:index/dashboardJson:DashboardJson"
DOWN = {
    "name": "NodeDown",
    "type": "service check",
    "query": '"datadog.agent.up".over("cluster:c").by("host").last(2).count_by_status()',
    "message": "a node is down",
    "tags": ["timonel_stack:app/dev"],
    "options": {"thresholds": {"critical": 1}},
}
DISK = {"name": "Disk", "type": "query alert", "query": "max(last_5m):max:system.disk.in_use{*} > 0.9", "message": "m"}
BOARD = {"title": "Cluster", "layout_type": "ordered", "widgets": []}


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An account with keys of its own."""
    return Account(tmp_path)


@pytest.fixture
def address(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The account behind HTTP, as the sandbox's API process serves it."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        assert is_datadog(environ["HTTP_HOST"]), environ["HTTP_HOST"]
        asked = {name[5:].replace("_", "-").lower(): text for name, text in environ.items() if name[:5] == "HTTP_"}
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, headers, content = account.answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], asked, body)
        start(status, headers)
        return [content]

    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def engine(address: str, account: Account) -> Engine:
    """An engine with the account's keys."""
    return Engine(DatadogProvider(PACKAGE), {"apiKey": account.api_key, "appKey": account.app_key})


@pytest.mark.parametrize(("token", "field", "document"), [(MONITOR, "monitor", DOWN), (DASHBOARD, "dashboard", BOARD)])
def test_a_document_is_made_read_changed_drifts_and_goes(
    engine: Engine, account: Account, token: str, field: str, document: dict[str, Any]
) -> None:
    made = engine.create(token, {field: json.dumps(document, indent=2)})
    [kept] = account.show()[f"{field}s"]
    assert document.items() <= kept.items()
    assert not engine.drift(made).changes, "nobody changed anything"
    assert not engine.diff(made, {field: json.dumps(document)}).changes, "white space is no change"
    changed = document | {"title" if field == "dashboard" else "name": "Other"}
    answer = engine.diff(made, {field: json.dumps(changed)})
    assert answer.changes and not answer.replaces
    engine.update(made, {field: json.dumps(changed)})
    assert changed.items() <= account.show()[f"{field}s"][0].items()
    kept = account.show()[f"{field}s"][0]
    kept["title" if field == "dashboard" else "name"] = "changed by hand"
    assert engine.drift(made).changes
    assert "changed by hand" in engine.imported(token, made.id)[field]
    engine.delete(made)
    assert account.show()[f"{field}s"] == []
    assert not engine.refresh(made), "a refresh finds nothing"
    engine.delete(made)


def test_a_monitors_type_replaces(engine: Engine) -> None:
    made = engine.create(MONITOR, {"monitor": json.dumps(DOWN)})
    assert engine.diff(made, {"monitor": json.dumps(DISK)}).replaces == ["monitor"]


@pytest.mark.parametrize(
    ("monitor", "reason"),
    [
        (DOWN, ""),
        (DISK, ""),
        (DISK | {"query": "max(last_5m):max:x{*}"}, "invalid query"),
        (DOWN | {"query": "datadog.agent.up"}, "invalid service check query"),
        (DISK | {"type": "guess"}, "'type' is invalid"),
        (DISK | {"name": ""}, "'name' is invalid"),
        (DISK | {"options": {"thresholds": {"critical": 0.8}}}, "does not match that used in the query (0.9)"),
    ],
)
def test_monitors_that_datadog_would_refuse_are_refused(monitor: dict[str, Any], reason: str) -> None:
    told = "; ".join(monitor_errors(monitor))
    assert (reason in told) if reason else not told


def test_every_monitor_of_the_catalogue_and_the_dashboard_are_accepted(engine: Engine, account: Account) -> None:
    monitors = datadog_monitors(load(), "c")
    for monitor in monitors:
        engine.create(MONITOR, {"monitor": monitor.json()}, name=monitor.alert)
    engine.create(DASHBOARD, {"dashboard": datadog_dashboard("c")})
    assert {m["name"] for m in account.show()["monitors"]} == {monitor.name for monitor in monitors}
    assert len(account.show()["dashboards"]) == 1


def test_leaks_finds_what_a_stack_left(monkeypatch: pytest.MonkeyPatch, engine: Engine, account: Account) -> None:
    engine.create(MONITOR, {"monitor": json.dumps(DOWN)})
    engine.create(DASHBOARD, {"dashboard": json.dumps(BOARD)})

    class Answer:
        json = staticmethod(account.show)

    monkeypatch.setattr(leaks.requests, "get", lambda *_, **__: Answer)
    mine = [(found.kind, found.name, found.stack) for found in leaks.findings("http://x", "app/dev")]
    assert mine == [("datadog monitor", "NodeDown", "app/dev"), ("datadog dashboard", "Cluster", "")]
    assert [found.kind for found in leaks.findings("http://x", "app/prod")] == ["datadog dashboard"]
    assert len(list(leaks.findings("http://x", None))) == 2


def test_a_wrong_key_is_refused_and_not_shown(address: str, account: Account) -> None:
    for api, app in (("0" * 32, account.app_key), (account.api_key, "0" * 40)):
        engine = Engine(DatadogProvider(PACKAGE), {"apiKey": api, "appKey": app})
        with pytest.raises(ProviderError) as failure:
            engine.create(MONITOR, {"monitor": json.dumps(DOWN)})
        assert "403 Forbidden" in str(failure.value)
        assert api not in str(failure.value) and app not in str(failure.value)
    assert account.show()["monitors"] == []
    assert account.show()["refused"] == 2


def test_the_accounts_reasons_reach_the_user(engine: Engine) -> None:
    with pytest.raises(ProviderError, match=r"400 .*invalid query"):
        engine.create(MONITOR, {"monitor": json.dumps(DISK | {"query": "avg:x{*}"})})


def test_a_preview_needs_no_keys_and_calls_nobody() -> None:
    engine = Engine(DatadogProvider(PACKAGE), {"apiKey": values.UNKNOWN})
    made = engine.create(MONITOR, {"monitor": json.dumps(DOWN)}, preview=True)
    assert made.outputs["url"] == values.UNKNOWN
    assert "must be a JSON object" in engine.reasons(MONITOR, {"monitor": "[]"})
    with pytest.raises(ProviderError, match="does not support datadog:index/monitor:Monitor"):
        engine.check("datadog:index/monitor:Monitor", {})


def test_another_address_than_datadogs_is_refused(address: str, account: Account) -> None:
    keys = {"apiKey": account.api_key, "appKey": account.app_key}
    engine = Engine(DatadogProvider(PACKAGE), {**keys, "apiUrl": "https://example.com/"})
    with pytest.raises(ProviderError, match=r"'example.com' is none of Datadog's sites"):
        engine.create(MONITOR, {"monitor": json.dumps(DOWN)})


def test_the_intake_wants_the_key_and_keeps_the_newest_of_each_series(address: str, account: Account) -> None:
    def send(key: str, value: float) -> int:
        series = [{"metric": "timonel.up", "host": "h", "tags": ["b", "a"], "points": [[1, value]]}]
        body = gzip.compress(json.dumps({"series": series}).encode())
        headers = {"Host": "api.datadoghq.eu", "DD-API-KEY": key, "Content-Encoding": "gzip"}
        return requests.post(f"{address}/api/v1/series", data=body, headers=headers, timeout=10).status_code

    assert send("wrong", 1) == 403
    assert [send(account.api_key, 1), send(account.api_key, 2)] == [202, 202]
    [one] = account.show()["series"]
    assert (one["metric"], one["host"], one["tags"], one["value"], one["count"]) == (
        "timonel.up",
        "h",
        ["a", "b"],
        2,
        2,
    )


def test_keys_outlive_the_process_and_lie_in_a_file_of_the_owner(account: Account, tmp_path: Path) -> None:
    assert Account(tmp_path).keys() == account.keys()
    assert (tmp_path / "datadog.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["api.datadoghq.com", "app.datadoghq.eu:80", "us5.datadoghq.com", "api.ddog-gov.com"])
def test_datadogs_sites_are_known(host: str) -> None:
    assert is_datadog(host)
    assert not is_datadog("datadoghq.com.example.org")
    assert not is_datadog("127.0.0.1:5000")
