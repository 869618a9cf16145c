"""EKS's operations on moto's dispatch, and what happens by itself on every tick."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.eks import urls
from moto.eks.responses import EKSResponse
from moto.sts.models import STSBackend, sts_backends

from sandbox.aws.eks import (
    access,
    addons,
    catalogue,
    checks,
    clusters,
    network,
    nodegroups,
    pod_identity,
    pool,
    tags,
    updates,
)
from sandbox.aws.eks.model import REGIONS, Cluster, Content, Params, Region, region
from sandbox.aws.eks.planes import PLANES

Operation = Callable[[Region, Params], Content]

OPERATIONS: dict[str, Operation] = {
    "DescribeCluster": clusters.describe,
    "ListClusters": clusters.list_all,
    "DeleteCluster": clusters.delete,
    "UpdateClusterVersion": clusters.update_version,
    "UpdateClusterConfig": clusters.update_config,
    "AssociateEncryptionConfig": clusters.associate_encryption,
    "DescribeClusterVersions": catalogue.describe_cluster_versions,
    "DescribeUpdate": updates.describe,
    "ListUpdates": updates.list_all,
    "CreateNodegroup": nodegroups.create,
    "DescribeNodegroup": nodegroups.describe,
    "ListNodegroups": nodegroups.list_all,
    "UpdateNodegroupConfig": nodegroups.update_config,
    "UpdateNodegroupVersion": nodegroups.update_version,
    "DeleteNodegroup": nodegroups.delete,
    "CreateAddon": addons.create,
    "DescribeAddon": addons.describe,
    "ListAddons": addons.list_all,
    "UpdateAddon": addons.update,
    "DeleteAddon": addons.delete,
    "DescribeAddonVersions": catalogue.describe_addon_versions,
    "DescribeAddonConfiguration": catalogue.describe_addon_configuration,
    "CreateAccessEntry": access.create,
    "DescribeAccessEntry": access.describe,
    "ListAccessEntries": access.list_all,
    "UpdateAccessEntry": access.update,
    "DeleteAccessEntry": access.delete,
    "ListAccessPolicies": access.policies,
    "AssociateAccessPolicy": access.associate,
    "ListAssociatedAccessPolicies": access.associated,
    "DisassociateAccessPolicy": access.disassociate,
    "CreatePodIdentityAssociation": pod_identity.create,
    "DescribePodIdentityAssociation": pod_identity.describe,
    "ListPodIdentityAssociations": pod_identity.list_all,
    "UpdatePodIdentityAssociation": pod_identity.update,
    "DeletePodIdentityAssociation": pod_identity.delete,
    "TagResource": tags.tag,
    "UntagResource": tags.untag,
    "ListTagsForResource": tags.list_all,
}
PATHS = ("/clusters/(?P<rest>.+)$", "/addons/(?P<rest>.+)$", "/cluster-versions$", "/access-policies$")
FARGATE = ("create_fargate_profile", "describe_fargate_profile", "list_fargate_profiles", "delete_fargate_profile")
_ASSUMED = re.compile(r"arn:[\w-]+:sts::(\d+):assumed-role/([^/]+)/.+")


def principal(caller: str) -> str:
    """The IAM principal behind a caller's ARN: the role of an assumed role, with its path."""
    match = _ASSUMED.fullmatch(caller)
    role = checks.role_named(match.group(2)) if match else None
    return str(role.arn) if role else caller


def _identity(self: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
    """GetCallerIdentity: the sandbox's own user as the journal names it, where moto says sts::...:user/moto."""
    user, arn, account = _ORIGINAL["identity"](self, access_key_id, region)
    return (user, checks.OWN_USER, account) if arn.endswith(":user/moto") else (user, arn, account)


def caller_of(access_key: str) -> str:
    """The ARN of who holds an access key."""
    return str(sts_backends[DEFAULT_ACCOUNT_ID]["aws"].get_caller_identity(access_key, "us-east-1")[1])


def _begin(self: EKSResponse) -> None:
    """EKSResponse's constructor, with parameters read by the API's model."""
    _ORIGINAL["init"](self)
    self.automated_parameter_parsing = True


def _params(response: Any) -> dict[str, Any]:
    """Parameters of a request, those of its path too."""
    return {**response.uri_match, **response.params}


def _operation(function: Operation) -> Callable[[Any], ActionResult]:
    def call(self: Any) -> ActionResult:
        return ActionResult(function(region(self.region), _params(self)))

    return call


def _create_cluster(self: Any) -> ActionResult:
    where, params = region(self.region), _params(self)
    PLANES.check()
    cluster = clusters.create(where, params)
    given = params.get("accessConfig") or {}
    if given.get("bootstrapClusterCreatorAdminPermissions") is not False:
        access.enter_creator(where, cluster, principal(caller_of(self.get_access_key())))
    PLANES.start(where, cluster)
    return ActionResult({"cluster": cluster.content})


def tick() -> None:
    """One tick of every cluster."""
    for where in list(REGIONS.values()):
        for cluster in list(where.clusters.values()):
            _advance(where, cluster)
    network.flush()


def _advance(where: Region, cluster: Cluster) -> None:
    if cluster.status == "CREATING":
        PLANES.advance(where, cluster)
    if cluster.status == "DELETING":
        if cluster.due() and PLANES.stop(cluster):
            network.remove(where, cluster)
            del where.clusters[cluster.name]
        return
    network.write_logs(where, cluster)
    nodegroups.advance(where, cluster)
    busy = frozenset(n for n, g in cluster.nodegroups.items() if pool.rolling(where, g))
    updates.advance(cluster, busy)
    addons.advance(cluster)


def reset() -> None:
    """No clusters at all."""
    PLANES.reset()
    REGIONS.clear()
    network.reset()


_ORIGINAL: dict[str, Any] = {}


def install() -> None:
    """Put the operations in place of moto's. Idempotent."""
    if _ORIGINAL:
        return
    _ORIGINAL["identity"] = STSBackend.get_caller_identity
    STSBackend.get_caller_identity = _identity  # type: ignore[method-assign]
    for path in PATHS:
        urls.url_paths["{0}" + path] = urls.response.dispatch
    _ORIGINAL["init"] = EKSResponse.__init__
    EKSResponse.__init__ = _begin  # type: ignore[method-assign]
    for name in FARGATE:
        delattr(EKSResponse, name)
    EKSResponse.create_cluster = _create_cluster  # type: ignore[method-assign]
    for name, function in OPERATIONS.items():
        setattr(EKSResponse, camelcase_to_underscores(name), _operation(function))
