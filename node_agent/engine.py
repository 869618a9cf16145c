"""The swarm as the local dockerd has it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from node_agent.config import AgentConfig
from node_agent.docker_api import ApiError, DockerApi, name
from node_agent.ports import AwayError, Identity, Node, NoLeaderError, Service, SwarmError, SwarmState, Tokens

PORT = 2377
JOIN_TIMEOUT = 30.0
"""dockerd itself gives up on a join after 20 s (and goes on in the background)."""
INSTANCE = "timonel.instance"
ZONE = "timonel.zone"
SEALED = "timonel.sealed"
"""Label of the manager that took the last snapshot: when."""
JOBS = {"ReplicatedJob", "GlobalJob"}


class DockerSwarm:
    """Swarm operations by the Engine API."""

    def __init__(self, api: DockerApi, config: AgentConfig, me: Identity) -> None:
        self._api, self._config, self._me = api, config, me

    def state(self) -> SwarmState:
        """``docker info``."""
        swarm = self._ask(lambda: self._api.call("GET", "/info", timeout=30.0))["Swarm"]
        remotes = tuple((r["NodeID"], _address(r["Addr"])) for r in swarm.get("RemoteManagers") or ())
        swarm_id = (swarm.get("Cluster") or {}).get("ID") or None
        return SwarmState(
            swarm["LocalNodeState"] or "inactive", swarm.get("NodeID") or "", swarm_id,
            bool(swarm.get("ControlAvailable")), remotes, swarm.get("Error") or "",
        )  # fmt: skip

    def nodes(self) -> list[Node]:
        """``docker node ls``."""
        return [_node(raw) for raw in self._led(lambda: self._api.call("GET", "/nodes"))]

    def init(self, force: bool = False) -> None:
        """``docker swarm init``."""
        config = self._config
        body = {
            "ListenAddr": f"0.0.0.0:{PORT}", "AdvertiseAddr": f"{self._me.address}:{PORT}",
            "ForceNewCluster": force, "AutoLockManagers": config.autolock,
            "DefaultAddrPool": list(config.address_pools), "SubnetSize": config.address_pool_prefix,
            "Spec": {"EncryptionConfig": {"AutoLockManagers": config.autolock}},
        }  # fmt: skip
        if force:
            body = {k: v for k, v in body.items() if k not in {"DefaultAddrPool", "SubnetSize"}}
        self._ask(lambda: self._api.call("POST", "/swarm/init", body=body, timeout=90.0))

    def join(self, token: str, managers: list[str]) -> None:
        """``docker swarm join``, one manager after the other."""
        said = ["no manager is known"] if not managers else []
        for address in managers:
            body = {
                "ListenAddr": f"0.0.0.0:{PORT}", "AdvertiseAddr": f"{self._me.address}:{PORT}",
                "RemoteAddrs": [f"{address}:{PORT}"], "JoinToken": token,
            }  # fmt: skip
            try:
                self._api.call("POST", "/swarm/join", body=body, timeout=JOIN_TIMEOUT)
                return
            except (ApiError, AwayError) as error:
                said.append(f"{address}: {error}")
            self.leave(force=True)
        raise SwarmError("; ".join(said).replace(token, "***"))

    def leave(self, force: bool) -> None:
        """``docker swarm leave``."""
        try:
            self._api.call("POST", "/swarm/leave", {"force": force}, timeout=60.0)
        except ApiError as error:
            if "not part of a swarm" not in str(error):
                raise SwarmError(str(error)) from error

    def unlock(self, key: str) -> None:
        """``docker swarm unlock``."""
        self._ask(lambda: self._api.call("POST", "/swarm/unlock", body={"UnlockKey": key}, timeout=60.0))

    def tokens(self) -> Tokens:
        """The swarm's own tokens."""
        swarm = self._led(lambda: self._api.call("GET", "/swarm"))
        unlock = None
        if swarm["Spec"].get("EncryptionConfig", {}).get("AutoLockManagers"):
            unlock = self._led(lambda: self._api.call("GET", "/swarm/unlockkey"))["UnlockKey"]
        return Tokens(swarm["JoinTokens"]["Manager"], swarm["JoinTokens"]["Worker"], unlock)

    def rotate(self) -> None:
        """New join tokens."""
        swarm = self._led(lambda: self._api.call("GET", "/swarm"))
        query = {"version": swarm["Version"]["Index"], "rotateWorkerToken": True, "rotateManagerToken": True}
        self._led(lambda: self._api.call("POST", "/swarm/update", query, swarm["Spec"]))

    def demote(self, node: str) -> None:
        """``docker node demote``."""
        self._change(node, {"Role": "worker"})

    def remove(self, node: str) -> None:
        """``docker node rm --force``; a node that is away already is fine."""
        try:
            self._led(lambda: self._api.call("DELETE", f"/nodes/{name(node)}", {"force": True}))
        except SwarmError as error:
            if "not found" not in str(error):
                raise

    def drain(self, node: str) -> None:
        """``docker node update --availability drain``."""
        self._change(node, {"Availability": "drain"})

    def label(self, node: str, labels: dict[str, str]) -> None:
        """Sets the node's labels."""
        self._change(node, {"Labels": labels})

    def seal(self) -> None:
        """One more entry in the raft log, which makes all before it part of a copy of the disk.

        That the last entry is committed, raft writes to its log with the next one only (etcd's WAL keeps a bare commit
        index in memory), and ``--force-new-cluster`` throws away what is not known to be committed: seen as the loss of
        the last write before a snapshot. The entry is a label of this node. Without a leader nothing can be written.
        """
        with contextlib.suppress(NoLeaderError, SwarmError):
            node = self.state().node_id
            if node:
                found = self._led(lambda: self._api.call("GET", f"/nodes/{name(node)}"))
                self.label(node, {**(found["Spec"].get("Labels") or {}), SEALED: f"{time.time():.3f}"})

    def running(self, node: str) -> int:
        """Tasks that run on a node."""
        tasks = self._led(lambda: self._api.call("GET", "/tasks", {"filters": {"node": [node]}}))
        return sum(task["Status"]["State"] == "running" for task in tasks)

    def local_tasks(self) -> int:
        """The swarm's containers on this node."""
        query = {"filters": {"label": ["com.docker.swarm.task"]}}
        return len(self._ask(lambda: self._api.call("GET", "/containers/json", query)))

    def services(self) -> list[Service]:
        """``docker service ls``: what each shall have and has (API 1.41 and newer; jobs, which end, are left out)."""
        found = self._led(lambda: self._api.call("GET", "/services", {"status": True}))
        counted = [(raw["Spec"]["Name"], raw["ServiceStatus"]) for raw in found
                   if raw.get("ServiceStatus") and not raw["Spec"].get("Mode", {}).keys() & JOBS]  # fmt: skip
        return [Service(name, int(told["DesiredTasks"]), int(told["RunningTasks"])) for name, told in counted]

    def labelled_volumes(self, label: str, value: str) -> list[str]:
        """``docker volume ls --filter label=...``: of this node."""
        query = {"filters": {"label": [f"{label}={value}"]}}
        found = self._ask(lambda: self._api.call("GET", "/volumes", query))
        return [volume["Name"] for volume in found.get("Volumes") or ()]

    def mounted_volumes(self) -> set[str]:
        """Volumes that any service of the swarm mounts."""
        found = self._led(lambda: self._api.call("GET", "/services"))
        specs = [raw["Spec"]["TaskTemplate"].get("ContainerSpec") or {} for raw in found]
        mounts = [mount for spec in specs for mount in spec.get("Mounts") or ()]
        return {mount["Source"] for mount in mounts if mount["Type"] == "volume" and mount.get("Source")}

    def remove_volume(self, volume: str) -> bool:
        """``docker volume rm``; False while a container has it."""
        try:
            self._api.call("DELETE", f"/volumes/{name(volume)}")
        except ApiError as error:
            if error.status not in {404, 409}:
                raise SwarmError(str(error)) from error
            return error.status == 404
        return True

    def engine(self) -> str:
        """Version of dockerd."""
        return str(self._ask(lambda: self._api.call("GET", "/version"))["Version"])

    def raft_address(self) -> str:
        """The address that this member has in the raft: it may be another than its own after a restore."""
        state = self.state()
        with contextlib.suppress(NoLeaderError):
            own = next((n for n in self.nodes() if n.id == state.node_id and n.address), None)
            if own:
                return own.address
        return next((address for node, address in state.remotes if node == state.node_id), self._me.address)

    def _change(self, node: str, changes: dict[str, Any]) -> None:
        found = self._led(lambda: self._api.call("GET", f"/nodes/{name(node)}"))
        spec = {**found["Spec"], **changes}
        if spec != found["Spec"]:
            query = {"version": found["Version"]["Index"]}
            self._led(lambda: self._api.call("POST", f"/nodes/{name(node)}/update", query, spec))

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ApiError as error:
            raise SwarmError(str(error)) from error

    def _led(self, call: Callable[[], Any]) -> Any:
        """A request that needs the swarm's leader: a time-out or a 503 means that there is none."""
        try:
            return call()
        except ApiError as error:
            words = str(error)
            if error.status == 503 or "does not have a leader" in words or "DeadlineExceeded" in words:
                raise NoLeaderError(words) from error
            raise SwarmError(words) from error
        except AwayError as error:
            if "timed out" in str(error):
                raise NoLeaderError(str(error)) from error
            raise


def _node(raw: dict[str, Any]) -> Node:
    spec: dict[str, Any] = raw["Spec"]
    description: dict[str, Any] = raw.get("Description") or {}
    status: dict[str, Any] = raw.get("Status") or {}
    manager: dict[str, Any] | None = raw.get("ManagerStatus")
    engine = (description.get("Engine") or {}).get("Labels") or {}
    address = _address(manager["Addr"]) if manager and manager.get("Addr") else status.get("Addr", "")
    return Node(
        raw["ID"], description.get("Hostname") or "", spec.get("Role", "worker"), status.get("State") == "ready",
        spec.get("Availability", "active"), address, manager is not None,
        bool(manager and manager.get("Reachability") == "reachable"), bool(manager and manager.get("Leader")),
        engine.get(INSTANCE, ""), engine.get(ZONE, ""), spec.get("Labels") or {}, engine,
    )  # fmt: skip


def _address(host_port: str) -> str:
    return host_port.rsplit(":", 1)[0].strip("[]")
