"""`leaks`: search, then say it as text or JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import boto3
from botocore.config import Config

from sandbox.leaks import datadog
from sandbox.leaks.model import Class, Client, Finding
from sandbox.leaks.search import search
from sandbox.state import State, read_json

RETRIES = Config(retries={"mode": "standard", "max_attempts": 10})


def clients_of_sandbox(state: State, regions: set[str]) -> dict[str, Client]:
    """Clients for the sandbox's AWS, a set for each region; its own region first."""
    record, credentials = state.read(), read_json(state.credentials)
    session = boto3.Session(credentials["access_key"], credentials["secret_key"])
    ordered = [record["region"], *sorted(regions - {record["region"]})]
    return {region: _clients(session, region, record["endpoint"]) for region in ordered}


def clients_of_aws(region: str | None) -> dict[str, Client]:
    """Clients for the real account of the environment, in one region.

    Raises:
        RuntimeError: no region is set.
    """
    session = boto3.Session()
    chosen = region or session.region_name
    if not chosen:
        raise RuntimeError("leaks --real: no region; give --region or set AWS_REGION")
    return {chosen: _clients(session, chosen, None)}


def _clients(session: boto3.Session, region: str, endpoint: str | None) -> Client:
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = session.client(service, region_name=region, endpoint_url=endpoint, config=RETRIES)
        return made[service]

    return client


def of_sandbox(state: State, stack: str | None, regions: set[str], clusters: Iterable[str] = ()) -> list[Finding]:
    """What the sandbox holds: of a stack (and of EKS clusters by name), or all. Twins that `repair` noted are named."""
    found = search(clients_of_sandbox(state, regions), stack, whole_account=True, clusters=clusters)
    found += datadog.findings(state.read()["endpoint"], stack)
    noted = {t["id"]: t for t in read_json(state.folder / "twins.json").get("twins", [])}
    return [
        f.noted(f"made in flight when run {noted[f.id]['run']} was killed, for {noted[f.id]['urn']}")
        if f.id in noted and f.klass is Class.LEFT_BEHIND
        else f
        for f in found
    ]


def lines(found: list[Finding]) -> list[str]:
    """The findings as text: a heading for each class, a line for each finding."""
    result = []
    for klass in Class:
        members = [f for f in found if f.klass is klass]
        if members:
            result.append(f"{klass}: {len(members)}")
        for finding in members:
            ends = ""
            if klass is Class.ENDING:
                ends = f" on {finding.ends:%Y-%m-%d %H:%M %Z}" if finding.ends else " soon"
            parts = [
                finding.kind,
                finding.id,
                finding.name and f"({finding.name})",
                finding.stack and f"of {finding.stack}",
                finding.cluster and f"of cluster {finding.cluster}",
            ]
            note = f": {finding.note}" if finding.note else ""
            result.append(f"  {' '.join(p for p in parts if p)} in {finding.region}{ends}{note}")
    if not any(f.klass is Class.LEFT_BEHIND for f in found):
        result.append("nothing left behind")
    return result


def summary(found: list[Finding]) -> dict[str, Any]:
    """The findings as JSON: a list for each class, named left_behind, ending and kept."""
    return {klass.name.lower(): [f.shown() for f in found if f.klass is klass] for klass in Class}
