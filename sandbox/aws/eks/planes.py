"""The control plane of each cluster, seen from the API: started with it, ended with it, told what is wanted.

A supervisor for each cluster (sandbox/kubernetes/supervisor.py) lies in <state>/kubernetes/<region>/<name>:
admin.kubeconfig, logs, keys and the processes' ids. Whoever speaks for the API server asks `POST
/_timonel/eks/<region>/<name>/authenticate`, the supervisor `…/sync`.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.aws.eks import checks, pool, tokens
from sandbox.aws.eks.errors import InvalidRequestError
from sandbox.aws.eks.model import REGIONS, Cluster, Content, Region
from sandbox.kubernetes import build
from sandbox.kubernetes.record import recorded
from sandbox.state import CHECKOUT, State, read_json, write_json

OFF_ENDPOINT = "https://127.0.0.1:9"
"""Where nobody listens (the discard port), for clusters without a control plane."""
OFF_AUTHORITY = base64.b64encode(b"no control plane: the sandbox was started with --no-kubernetes").decode()


class Planes:
    """Every control plane of this sandbox."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._supervisors: dict[Path, subprocess.Popen[bytes]] = {}

    @property
    def state(self) -> State:
        """The sandbox, which `serve` names before the first call.

        Raises:
            RuntimeError: it did not.
        """
        if self._state is None:
            raise RuntimeError("the API's process has not said which sandbox it is of")
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state

    def on(self) -> bool:
        """Whether clusters get a control plane: `up --no-kubernetes` says no."""
        return self._state is not None and self._state.read().get("kubernetes") is True

    def check(self) -> None:
        """Refuse a cluster whose control plane cannot start.

        Raises:
            InvalidRequestError: the programs are not built; says what to run.
        """
        if self.on() and not build.built():
            raise InvalidRequestError(
                f"the sandbox's Kubernetes {build.version()} is not built: run `python -m sandbox.kubernetes build` "
                "(minutes, once), or start the sandbox with `up --no-kubernetes`"
            )

    def _folder(self, region: Region, cluster: Cluster) -> Path:
        return self.state.folder / "kubernetes" / region.name / cluster.name

    def start(self, region: Region, cluster: Cluster) -> None:
        """Start a cluster's control plane; `sync` hears when it answers."""
        if not self.on():
            return
        folder = self._folder(region, cluster)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        write_json(
            folder / "spec.json",
            {
                "folder": str(folder),
                "name": cluster.name,
                "service_cidr": cluster.content["kubernetesNetworkConfig"]["serviceIpv4Cidr"],
                "issuer": cluster.private["issuer"],
                "api": f"{self.state.read()['endpoint']}/_timonel/eks/{region.name}/{cluster.name}",
            },
        )
        with (folder / "supervisor.log").open("ab") as log:
            self._supervisors[folder] = subprocess.Popen(
                [sys.executable, "-m", "sandbox.kubernetes.supervisor", str(folder / "spec.json")],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        cluster.private["plane"] = folder

    def advance(self, region: Region, cluster: Cluster) -> None:
        """One tick of a cluster that is being created."""
        folder = cluster.private.get("plane")
        answered = cluster.private.get("answered")
        if folder is None and cluster.due():
            answered = {"endpoint": OFF_ENDPOINT, "ca": OFF_AUTHORITY}
        elif folder is not None and not answered and self._supervisors[folder].poll() is not None:
            reason = cluster.private.get("failed") or f"its supervisor ended; see {folder / 'supervisor.log'}"
            cluster.content["health"] = {"issues": [{"code": "InternalFailure", "message": reason, "resourceIds": []}]}
            cluster.enter("FAILED")
        if answered:
            cluster.content["endpoint"] = answered["endpoint"]
            cluster.content["certificateAuthority"] = {"data": answered["ca"]}
            cluster.content["identity"] = {"oidc": {"issuer": cluster.private["issuer"]}}
            cluster.enter("ACTIVE")

    def stop(self, cluster: Cluster) -> bool:
        """Ask a cluster's control plane to end; True once it is gone with its folder."""
        folder = cluster.private.get("plane")
        if folder is None:
            return True
        supervisor = self._supervisors.get(folder)
        if supervisor is not None and supervisor.poll() is None:
            supervisor.terminate()
            return False
        self._supervisors.pop(folder, None)
        if any(process.alive() for process in recorded(folder)):
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True

    def reset(self) -> None:
        """End every control plane at once."""
        for folder, supervisor in self._supervisors.items():
            for process in recorded(folder):
                if process.alive():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
            supervisor.kill()
            supervisor.wait()
            shutil.rmtree(folder, ignore_errors=True)
        self._supervisors.clear()

    def sync(self, region: Region, cluster: Cluster, report: Content) -> Content:
        """Hear a supervisor; what it has to keep."""
        if report.get("failed"):
            cluster.private["failed"] = str(report["failed"])
            return {"nodes": [], "grants": []}
        cluster.private["answered"] = {"endpoint": report["endpoint"], "ca": report["ca"]}
        cluster.private["nodes"] = set(report.get("nodes") or [])
        grants = {
            (policy["policyArn"].rsplit("/", 1)[-1], namespace)
            for entry in cluster.access_entries.values()
            for policy in entry.private["policies"].values()
            for namespace in policy["accessScope"]["namespaces"]
        }
        found = [
            _node(region, group.content, i)
            for group in cluster.nodegroups.values()
            for i in pool.instances(region, group)
        ]
        return {"nodes": found, "grants": [{"policy": p, "namespace": n} for p, n in sorted(grants)]}

    def authenticate(self, cluster: Cluster, review: Content) -> Content:
        """Answer a TokenReview."""
        from sandbox.aws.eks.api import caller_of  # noqa: PLC0415 - it imports this module

        own = read_json(self.state.credentials)
        status: Content
        try:
            host = urlsplit(str(self.state.read()["endpoint"])).netloc
            token = str(review["spec"]["token"])
            access_key = tokens.caller(token, cluster.name, host, lambda key: tokens.secret_of(own, key))
            arn = caller_of(access_key)
            user = tokens.user(cluster, arn)
            if user is None:
                raise tokens.TokenError(f"no access entry of {cluster.name} names {arn}")
            status = {"authenticated": True, "user": user}
        except tokens.TokenError as error:
            status = {"error": str(error)}
        return {"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": {"authenticated": False, **status}}


def _node(region: Region, group: Content, instance: Any) -> Content:
    """An instance as its node is to be; see sandbox/kubernetes/nodes.py."""
    [kind] = checks.ec2(region.name).describe_instance_types([instance.instance_type])
    zone, arch = str(instance.placement.zone), pool.architecture(group["amiType"])
    labels = {
        "kubernetes.io/hostname": instance.private_dns_name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64" if arch == "x86_64" else arch,
        "node.kubernetes.io/instance-type": instance.instance_type,
        "topology.kubernetes.io/region": region.name,
        "topology.kubernetes.io/zone": zone,
        "eks.amazonaws.com/nodegroup": group["nodegroupName"],
        "eks.amazonaws.com/capacityType": group["capacityType"],
        "eks.amazonaws.com/nodegroup-image": instance.image_id,
        **group["labels"],
    }
    effects = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}
    return {
        "name": instance.private_dns_name,
        "provider_id": f"aws:///{zone}/{instance.id}",
        "address": instance.private_ip,
        "labels": labels,
        "taints": [
            {"key": t["key"], "effect": effects[t["effect"]], **({"value": t["value"]} if t.get("value") else {})}
            for t in group["taints"]
        ],
        "cpu": str(kind["VCpuInfo"]["DefaultVCpus"]),
        "memory": f"{kind['MemoryInfo']['SizeInMiB']}Mi",
        "version": f"v{group['releaseVersion'].split('-', 1)[0]}-eks-standin",
    }


def clusters() -> list[Content]:
    """Every cluster, for `status`."""
    return [
        {
            "cluster": cluster.name,
            "region": region.name,
            "version": cluster.version,
            "status": cluster.status,
            "endpoint": cluster.content.get("endpoint", ""),
            "control plane": "real" if cluster.private.get("plane") else "none (--no-kubernetes)",
            "nodes": len(cluster.private.get("nodes", ())),
        }
        for region in REGIONS.values()
        for cluster in region.clusters.values()
    ]


def answer(method: str, path: str, content: Any) -> Any:
    """The control API below `eks`: the list, or REGION/NAME/sync and REGION/NAME/authenticate.

    Raises:
        LookupError: no such path or cluster.
    """
    if method == "GET" and not path:
        return clusters()
    region, _, rest = path.partition("/")
    name, _, verb = rest.partition("/")
    where = REGIONS.get(region)
    cluster = where.clusters.get(name) if where else None
    if where is None or cluster is None:
        raise LookupError(f"no cluster {name} in {region}")
    if (method, verb) == ("POST", "sync"):
        try:
            return PLANES.sync(where, cluster, content)
        except KeyError as error:  # a LookupError would tell the supervisor that its cluster is gone
            raise ValueError(f"eks/{path}: no {error}") from error
    if (method, verb) == ("POST", "authenticate"):
        return PLANES.authenticate(cluster, content)
    raise LookupError(f"no {method} eks/{path}")


PLANES = Planes()
