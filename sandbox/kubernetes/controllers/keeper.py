"""One round of every controller, run by the cluster's supervisor."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import requests
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.kubernetes.client import Client
from sandbox.kubernetes.controllers import balancers, interfaces, storage
from sandbox.kubernetes.controllers.cluster import Cluster
from sandbox.state import State, read_json

CONTROLLERS = (balancers.reconcile, storage.reconcile, interfaces.reconcile)


class CloudControllers:
    """Keeps what AWS's controllers would make for one cluster."""

    def __init__(self, client: Client, folder: Path, api: str) -> None:
        """Work for the cluster of the control plane in ``folder`` (<state>/kubernetes/<region>/<name>).

        Args:
            client: its API server's.
            folder: its folder.
            api: any URL of the sandbox's AWS API.
        """
        region, name = folder.parts[-2:]
        own = read_json(State(folder.parents[2]).credentials)
        session = boto3.Session(own["access_key"], own["secret_key"])
        parts = urlsplit(api)
        self.cluster = Cluster(name, region, client, session, f"{parts.scheme}://{parts.netloc}")

    def keep(self) -> None:
        """One round. An error of one controller is told and does not stop the others; the next round tries again."""
        if not self._awake():
            return
        for reconcile in CONTROLLERS:
            try:
                self.cluster.find_network()
                reconcile(self.cluster)
            except (requests.HTTPError, ClientError, BotoCoreError) as error:
                print(f"{time.strftime('%H:%M:%S')} {reconcile.__module__}: {error}", file=sys.stderr)

    def _awake(self) -> bool:
        """Whether the control API lets the controllers work."""
        answer = requests.get(f"{self.cluster.aws_endpoint}/_timonel/settings", timeout=10)
        return bool(answer.json()["cloud_controllers"])
