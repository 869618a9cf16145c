"""What EKS keeps: clusters with all that belongs to them, in the words of the API's answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.utilities.utils import get_partition

from sandbox.aws.eks.errors import InvalidRequestError, ResourceInUseError, ResourceNotFoundError
from sandbox.aws.world import WORLD

Params = Mapping[str, Any]
"""Parameters of a request by their names in the API."""

Content = dict[str, Any]
"""One object as the API shows it."""


@dataclass
class Resource:
    """One object of the API.

    Attributes:
        content: as Describe shows it.
        since: monotonic time of the last change of its status.
        private: what the model needs and the API does not show.
    """

    content: Content
    since: float = field(default_factory=time.monotonic)
    private: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """Its status; "" for kinds that have none."""
        return str(self.content.get("status", ""))

    def enter(self, status: str) -> None:
        """Set the status."""
        self.content["status"] = status
        self.since = time.monotonic()

    @property
    def passing(self) -> float:
        """Seconds in this status."""
        return time.monotonic() - self.since

    def due(self) -> bool:
        """Whether a passing status has lasted as long as it does here."""
        return self.passing >= WORLD.settings.transition

    def touch(self) -> None:
        """Note a change."""
        self.content["modifiedAt"] = now()


@dataclass
class Update:
    """One update of a cluster, a node group or an add-on.

    Attributes:
        content: as DescribeUpdate shows it.
        of: the node group or add-on; "" for the cluster.
        apply: what happens when it is done.
    """

    content: Content
    of: str = ""
    apply: Callable[[], None] | None = None
    since: float = field(default_factory=time.monotonic)

    @property
    def running(self) -> bool:
        """Whether it is not over."""
        return bool(self.content["status"] == "InProgress")


@dataclass
class Cluster(Resource):
    """A cluster with what belongs to it, each kind by the key that its path names."""

    nodegroups: dict[str, Resource] = field(default_factory=dict)
    addons: dict[str, Resource] = field(default_factory=dict)
    access_entries: dict[str, Resource] = field(default_factory=dict)
    pod_identities: dict[str, Resource] = field(default_factory=dict)
    updates: dict[str, Update] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.content["name"])

    @property
    def version(self) -> str:
        """Its Kubernetes version, as 1.35."""
        return str(self.content["version"])

    def resources(self) -> Iterator[Resource]:
        """Itself and everything in it that has an ARN."""
        yield self
        for kind in (self.nodegroups, self.addons, self.access_entries, self.pod_identities):
            yield from kind.values()

    def must_be_active(self) -> None:
        """Refuse what AWS allows for a settled cluster only.

        Raises:
            InvalidRequestError: it is being created or deleted.
            ResourceInUseError: an update runs.
        """
        if self.status == "UPDATING":
            raise ResourceInUseError(f"Cluster {self.name} currently has an update in progress")
        if self.status != "ACTIVE":
            raise InvalidRequestError(f"Cluster '{self.name}' is not in ACTIVE status")


@dataclass
class Region:
    """EKS of one region."""

    name: str
    clusters: dict[str, Cluster] = field(default_factory=dict)

    @property
    def partition(self) -> str:
        """aws, aws-cn, ..."""
        return get_partition(self.name)

    def arn(self, resource: str) -> str:
        """The ARN of `cluster/name` and the like."""
        return f"arn:{self.partition}:eks:{self.name}:{DEFAULT_ACCOUNT_ID}:{resource}"

    def cluster(self, name: Any) -> Cluster:
        """A cluster by name.

        Raises:
            ResourceNotFoundError: there is none.
        """
        if name not in self.clusters:
            raise ResourceNotFoundError(f"No cluster found for name: {name}.")
        return self.clusters[name]


REGIONS: dict[str, Region] = {}


def region(name: str) -> Region:
    """EKS of a region."""
    return REGIONS.setdefault(name, Region(name))


def now() -> datetime:
    """The time, as the API writes it: whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def start_update(
    cluster: Cluster, kind: str, params: Content, apply: Callable[[], None] | None = None, of: str = ""
) -> Content:
    """Begin an update that is done after `Settings.transition`; its content.

    Args:
        cluster: to which it belongs.
        kind: UpdateType, as VersionUpdate.
        params: UpdateParamType -> value.
        apply: what happens then.
        of: node group or add-on.
    """
    shown = [{"type": name, "value": str(value)} for name, value in params.items()]
    content = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": shown,
        "createdAt": now(),
        "errors": [],
    }
    cluster.updates[str(content["id"])] = Update(content, of, apply)
    return content


def page(names: list[str], params: Params, key: str) -> Content:
    """A page of a list of names, as {key: names, nextToken}."""
    ordered = sorted(names)
    start = int(params.get("nextToken") or 0)
    end = start + int(params.get("maxResults") or 100)
    return {key: ordered[start:end], **({"nextToken": str(end)} if end < len(ordered) else {})}
