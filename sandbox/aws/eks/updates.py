"""Updates of clusters, node groups and add-ons: described by id, kept as long as the cluster."""

from __future__ import annotations

import time

from sandbox.aws.eks.errors import ResourceNotFoundError
from sandbox.aws.eks.model import Cluster, Content, Params, Region, Update, page
from sandbox.aws.world import WORLD


def _of(params: Params) -> str:
    return str(params.get("nodegroupName") or params.get("addonName") or "")


def describe(region: Region, params: Params) -> Content:
    """DescribeUpdate."""
    cluster = region.cluster(params["name"])
    found = cluster.updates.get(str(params["updateId"]))
    if found is None or found.of != _of(params):
        raise ResourceNotFoundError(f"No update found for ID: {params['updateId']}")
    return {"update": found.content}


def list_all(region: Region, params: Params) -> Content:
    """ListUpdates."""
    found = region.cluster(params["name"]).updates
    return page([i for i, u in found.items() if u.of == _of(params)], params, "updateIds")


def advance(cluster: Cluster, busy: frozenset[str]) -> None:
    """One tick: finish what is due.

    Args:
        cluster: whose updates.
        busy: node groups whose instances are still being replaced.
    """
    for update in cluster.updates.values():
        if update.running and update.of not in busy and time.monotonic() - update.since >= WORLD.settings.transition:
            _finish(cluster, update)


def _finish(cluster: Cluster, update: Update) -> None:
    if update.apply:
        update.apply()
    update.content["status"] = "Successful"
    if not update.of and cluster.status == "UPDATING":
        cluster.enter("ACTIVE")
