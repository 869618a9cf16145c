"""The dev stack by the real engine on booted hosts: `up` ends with a Swarm that answers, `destroy` leaves nothing."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.agent.grants import judged, refused
from tests.sandbox.agent.report import say
from tests.sandbox.machines.rig import Machines, until
from tests.sandbox.monitoring.watched import Watched, make_images
from tests.sandbox.rig import Sandbox, Stack

pytestmark = pytest.mark.machines

ASK = """
import json, sys, requests
host, folder, known = sys.argv[1:]
pair = (f"{folder}/certificate", f"{folder}/key") if known == "yes" else None
try:
    found = requests.get(f"https://{host}/nodes", verify=f"{folder}/ca", cert=pair, timeout=20)
    print(json.dumps(found.json()))
except requests.exceptions.RequestException as error:
    print(json.dumps({"refused": type(error).__name__}))
"""


def nodes(sandbox: Sandbox, stack: Stack, folder: Path, *, known: bool) -> Any:
    """What the Docker API behind the load balancer answers, with or without the exported certificate."""
    outputs = stack.outputs(secrets=True)
    names = {"ca": "dockerCaCertificate", "certificate": "dockerClientCertificate", "key": "dockerClientPrivateKey"}
    for name, output in names.items():
        (folder / name).touch(0o600)
        (folder / name).write_text(outputs[output])
    host = outputs["dockerHost"].removeprefix("tcp://")
    return json.loads(sandbox.exec("python", "-c", ASK, host, str(folder), "yes" if known else "no").ok().out)


def test_up_ends_with_a_swarm_that_answers_and_destroy_with_a_dead_manager_leaves_nothing(
    booted: Machines, tmp_path: Path
) -> None:
    """Faults 1 and 14 of docs/faults.md through Pulumi, with the stack's monitoring."""
    make_images()
    watched = Watched(booted, tmp_path, "dev")
    stack = watched.stack
    before = len(booted.calls())
    start = time.monotonic()
    up = stack.up().ok()
    say("1 dev stack: up until healthy", time.monotonic() - start, "five hosts by hand")
    assert "ReadyCluster" in up.finished.out, "up waits for the cluster"
    found = nodes(booted, stack, tmp_path, known=True)
    assert [node["Status"]["State"] for node in found] == ["ready"] * 5, found
    assert sorted(node["Spec"]["Role"] for node in found) == ["manager"] * 3 + ["worker"] * 2
    assert "refused" in nodes(booted, stack, tmp_path, known=False), "nobody gets in without a certificate"
    assert stack.preview("--expect-no-changes").ok().changed == {}, "a cluster that lives is no diff"
    watched.wait_until_ready()
    wanted = {"node": 5, "cadvisor": 5, "dockerd": 5, "prometheus": 1, "alertmanager": 1}

    def up_by_job() -> dict[str, int]:
        return dict(Counter(one["labels"]["job"] for one in watched.targets() if one["health"] == "up"))

    until("every target of every node is up, seen with the exported password", lambda: up_by_job() == wanted, 120, 2)

    ec2 = booted.client("ec2")
    living = [
        {"Name": "tag:timonel:role", "Values": ["manager"]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    found = ec2.describe_instances(Filters=living)["Reservations"]
    managers = [i["InstanceId"] for r in found for i in r["Instances"]]
    ec2.terminate_instances(InstanceIds=managers)
    start = time.monotonic()
    stack.destroy().ok()
    say("14 dev stack: destroyed with every manager dead", time.monotonic() - start)
    report = json.loads(booted.cli("leaks", "--stack", "timonel/dev", "--json").out)
    assert report["left_behind"] == [], report["left_behind"]
    made = judged(booted.calls()[before:])
    assert len(made) > 20 and refused(made) == [], "12: the stack's own roles allow what its nodes did"
