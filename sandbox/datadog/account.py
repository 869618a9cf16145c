"""One Datadog account in memory: keys, monitors, dashboards, and what agents reported.

Paths, headers and answers are those of https://docs.datadoghq.com/api/latest/ (v1). It is served by the sandbox's API
process for the names of Datadog's sites; what is not here is answered with 404 and its name.
"""

from __future__ import annotations

import gzip
import hmac
import json
import re
import secrets
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.state import read_json, write_json

SITES = ("datadoghq.com", "datadoghq.eu", "ddog-gov.com")
"""Ends of the host names that are Datadog's."""
SERIES_AT_MOST = 5000
"""How many series (metric, host, tags) are remembered, the newest of each."""
TYPES = frozenset({"metric alert", "query alert", "service check", "event-v2 alert", "composite", "log alert"})
METRIC = re.compile(r"^[a-z]+\((?:last|next)_\d+[mhdw]\):.+(?:>=|<=|==|!=|>|<)\s*-?[\d.]+$", re.DOTALL)
CHECK = re.compile(r'^".+"\.over\(.+\)(?:\.\w+\(.*\))*$', re.DOTALL)
Answer = tuple[str, list[tuple[str, str]], bytes]


class Refused(Exception):  # noqa: N818  # an answer, not a failure of ours
    """A request that Datadog would refuse."""

    def __init__(self, status: str, *reasons: str) -> None:
        """Keep the status line and the reasons."""
        super().__init__(status, *reasons)
        self.status, self.reasons = status, reasons


def is_datadog(host: str) -> bool:
    """Whether a Host header names one of Datadog's sites."""
    name = host.rpartition(":")[0] or host
    return any(name == site or name.endswith(f".{site}") for site in SITES)


def monitor_errors(monitor: Mapping[str, Any]) -> list[str]:
    """What the API would say against a monitor."""
    errors = [
        f"The value provided for parameter '{name}' is invalid"
        for name in ("name", "type", "query")
        if not monitor.get(name)
    ]
    kind, query = monitor.get("type"), str(monitor.get("query", ""))
    if kind and kind not in TYPES:
        errors.append(f"The value provided for parameter 'type' is invalid: {kind!r}")
    if query and kind in {"metric alert", "query alert"} and not METRIC.match(query.strip()):
        errors.append("The value provided for parameter 'query' is invalid: invalid query")
    if query and kind == "service check" and not CHECK.match(query.strip()):
        errors.append("The value provided for parameter 'query' is invalid: invalid service check query")
    options = monitor.get("options") or {}
    critical = (options.get("thresholds") or {}).get("critical")
    told = re.search(r"(?:>=|<=|>|<)\s*(-?[\d.]+)\s*$", query)
    if critical is not None and told and kind in {"metric alert", "query alert"} and float(critical) != float(told[1]):
        errors.append(f"Alert threshold ({critical}) does not match that used in the query ({told[1]})")
    return errors


class Account:
    """The account of one sandbox. Its keys outlive the process, the rest does not."""

    def __init__(self, folder: Path) -> None:
        """Take the keys of the state folder, or make them."""
        self._file = folder / "datadog.json"
        self._lock = threading.RLock()
        kept = read_json(self._file)
        self.api_key = str(kept.get("api_key") or secrets.token_hex(16))
        self.app_key = str(kept.get("app_key") or secrets.token_hex(20))
        if not kept:
            write_json(self._file, {"api_key": self.api_key, "app_key": self.app_key})
            self._file.chmod(0o600)
        self.reset()

    def reset(self) -> None:
        """Forget all but the keys."""
        with self._lock:
            self.monitors: dict[int, dict[str, Any]] = {}
            self.dashboards: dict[str, dict[str, Any]] = {}
            self.series: OrderedDict[tuple[str, ...], dict[str, Any]] = OrderedDict()
            self.checks: OrderedDict[tuple[str, ...], dict[str, Any]] = OrderedDict()
            self.refused = 0
            self._next = 1000

    def show(self) -> dict[str, Any]:
        """All that was recorded, for the control API."""
        with self._lock:
            return {
                "monitors": list(self.monitors.values()),
                "dashboards": list(self.dashboards.values()),
                "series": list(self.series.values()),
                "checks": list(self.checks.values()),
                "refused": self.refused,
            }

    def keys(self) -> dict[str, str]:
        """The keys that are accepted."""
        return {"api_key": self.api_key, "app_key": self.app_key}

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request."""
        try:
            with self._lock:
                status, content = self._route(method, path.rstrip("/"), headers, _decoded(headers, body))
        except Refused as refused:
            with self._lock:
                self.refused += refused.status.startswith("403")
            return _json(refused.status, {"errors": list(refused.reasons)})
        return _json(status, content)

    def _route(self, method: str, path: str, headers: Mapping[str, str], content: Any) -> tuple[str, Any]:
        self._checked(headers, "DD-API-KEY", self.api_key)
        match path.removeprefix("/api/").split("/"):
            case ["v1", "validate"] if method == "GET":
                return "200 OK", {"valid": True}
            case ["v1" | "v2", "series"] if method == "POST":
                return self._take_series(content)
            case ["v1", "check_run"] if method == "POST":
                return self._take_checks(content)
            case ["v1", "monitor", "validate"] if method == "POST":
                self._checked(headers, "DD-APPLICATION-KEY", self.app_key)
                self._valid(content)
                return "200 OK", {}
            case ["v1", "monitor", *rest]:
                self._checked(headers, "DD-APPLICATION-KEY", self.app_key)
                return self._monitor(method, rest, content)
            case ["v1", "dashboard", *rest]:
                self._checked(headers, "DD-APPLICATION-KEY", self.app_key)
                return self._dashboard(method, rest, content)
        raise Refused("404 Not Found", f"the sandbox's Datadog has no {method} {path}")

    @staticmethod
    def _checked(headers: Mapping[str, str], name: str, key: str) -> None:
        given = headers.get(name.lower(), "")
        if not hmac.compare_digest(given.encode(), key.encode()):
            raise Refused("403 Forbidden", "Forbidden")

    @staticmethod
    def _valid(monitor: Any) -> None:
        errors = monitor_errors(monitor) if isinstance(monitor, dict) else ["The payload is not an object"]
        if errors:
            raise Refused("400 Bad Request", *errors)

    def _monitor(self, method: str, rest: list[str], content: Any) -> tuple[str, Any]:
        if not rest and method == "GET":
            return "200 OK", list(self.monitors.values())
        if not rest and method == "POST":
            self._valid(content)
            self._next += 1
            made = {**content, "id": self._next, "overall_state": "No Data", "created": _now(), "modified": _now()}
            self.monitors[self._next] = made
            return "200 OK", made
        number = int(rest[0]) if len(rest) == 1 and rest[0].isdigit() else -1
        if number not in self.monitors:
            raise Refused("404 Not Found", "Monitor not found")
        if method == "PUT":
            changed = {**self.monitors[number], **content, "id": number, "modified": _now()}
            self._valid(changed)
            if changed["type"] != self.monitors[number]["type"]:
                raise Refused("400 Bad Request", "Monitor type cannot be changed")
            self.monitors[number] = changed
        if method == "DELETE":
            del self.monitors[number]
            return "200 OK", {"deleted_monitor_id": number}
        return "200 OK", self.monitors[number]

    def _dashboard(self, method: str, rest: list[str], content: Any) -> tuple[str, Any]:
        if not rest and method == "GET":
            return "200 OK", {"dashboards": list(self.dashboards.values())}
        if method in ("POST", "PUT"):
            missing = [name for name in ("title", "layout_type", "widgets") if name not in (content or {})]
            if missing:
                raise Refused("400 Bad Request", f"Missing required fields: {', '.join(missing)}")
        if not rest and method == "POST":
            name = "-".join(secrets.token_hex(8)[i : i + 3] for i in (0, 3, 6))
            self.dashboards[name] = {**content, "id": name, "url": f"/dashboard/{name}", "created_at": _now()}
            return "200 OK", self.dashboards[name]
        name = rest[0] if rest else ""
        if name not in self.dashboards:
            raise Refused("404 Not Found", f"Dashboard with ID {name} not found")
        if method == "PUT":
            self.dashboards[name] = {**content, "id": name, "url": f"/dashboard/{name}", "modified_at": _now()}
        if method == "DELETE":
            del self.dashboards[name]
            return "200 OK", {"deleted_dashboard_id": name}
        return "200 OK", self.dashboards[name]

    def _take_series(self, content: Any) -> tuple[str, Any]:
        for one in (content or {}).get("series", []):
            points = one.get("points") or [[0, 0]]
            last = points[-1]
            value = last["value"] if isinstance(last, dict) else last[1]
            tags = sorted(one.get("tags") or [])
            key = (str(one["metric"]), str(one.get("host", "")), *tags)
            count = self.series.pop(key, {}).get("count", 0)
            fact = {
                "metric": one["metric"],
                "host": one.get("host", ""),
                "tags": tags,
                "type": one.get("type", "gauge"),
            }
            self.series[key] = {**fact, "value": value, "time": time.time(), "count": count + 1}
            while len(self.series) > SERIES_AT_MOST:
                self.series.popitem(last=False)
        return "202 Accepted", {"status": "ok", "errors": []}

    def _take_checks(self, content: Any) -> tuple[str, Any]:
        for one in content if isinstance(content, list) else [content]:
            tags = sorted(one.get("tags") or [])
            fact = {"check": one["check"], "host": one.get("host_name", ""), "tags": tags, "status": one.get("status")}
            self.checks[str(one["check"]), str(fact["host"]), *tags] = {**fact, "time": time.time()}
        return "202 Accepted", {"status": "ok"}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def _decoded(headers: Mapping[str, str], body: bytes) -> Any:
    try:
        match headers.get("content-encoding", ""):
            case "gzip":
                body = gzip.decompress(body)
            case "deflate":
                body = zlib.decompress(body)
        return json.loads(body) if body else None
    except (ValueError, OSError, zlib.error):
        raise Refused("400 Bad Request", "Invalid JSON in the payload") from None


def _json(status: str, content: Any) -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps(content).encode()
