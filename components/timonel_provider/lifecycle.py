"""The ends of a stack: when ``up`` may end, what ``destroy`` says first, and whether it may."""

from collections.abc import Mapping, Sequence

import pulumi

from components.timonel_provider.base import AwsAccessArgs, access_inputs


class ClosingMark(pulumi.CustomResource):
    """Tells the node agents that the cluster is being taken down, so that they let go of their instances.

    Deleting it writes the object ``closing`` into the state bucket; creating it removes a stale one. Let it depend on
    the groups and hooks: then ``destroy`` deletes it before it touches an instance.
    """

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        bucket: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the mark.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            bucket: name of the state bucket. A change replaces the mark (the old bucket gets ``closing``).
            opts: resource options.
        """
        super().__init__("timonel:index:ClosingMark", name, {**access_inputs(access), "bucket": bucket}, opts)


class Protection(pulumi.CustomResource):
    """Refuses ``destroy`` while enabled, naming the setting to change, before anything is deleted.

    Pulumi's own ``protect`` stops at the protected resource, when all that may go before it is gone. Let this depend on
    everything that must stay, and declare it also when it is not enabled: only an update can switch it off.
    """

    def __init__(self, name: str, *, enabled: bool, setting: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the protection.

        Args:
            name: logical name; Pulumi shows it when it refuses.
            enabled: whether to refuse.
            setting: what the user must set to false, in the user's words: ``timonel:protection``.
            opts: resource options.
        """
        super().__init__("timonel:index:Protection", name, {"enabled": enabled, "setting": setting}, opts)


class ReadyCluster(pulumi.CustomResource):
    """Ends ``up`` only when the expected nodes are healthy, several times in a row, and no instance refresh runs.

    It gives no data: nothing may take an output from it, since every update of it would make that output unknown in
    previews. It looks at ``managers/status.json`` in the state bucket and at the Auto Scaling groups.
    """

    def __init__(
        self,
        name: str,
        *,
        access: AwsAccessArgs,
        bucket: pulumi.Input[str],
        manager_groups: Sequence[pulumi.Input[str]],
        worker_groups: Sequence[pulumi.Input[str]],
        managers: int,
        triggers: Mapping[str, pulumi.Input[str]],
        timeout_seconds: int = 1800,
        consecutive: int = 3,
        interval_seconds: int = 10,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the gate.

        Args:
            name: logical name.
            access: region and credentials; see :class:`AwsAccessArgs`.
            bucket: name of the state bucket. A change replaces the gate.
            manager_groups: names of the managers' Auto Scaling groups.
            worker_groups: names of the workers' Auto Scaling groups; each node of their instances must be ready.
            managers: how many managers must be reachable.
            triggers: a change of any value makes ``up`` wait again: launch template versions, sizes.
            timeout_seconds: seconds until the wait fails with the reason. Default 1800.
            consecutive: looks in a row that must find everything healthy. Default 3.
            interval_seconds: seconds between two looks. Default 10.
            opts: resource options.
        """
        super().__init__(
            "timonel:index:ReadyCluster",
            name,
            {
                **access_inputs(access),
                "bucket": bucket,
                "managerGroups": list(manager_groups),
                "workerGroups": list(worker_groups),
                "managers": managers,
                "triggers": dict(triggers),
                "timeoutSeconds": timeout_seconds,
                "consecutive": consecutive,
                "intervalSeconds": interval_seconds,
            },
            opts,
        )
