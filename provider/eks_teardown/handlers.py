"""EksTeardown, deleted before anything of the cluster, and EksSweep, deleted after all of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from provider.aws import error_code
from provider.eks_teardown import control_plane_logs, decide, volumes
from provider.eks_teardown.in_cluster import PATIENCE, InCluster, Outcome
from provider.eks_teardown.kubernetes import ClusterApi, RefusedError, UnreachableError, token_source
from provider.eks_teardown.objects import VOLUME, Thing
from provider.eks_teardown.owned import KEEP, Owner
from provider.eks_teardown.pace import Pace
from provider.eks_teardown.report import Report
from provider.eks_teardown.sweep import Sweep
from provider.errors import ProviderError
from provider.handler import ACCESS, Context, Handler, Input
from provider.properties import Plain

POLICIES = ("delete", "retain", "fail")

_COMMON: Mapping[str, Input] = {
    **ACCESS,
    "clusterName": Input(str, replaces=True),
    "vpcId": Input(str, replaces=True),
    "timeoutSeconds": Input(int, minimum=1),
}


class EksTeardownHandler(Handler):
    """Exists in the state only; its deletion is the clean-up. Run again, it goes on where it was."""

    inputs: ClassVar[Mapping[str, Input]] = {**_COMMON, "volumes": Input(str, choices=POLICIES)}

    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Nothing to make."""
        del context
        return f"{inputs['clusterName']}/teardown", {}

    def delete(self, state: Plain, context: Context) -> None:
        """Remove what the cluster's controllers made, as far as can be while its nodes still run.

        Raises:
            ProviderError: the cluster is protected from deletion, or ``volumes`` is fail and there are some; nothing
                was deleted then. What could not be removed is no error here: nodes and cluster may go, and
                ``EksSweep`` tries again after them.
        """
        owner = Owner(state["clusterName"], state["vpcId"])
        pace, report = Pace(context, state["timeoutSeconds"]), Report()
        cluster = _describe(owner, context)
        own = cluster if cluster and _vpc(cluster) == owner.vpc_id else None
        if own and own.get("deletionProtection"):
            raise ProviderError(
                f"EKS cluster {owner.cluster} has deletion protection, so it cannot be deleted and nothing in it was. "
                "If it is to go, set its deletion protection to false, run `pulumi up`, then destroy it."
            )
        api = _api(own, context) if own else None
        if state["volumes"] == "fail":
            _refuse_volumes(owner, api, context)
        elsewhere = cluster is not None and own is None
        if elsewhere:
            report.note(f"a cluster {owner.cluster} of another VPC exists; it was not touched, nor was any volume")
        inside = InCluster(api, state["volumes"], pace, report) if api else None
        outcome = _run(inside, report) if inside else Outcome()
        sweep = Sweep(owner, context, pace, report)
        clean = sweep.before_cluster(pace.part(PATIENCE))
        if not elsewhere:
            volumes.settle(owner, context.aws("ec2"), outcome.kept, outcome.doomed, report)
        if inside:
            there = volumes.existing(owner, context.aws("ec2"), outcome.doomed)
            inside.let_go(lambda thing: _is_gone(thing, there, clean=clean))
        if own:
            control_plane_logs.turn_off(own, context, pace, report)
        title = f"teardown of EKS cluster {owner.cluster}, {pace.waited:.0f} s"
        context.log(report.render(title, left="left to the sweep after the cluster"))


class EksSweepHandler(Handler):
    """Exists in the state only; its deletion is the last sweep."""

    inputs: ClassVar[Mapping[str, Input]] = _COMMON

    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Nothing to make."""
        del context
        return f"{inputs['clusterName']}/sweep", {}

    def delete(self, state: Plain, context: Context) -> None:
        """Remove what nodes and cluster left behind.

        Raises:
            ProviderError: something is left when the time is over; it would keep the VPC from being deleted, or be
                paid for unseen.
        """
        owner = Owner(state["clusterName"], state["vpcId"])
        pace, report = Pace(context, state["timeoutSeconds"]), Report()
        cluster = _describe(owner, context)
        if cluster and _vpc(cluster) == owner.vpc_id:
            context.log(f"EKS cluster {owner.cluster} still exists ({cluster['status']}), so nothing was swept")
            return
        Sweep(owner, context, pace, report).after_cluster(pace.seconds)
        if cluster is None:
            volumes.settle(owner, context.aws("ec2"), (), {}, report)
            volumes.keep_snapshots(owner, context.aws("ec2"), report)
        text = report.render(f"last sweep of EKS cluster {owner.cluster}, {pace.waited:.0f} s")
        if report.left:
            raise ProviderError(f"{text}\nRun destroy again once the reasons are gone: it goes on from here.")
        context.log(text)


def _describe(owner: Owner, context: Context) -> Mapping[str, Any] | None:
    """The cluster as EKS describes it; None when it is gone."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        cluster: Mapping[str, Any] = context.aws("eks").describe_cluster(name=owner.cluster)["cluster"]
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    return cluster


def _vpc(cluster: Mapping[str, Any]) -> str:
    return str(cluster["resourcesVpcConfig"].get("vpcId", ""))


def _api(cluster: Mapping[str, Any], context: Context) -> ClusterApi | None:
    """The API server; None for a cluster that never got one."""
    endpoint, authority = cluster.get("endpoint"), (cluster.get("certificateAuthority") or {}).get("data")
    if not endpoint or not authority:
        return None
    return ClusterApi(endpoint, base64.b64decode(authority).decode(), token_source(context, cluster["name"]))


def _run(inside: InCluster, report: Report) -> Outcome:
    try:
        return inside.run()
    except UnreachableError as error:
        report.note(f"the cluster's API server could not be used, so only AWS was searched: {error}")
        return inside.outcome


def _refuse_volumes(owner: Owner, api: ClusterApi | None, context: Context) -> None:
    """For the policy fail: say which volumes there are, by the cluster's word if it gives it, and by their tags."""
    ids: list[str] = []
    if api:
        try:
            ids = [decide.volume_id(volume) for volume in api.list(VOLUME) if decide.is_provisioned_ebs(volume)]
        except (UnreachableError, RefusedError) as error:
            context.log(f"the API server does not list its volumes, so they are looked for by their tags: {error}")
    if found := volumes.undecided(owner, context.aws("ec2"), ids):
        raise ProviderError(
            f"volumes is fail and EKS cluster {owner.cluster} has {len(found)}, so nothing was deleted: "
            f"{'; '.join(found)}. Delete their claims, tag the volumes {KEEP}, or set volumes to delete or "
            "retain and run `pulumi up`; then destroy it."
        )


def _is_gone(thing: Thing, there: Mapping[str, Any], *, clean: bool) -> bool:
    """Whether nothing in AWS stands behind a stuck object any more."""
    return decide.volume_id(thing) not in there if thing.kind == VOLUME else clean
