"""One process for each EKS cluster: starts its control plane, keeps nodes and bindings, ends all of it.

`python -m sandbox.kubernetes.supervisor SPEC`, started by the AWS API (sandbox/aws/eks/planes.py) with a file
{folder, name, service_cidr, issuer, api}. It tells the API what is there and hears what is wanted, once a second; it
ends when the API does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import requests

from sandbox.kubernetes import access, nodes
from sandbox.kubernetes.client import Client
from sandbox.kubernetes.controllers.keeper import CloudControllers
from sandbox.kubernetes.plane import Plane, Spec
from sandbox.processes import start_time
from sandbox.state import write_json

INTERVAL = 1.0
"""Seconds between rounds."""
PATIENCE = 10
"""Rounds without a connection after which the API is taken for gone."""


class Ended(BaseException):
    """Somebody asked for the end."""


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended


def main(path: Path) -> int:
    """Run until the API is gone or says so; returns the exit code."""
    content = json.loads(path.read_text())
    folder, api = Path(content["folder"]), str(content["api"])
    own = os.getpid()
    write_json(folder / "supervisor.json", {"supervisor": {"pid": own, "start_time": start_time(own)}})
    spec = Spec(folder, content["name"], content["service_cidr"], content["issuer"], f"{api}/authenticate")
    plane = Plane(spec)
    signal.signal(signal.SIGTERM, _end)
    try:
        plane.start()
        _serve(plane, api)
    except Ended:
        return 0
    except RuntimeError as error:
        print(error, file=sys.stderr)
        with contextlib.suppress(requests.RequestException):
            _tell(api, {"failed": str(error)})
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        plane.stop()
    return 0


def _serve(plane: Plane, api: str) -> None:
    client = Client(plane.session(), plane.endpoint)
    bindings, kept, prepared = access.Bindings(client), nodes.Nodes(client), False
    controllers = CloudControllers(client, plane.spec.folder, api)
    report: dict[str, Any] = {"endpoint": plane.endpoint, "ca": plane.ca_data, "nodes": []}
    unheard = 0
    while unheard < PATIENCE:
        plane.check()
        try:
            if not prepared:
                access.prepare(client)
                prepared = True
            wanted = _tell(api, report)
            if wanted is None:
                return
            unheard = 0
            bindings.keep((g["policy"], g["namespace"]) for g in wanted["grants"])
            report["nodes"] = kept.keep(wanted["nodes"])
            nodes.run_pods(client, report["nodes"])
            controllers.keep()
        except requests.RequestException as error:
            unheard += isinstance(error, requests.ConnectionError)
            print(f"{time.strftime('%H:%M:%S')} {error}", file=sys.stderr)  # the next round tries again
        time.sleep(INTERVAL)


def _tell(api: str, report: dict[str, Any]) -> dict[str, Any] | None:
    """Report, and hear what is wanted; None when the cluster is gone.

    Raises:
        requests.RequestException: the API does not answer, or failed.
    """
    answer = requests.post(f"{api}/sync", json=report, timeout=120)
    if answer.status_code == requests.codes.not_found:
        return None
    answer.raise_for_status()
    result: dict[str, Any] = answer.json()
    return result


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
