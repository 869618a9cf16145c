"""What `up`, `down` and `status` do: processes started and ended, and what a kill cost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

from sandbox import machines_link
from sandbox.engine import environment, plugins, repair
from sandbox.engine.salt import encryption_salt
from sandbox.kubernetes.record import recorded
from sandbox.processes import ProcessId, end, start_time
from sandbox.state import CHECKOUT, State, write, write_json

START_SECONDS = 60
"""How long the API may take to answer; moto's import is 3 to 10 s here under load."""

Say = Callable[[str], None]


def up(  # what the command offers
    state: State, say: Say, choice: plugins.Choice, region: str, *, machines: bool = True, kubernetes: bool = True
) -> dict[str, Any]:
    """Start what is not running. Returns the record.

    Args:
        state: which sandbox.
        say: takes each line for people.
        choice: which provider plugins.
        region: the default region.
        machines: whether to start booted hosts too, where this host can.
        kubernetes: whether EKS clusters that are created from now on get a control plane.

    Raises:
        RuntimeError: the API does not start, with the end of its log.
    """
    with state.lock():
        state.prepare()
        environment.write_shim(state)
        if not state.salt.exists():
            write(state.salt, encryption_salt(state.passphrase.read_text()))
        former = state.read()
        if state.api() is None or not _healthy(former):
            _mourn(state, former, say)
            _start_api(state, int(str(former.get("endpoint", ":0")).rsplit(":", 1)[1]), region)
            say(f"AWS API: started at {state.read()['endpoint']} (pid {state.read()['pid']})")
        else:
            say(f"AWS API: already running at {former['endpoint']} (pid {former['pid']})")
        record = _choose_plugins(state, choice, say) | {"kubernetes": kubernetes}
        write_json(state.record, record)
        if machines:
            machines_link.start(state, record["endpoint"], say)
        return state.read()


def _healthy(record: dict[str, Any]) -> bool:
    try:
        return requests.get(f"{record['endpoint']}/healthz", timeout=5).ok
    except (KeyError, requests.RequestException):
        return False


def _mourn(state: State, former: dict[str, Any], say: Say) -> None:
    """The API that was there is gone and its memory with it: say so, and move aside the engine's state of it."""
    if "pid" not in former:
        return
    end([ProcessId(int(former["pid"]), str(former["start_time"]))])
    say(f"AWS API: process {former['pid']} is gone, and every AWS resource of this sandbox with it (its memory)")
    machines_link.stop(state, say)
    _end_planes(state, say)
    state.record.unlink(missing_ok=True)
    stacks = repair.stacks(state)
    if not stacks:
        return
    aside = state.folder / "lost" / datetime.now().strftime("%Y%m%d-%H%M%S")
    aside.parent.mkdir(exist_ok=True)
    state.engine.rename(aside)
    state.engine.mkdir()
    for name, resources in stacks.items():
        say(f"  stack {name}: its state of {resources} resources describes nothing any more, moved to {aside}")


def _start_api(state: State, port: int, region: str) -> None:
    log = state.logs / "api.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.aws", str(state.folder), str(port), region],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        record = state.read()
        if record.get("pid") == process.pid and _healthy(record):
            return
        time.sleep(0.05)
    if (started := start_time(process.pid)) is not None:
        end([ProcessId(process.pid, started)])
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise RuntimeError(f"the AWS API did not answer within {START_SECONDS} s; the end of {log}:\n{tail}")


def _choose_plugins(state: State, choice: plugins.Choice, say: Say) -> dict[str, Any]:
    record = state.read()
    engine = environment.find_engine(state)
    if record.get("plugins_choice") != choice or record.get("engine") != engine:
        chosen = plugins.resolve(choice, engine)
        cache = state.pulumi_home / "plugins"
        if cache.is_symlink():
            cache.unlink()
        if chosen.cache and not cache.exists():
            cache.symlink_to(chosen.cache)
        record |= {
            "plugins": str(chosen.kind),
            "plugins_reason": chosen.reason,
            "plugins_choice": str(choice),
            "engine": engine,
            "checkout": str(CHECKOUT),
        }
        write_json(state.record, record)
    if engine is None:
        say("engine: no pulumi found (`make setup` gets one); everything but the engine works")
    say(plugins_line(record))
    return record


def plugins_line(record: dict[str, Any]) -> str:
    """The one line on the plugins in use."""
    return f"provider plugins: {record.get('plugins')} ({record.get('plugins_reason')})"


def down(state: State, say: Say) -> None:
    """End every process of the sandbox and remove its folder. Finishes whatever was killed before.

    Raises:
        RuntimeError: something outlives SIGKILL; its pid is named and the folder stays.
    """
    if not state.folder.exists():
        say(f"nothing to take down: no sandbox in {state.folder}")
        return
    with state.lock():
        machines_link.stop(state, say)
        for run, orphans in repair.orphans(state, also_living=True).items():
            ended = end(orphans)
            if ended:
                say(f"engine: ended run {run}: pids {', '.join(str(p.pid) for p in ended)}")
        record = state.read()
        if "pid" in record and end([ProcessId(int(record["pid"]), str(record["start_time"]))]):
            say(f"AWS API: ended (pid {record['pid']})")
        _end_planes(state, say)
        state.remove()
        say(f"removed {state.folder}")


def _end_planes(state: State, say: Say) -> None:
    """End the control planes of EKS clusters, whose supervisors end with the API unless they were killed."""
    for spec in (state.folder / "kubernetes").glob("*/*/spec.json"):
        ended = end(recorded(spec.parent))
        if ended:
            say(f"Kubernetes of {spec.parent.name}: ended (pids {', '.join(str(p.pid) for p in ended)})")


def status(state: State) -> dict[str, Any]:
    """Everything `status` shows, as JSON. `up` is False when the API does not run."""
    record = state.read()
    running = state.api() is not None and _healthy(record)
    result: dict[str, Any] = {
        "folder": str(state.folder),
        "up": running,
        "api": {k: record[k] for k in ("endpoint", "pid", "region") if k in record},
        "plugins": {"kind": record.get("plugins"), "reason": record.get("plugins_reason")},
        "engine": record.get("engine"),
        "stacks": repair.stacks(state),
        "boots_hosts": machines_link.started(state),
        "machines": machines_link.status(state),
    }
    if running:
        result["faults"] = control(record, "GET", "faults")
        result["clusters"] = control(record, "GET", "eks")
        result["calls"] = control(record, "GET", "")["calls"]
    return result


def control(record: dict[str, Any], method: str, path: str, content: Any = None) -> Any:
    """One request to the control API.

    Raises:
        RuntimeError: it refuses, with its reason; or the sandbox is not up.
    """
    if "endpoint" not in record:
        raise RuntimeError("the sandbox is not up: `python -m sandbox up` first")
    url = f"{record['endpoint']}/_timonel/{path}" if path else f"{record['endpoint']}/healthz"
    answer = requests.request(method, url, data=None if content is None else json.dumps(content), timeout=60)
    body = answer.json()
    if not answer.ok:
        raise RuntimeError(f"{method} {url}: {body.get('error')}")
    return body
