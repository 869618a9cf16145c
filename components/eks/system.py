"""EksSystem: what an EKS cluster holds inside from the start, and how it is left."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components import tags
from components.eks import checks
from components.eks.args import EksSystemArgs, VolumePolicy
from components.timonel_provider import EksTeardown

STORAGE_CLASS = "gp3"
_DRIVER = "ebs.csi.aws.com"
_AUTO_MODE_DRIVER = "ebs.csi.eks.amazonaws.com"
"""Source: Amazon EKS User Guide, "Create a storage class" (Auto Mode)."""


class EksSystem(pulumi.ComponentResource):
    """The default StorageClass, and the teardown that removes what controllers made.

    Give it the cluster's Kubernetes provider, and ``depends_on`` the network: load balancers go while the subnets'
    routes still work. What is put into the cluster later needs no more care: the teardown looks into it itself.
    """

    storage_class: pulumi.Output[str]
    """Name of the default StorageClass; empty without."""

    def __init__(
        self,
        name: str,
        args: EksSystemArgs,
        lifeline: pulumi.Resource,
        ready: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make what the cluster holds.

        Args:
            name: logical name.
            args: see :class:`EksSystemArgs`.
            lifeline: the cluster's; what is inside goes with it, without asking its API. (In ``opts`` the teardown
                would inherit that, and not run.)
            ready: the cluster's; the teardown goes before all of them.
            opts: resource options; a Kubernetes provider among ``providers``.

        Raises:
            InputError: an argument that cannot work, before any child is registered.
        """
        checks.check_system(args)
        super().__init__("timonel:index:EksSystem", name, {}, opts)
        self._name = name
        self._args = args
        inside = self._create_storage_class(lifeline, ready)
        EksTeardown(
            f"{name}-teardown",
            access=args["access"],
            cluster_name=args["cluster_name"],
            vpc_id=args["vpc_id"],
            volumes=VolumePolicy(args.get("volumes", VolumePolicy.DELETE)).value,
            timeout_seconds=int(args.get("teardown_timeout_seconds", 900)),
            # Said here and not of the component only: it must be deleted before all of these.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*ready, *inside]),
        )
        self.storage_class = pulumi.Output.from_input(STORAGE_CLASS if inside else "")
        self.register_outputs({"storage_class": self.storage_class})

    def _create_storage_class(
        self, lifeline: pulumi.Resource, ready: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        if not self._args.get("enable_storage_class", True):
            return []
        made = kubernetes.storage.v1.StorageClass(
            f"{self._name}-{STORAGE_CLASS}",
            metadata={
                "name": STORAGE_CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            provisioner=_AUTO_MODE_DRIVER if self._args.get("enable_auto_mode", False) else _DRIVER,
            # Auto Mode's managed policies do not allow tags of ours on volumes (EKS User Guide, "Auto Mode cluster IAM
            # role"): a claim would wait for ever. Its own tags tell whose they are.
            parameters=parameters({} if self._args.get("enable_auto_mode", False) else tags.common({})),
            # A volume lies in one zone: it is made when the pod's is known.
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            reclaim_policy="Delete",
            opts=pulumi.ResourceOptions(parent=self, deleted_with=lifeline, depends_on=ready),
        )
        return [made]


def parameters(volume_tags: Mapping[str, str]) -> dict[str, str]:
    """Parameters of the StorageClass; the driver tags each volume, so that a stack's are found.

    Not with the user's tags: parameters cannot change, so another tag would replace the class.

    Source: the EBS CSI driver's documentation, "CreateVolume (StorageClass) Parameters".
    """
    numbered = enumerate(sorted(volume_tags.items()), start=1)
    tagged = {f"tagSpecification_{number}": f"{key}={value}" for number, (key, value) in numbered}
    return {"type": "gp3", "encrypted": "true", **tagged}
