"""The part inside the cluster: its objects are deleted while the controllers that know their cloud things still run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from provider.eks_teardown import decide
from provider.eks_teardown.kubernetes import ClusterApi, RefusedError, UnreachableError
from provider.eks_teardown.objects import (
    CLAIM,
    GATEWAY,
    INGRESS,
    MUTATING,
    NODE_CLAIM,
    NODE_CLASS,
    NODE_POOL,
    POD,
    SERVICE,
    VALIDATING,
    VOLUME,
    Kind,
    Thing,
)
from provider.eks_teardown.pace import Pace
from provider.eks_teardown.report import Report

PATIENCE = 1 / 3
"""Share of the whole time that controllers get for one step; the rest is for what they did not do."""
CONTACT = 1 / 15
"""Share that an API server gets which does not answer at all: a minute by default, as for a moved endpoint's DNS."""
FORBIDDEN = 403
DEEPEST_OWNER = 8
"""Owners above a pod that are followed; a chain in the wild has three (pod, ReplicaSet, Deployment) or four."""


@dataclass
class Outcome:
    """What the sweep in AWS must know of the cluster."""

    kept: list[decide.Kept] = field(default_factory=list)
    doomed: dict[str, str] = field(default_factory=dict)
    """Ids of EBS volumes whose PersistentVolume says Delete, with its name."""
    stuck: list[Thing] = field(default_factory=list)
    """Objects that wait for a finalizer that nobody takes off."""


class InCluster:
    """The steps, in their order. All may be run again."""

    def __init__(self, api: ClusterApi, policy: str, pace: Pace, report: Report) -> None:
        self.api = api
        self.policy = policy
        self.pace = pace
        self.report = report
        self.outcome = Outcome()
        self._asked: set[str] = set()

    def run(self) -> Outcome:
        """Webhooks, then what stands for load balancers and volumes, then Karpenter's nodes (its pods and the other
        controllers may run on them).

        Raises:
            UnreachableError: the API server stopped answering for good.
        """
        self._contact()
        self._step("load balancers and volumes", self._balancers_and_volumes)
        self._step("Karpenter's nodes", self._karpenter)
        return self.outcome

    def let_go(self, gone: Callable[[Thing], bool]) -> None:
        """Take the cloud's finalizers off stuck objects whose cloud thing is gone, so that nothing waits for them."""
        for thing in self.outcome.stuck:
            others = decide.finalizers_left(thing)
            dropped = [name for name in thing.finalizers if name not in others]
            if not (dropped and gone(thing)):
                self.report.leave(thing.label, f"still waits for {', '.join(thing.finalizers) or 'its deletion'}")
                continue
            try:
                self.api.patch(thing, {"metadata": {"finalizers": others}})
                if not thing.deleting:
                    # A released volume, which its provisioner deletes only after the disk.
                    self.api.delete(thing)
            except (RefusedError, UnreachableError) as error:
                self.report.leave(thing.label, str(error))
                continue
            self.report.note(f"{thing.label} was stuck: no controller took off {', '.join(dropped)}, so this did")
            if held := [name for name in others if name not in decide.PROTECTION]:
                self.report.leave(thing.label, f"still waits for {', '.join(held)}")
            else:
                self.report.remove(thing.label)

    def _contact(self) -> None:
        """Wait a little for the API server to answer at all."""
        until = self.pace.part(CONTACT)
        while True:
            try:
                self.api.get("/version")
            except RefusedError as error:
                raise UnreachableError(
                    f"it does not let these credentials in ({error}); is there an access entry?"
                ) from error
            except UnreachableError:
                if self.pace.waited >= until:
                    raise
            else:
                return
            self.pace.say("waiting for the cluster's API server to answer")
            self.pace.rest()

    def _step(self, what: str, look: Callable[[], list[Thing]]) -> None:
        """Look, delete, wait, until nothing is left or the patience ends."""
        until = self.pace.part(PATIENCE)
        seen: dict[str, Thing] = {}
        while True:
            trouble = ""
            try:
                self._webhooks()
                there = {thing.label: thing for thing in look()}
            except UnreachableError as error:
                if self.pace.waited >= until:
                    raise
                trouble, there = f"the API server does not answer: {error}", dict(seen)
            except RefusedError as error:
                trouble, there = f"the API server refuses: {error}", dict(seen)
            for label in seen.keys() - there.keys():
                self.report.remove(label)
            seen = there
            if not there and not trouble:
                return
            if self.pace.waited >= until:
                self.outcome.stuck += there.values()
                if trouble:
                    self.report.note(trouble)
                return
            self.pace.say(trouble or f"waiting for {what}: {', '.join(sorted(there))}")
            self.pace.rest()

    def _webhooks(self) -> None:
        """Every time, since some operators write theirs again."""
        for thing in decide.blocking_webhooks([*self._list(VALIDATING), *self._list(MUTATING)]):
            if self._delete(thing):
                self.report.remove(thing.label)

    def _balancers_and_volumes(self) -> list[Thing]:
        exposed = decide.exposed(self._list(SERVICE), self._list(INGRESS), self._list(GATEWAY))
        storage = decide.judge_storage(self._list(VOLUME), self._list(CLAIM), self.policy)
        self._note(storage)
        for thing in [*exposed, *storage.delete]:
            self._delete(thing)
        claims = [thing for thing in storage.delete if thing.kind == CLAIM]
        if claims:
            self._end_users(claims)
        return [*exposed, *storage.delete, *storage.wait]

    def _note(self, storage: decide.Storage) -> None:
        known = {one.volume_id for one in self.outcome.kept}
        # The first reason is the true one: a volume that was made safe says Retain on the next look.
        self.outcome.kept += [one for one in storage.kept if one.volume_id not in known]
        going = [thing for thing in [*storage.delete, *storage.wait] if thing.kind == VOLUME]
        self.outcome.doomed |= {decide.volume_id(thing): thing.name for thing in going}
        for thing in storage.secure:
            self.api.patch(thing, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
        for thing in storage.foreign:
            driver = (thing.spec.get("csi") or {}).get("driver", "no CSI driver")
            self.report.keep(thing.label, f"not an EBS volume that the cluster made ({driver}); not touched")

    def _end_users(self, claims: list[Thing]) -> None:
        """Delete what mounts the claims. Deleted, not evicted: a disruption budget has nothing to protect any more."""
        for pod in decide.users_of(claims, self._list(POD)):
            if pod.deleting:
                continue
            top = self._top_owner(pod)
            if top.label != pod.label and self._delete(top):
                self.report.note(f"{top.label} was deleted: its pods used a volume that goes")
            self._delete(pod)

    def _top_owner(self, thing: Thing) -> Thing:
        """Who would make the pod anew: deleting less than that brings it back."""
        for _ in range(DEEPEST_OWNER):
            owner = self.api.owner(thing)
            if owner is None:
                break
            thing = owner
        return thing

    def _karpenter(self) -> list[Thing]:
        pools = decide.karpenter_pools(self._list(NODE_POOL))
        claims = decide.karpenter_claims(self._list(NODE_CLAIM))
        # A class holds its instance profile and launch templates until the last node is gone.
        classes = self._list(NODE_CLASS) if not (pools or claims) else []
        for thing in [*pools, *claims, *classes]:
            self._delete(thing)
        return [*pools, *claims, *classes]

    def _list(self, kind: Kind) -> list[Thing]:
        try:
            return self.api.list(kind)
        except RefusedError as error:
            if error.status != FORBIDDEN:
                raise
            self.report.note(f"{kind.plural} could not be listed: {error}")
            return []

    def _delete(self, thing: Thing) -> bool:
        """Ask once for each object; a refusal (a webhook that is still in force) is tried again on the next look."""
        key = f"{thing.label} {thing.metadata.get('uid', '')}"
        if thing.deleting or key in self._asked:
            return False
        try:
            self.api.delete(thing)
        except RefusedError as error:
            self.report.leave(thing.label, str(error))
            return False
        self._asked.add(key)
        return True
