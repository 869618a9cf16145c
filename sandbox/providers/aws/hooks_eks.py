"""Hooks of EKS: updates that are waited for by their id, and the pod identities of an add-on."""

from typing import Any

from sandbox.providers.aws.hooks import hook
from sandbox.providers.aws.run import Run
from sandbox.providers.aws.table import Call
from sandbox.providers.serve import ProviderError

_UPDATE_SECONDS = 3600
"""How long the genuine provider waits for an update of a cluster or a node group."""


@hook
def eks_update(run: Run, call: Call) -> None:
    """Start an update and wait until it is done: EKS takes one at a time."""
    asked = run.arguments(call)
    update = run.send(call)["update"]
    named = {name: asked[name] for name in ("nodegroupName", "addonName") if asked.get(name)}
    search = {"name": asked.get("clusterName") or asked["name"], "updateId": update["id"], **named}
    pauses = run.pauses(_UPDATE_SECONDS)
    while update["status"] == "InProgress":
        if not pauses.rest(f"waiting for {update['type']} of {run.id}"):
            raise ProviderError(f"{call.op}: {update['type']} is still going on after {pauses.elapsed:.0f} s")
        update = run.call("DescribeUpdate", search)["update"]
    if update["status"] != "Successful":
        reasons = "; ".join(f"{item['errorCode']}: {item['errorMessage']}" for item in update.get("errors") or [])
        raise ProviderError(f"{call.op}: {update['type']} is {update['status']}: {reasons or 'EKS gives no reason'}")


@hook
def eks_addon_pod_identities(run: Run, _call: Call) -> dict[str, Any]:
    """Read the add-on's pod identity associations, of which EKS tells only the ARNs."""
    cluster = run.extra["item"]["clusterName"]
    found = []
    for arn in run.extra["item"].get("podIdentityAssociations") or []:
        search = {"clusterName": cluster, "associationId": str(arn).rpartition("/")[2]}
        item = run.call("DescribePodIdentityAssociation", search)["association"]
        found.append({"roleArn": item["roleArn"], "serviceAccount": item["serviceAccount"]})
    return {"found": found or None}
