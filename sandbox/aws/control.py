"""The control API under /_timonel/ (and /healthz): what tests and the machines say to the sandbox itself. JSON only.

GET  /healthz                        {ok, calls, regions: those that were called}
GET  /_timonel/faults, PUT {...}     faults.Settings; PUT replaces them all
GET  /_timonel/settings, PUT {...}   world.Settings; PUT changes those given
GET  /_timonel/calls?since=N         the journal after call N
POST /_timonel/reset                 an empty account, settings and journal as at the start
PUT  /_timonel/controller {pid}      machines exist from now on: instances change state by report only
DELETE /_timonel/controller          no machines any more
GET  /_timonel/instances             every instance as the machines need it
GET  /_timonel/datadog               what the sandbox's Datadog has recorded; datadog/keys: the keys it accepts
GET  /_timonel/eks                   clusters; eks/REGION/NAME/sync and .../authenticate serve their control planes
PUT  /_timonel/instances/ID          {state?, status_checks?, console_output?, spot_notice?}
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from moto.moto_api._internal.models import moto_api_backend

from sandbox.aws import balancers
from sandbox.aws.clock import Clock
from sandbox.aws.ec2 import view
from sandbox.aws.eks import api as eks
from sandbox.aws.eks import planes
from sandbox.aws.faults import Faults
from sandbox.aws.journal import Journal
from sandbox.aws.world import WORLD
from sandbox.datadog.account import Account
from sandbox.processes import ProcessId
from sandbox.state import State

Answer = tuple[str, list[tuple[str, str]], bytes]


class Control:
    """Routes of the control API."""

    def __init__(  # noqa: PLR0917  # the parts of one process
        self,
        state: State,
        journal: Journal,
        faults: Faults,
        clock: Clock,
        lock: threading.RLock,
        datadog: Account,
    ) -> None:
        self.state = state
        self.journal = journal
        self.faults = faults
        self.clock = clock
        self.lock = lock
        self.datadog = datadog
        self.routes: dict[tuple[str, str], Callable[[dict[str, str], Any], Any]] = {
            ("GET", "healthz"): lambda query, content: {
                "ok": True,
                "calls": journal.count,
                "regions": sorted(journal.regions),
            },
            ("GET", "faults"): lambda query, content: faults.show(),
            ("PUT", "faults"): self._set_faults,
            ("GET", "settings"): lambda query, content: asdict(WORLD.settings),
            ("PUT", "settings"): self._set_settings,
            ("GET", "calls"): self._calls,
            ("POST", "reset"): self._reset,
            ("GET", "controller"): lambda query, content: {"pid": WORLD.controller and WORLD.controller.pid},
            ("PUT", "controller"): self._set_controller,
            ("DELETE", "controller"): self._remove_controller,
            ("PUT", "target-health"): self._set_target_health,
            ("GET", "datadog"): lambda query, content: datadog.show(),
            ("GET", "datadog/keys"): lambda query, content: datadog.keys(),
            ("GET", "instances"): lambda query, content: {"instances": view.instances()},
        }

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """Answer one request; 400 with the reason when its content is wrong, 404 for an unknown path."""
        name = path.removeprefix("/_timonel").strip("/")
        try:
            content = json.loads(body) if body else {}
            parameters = {k: v[-1] for k, v in parse_qs(query).items()}
            with self.lock:
                result = self._route(method, name, parameters, content)
        except LookupError as error:
            return _json("404 Not Found", {"error": str(error)})
        except (ValueError, TypeError) as error:
            return _json("400 Bad Request", {"error": str(error)})
        return _json("200 OK", result)

    def _route(self, method: str, name: str, query: dict[str, str], content: Any) -> Any:
        if (method, name) in self.routes:
            return self.routes[method, name](query, content)
        kind, _, instance = name.partition("/")
        if kind == "eks":
            return planes.answer(method, instance, content)
        if method == "PUT" and kind == "instances" and instance:
            view.report(instance, content)
            self.clock.tick()
            return {}
        raise LookupError(f"no {method} /_timonel/{name}")

    def _set_faults(self, query: dict[str, str], content: Any) -> Any:
        self.faults.set(content)
        return self.faults.show()

    def _set_settings(self, query: dict[str, str], content: Any) -> Any:
        WORLD.set(content)
        return asdict(WORLD.settings)

    def _calls(self, query: dict[str, str], content: Any) -> Any:
        return {"calls": self.journal.since(int(query.get("since", 0))), "count": self.journal.count}

    def _reset(self, query: dict[str, str], content: Any) -> Any:
        moto_api_backend.reset()
        WORLD.reset()
        balancers.reset()
        eks.reset()
        self.datadog.reset()
        self.journal.clear()
        return {}

    def _set_controller(self, query: dict[str, str], content: Any) -> Any:
        process = ProcessId.of(int(content["pid"]))
        if process is None:
            raise ValueError(f"controller: no process {content['pid']}")
        WORLD.controller = process
        return {}

    def _set_target_health(self, query: dict[str, str], content: Any) -> Any:
        balancers.report(content)
        return {}

    def _remove_controller(self, query: dict[str, str], content: Any) -> Any:
        WORLD.controller = None
        return {}


def _json(status: str, content: Any) -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps(content, default=str).encode()
