"""Logs this host's docker command line in to ECR: the token goes to a file, never to a command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3

from node_agent.aws import RETRIES, ask
from node_agent.files import write_atomically

CONFIG = Path("/root/.docker/config.json")
EVERY = 6 * 3600.0
"""Seconds between refreshes: a token lives 12 hours (docs.aws.amazon.com: GetAuthorizationToken)."""


def merged(present: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Docker's config.json with ECR's tokens, everything else as it was."""
    rows = {row["proxyEndpoint"].removeprefix("https://"): {"auth": row["authorizationToken"]}
            for row in answer["authorizationData"]}  # fmt: skip
    return {**present, "auths": {**present.get("auths", {}), **rows}}


def refresh(region: str, path: Path = CONFIG) -> None:
    """Fetches a token and writes it.

    Raises:
        AwayError: ECR does not answer.
    """
    client: Any = boto3.client("ecr", region_name=region, config=RETRIES)
    answer = ask("ecr", client.get_authorization_token)
    present = json.loads(path.read_text()) if path.exists() else {}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, json.dumps(merged(present, answer), indent=1).encode(), 0o600)
