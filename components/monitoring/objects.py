"""Cluster-scoped objects of a swarm: files for services, and the services. Nothing here belongs to one node.

The Docker API is behind a load balancer, so each call may reach another manager.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_docker as docker

NOBODY = "65534"


@dataclass(frozen=True)
class Files:
    """What a service finds in its file system: configs and secrets, mounted at start."""

    configs: list[dict[str, Any]] = field(default_factory=list)
    secrets: list[dict[str, Any]] = field(default_factory=list)


class Swarm:
    """Makes objects in a swarm as children of one component."""

    def __init__(self, name: str, child: pulumi.ResourceOptions) -> None:
        """Args:
        name: logical name that every object's starts with.
        child: options of every object.
        """
        self._name = name
        self._child = child

    def network(self, suffix: str) -> docker.Network:
        """An overlay network for the services alone."""
        return docker.Network(f"{self._name}-{suffix}", driver="overlay", opts=self._child)

    def files(
        self,
        service: str,
        configs: Mapping[str, pulumi.Input[str]],
        secrets: Mapping[str, pulumi.Input[str]],
        user: str = "0",
    ) -> Files:
        """Files of a service.

        Args:
            service: suffix of the service.
            configs: text by path.
            secrets: text by name below ``/run/secrets``; readable by ``user`` only.
            user: number of the user that the service runs as.
        """
        return Files(
            [self._config(service, path, text) for path, text in configs.items()],
            [self._secret(service, name, text, user) for name, text in secrets.items()],
        )

    def service(
        self,
        suffix: str,
        *,
        image: str,
        args: Sequence[pulumi.Input[str]],
        command: Sequence[str] = (),
        mounts: Sequence[Mapping[str, Any]],
        memory_mib: int,
        files: Files | None = None,
        replicas: int | None = None,
        network: pulumi.Input[str] | None = None,
        port: int | None = None,
        constraints: Sequence[str] = (),
        environment: Mapping[str, pulumi.Input[str]] | None = None,
        user: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> docker.Service:
        """A service.

        Args:
            suffix: what it is called after the component's name.
            image: its image.
            args: arguments of the image's program.
            command: another program of the image than its entry point.
            mounts: volumes and folders of the node.
            memory_mib: limit, MiB.
            files: what :meth:`files` gave.
            replicas: how many, one on a node at most; None: one on every node.
            network: overlay network; None: the node's own network.
            port: published on the nodes that run it (host mode: no ingress mesh).
            constraints: which nodes.
            environment: variables.
            user: ``UID:GID``; default: the image's.
            opts: options besides the child's.
        """
        files = files or Files()
        name = f"{self._name}-{suffix}"
        is_global = replicas is None
        container: dict[str, Any] = {
            "image": image,
            "commands": list(command),
            "args": list(args),
            "mounts": list(mounts),
            "configs": files.configs,
            "secrets": files.secrets,
            "env": environment,
            "user": user,
            "stop_grace_period": "30s",
        }
        task: Any = {
            "container_spec": {key: value for key, value in container.items() if value},
            "networks_advanceds": [{"id": network if network is not None else "host"}],
            "resources": {"limits": {"memory_bytes": memory_mib * 1024**2}},
            "restart_policy": {"condition": "any", "delay": "5s"},
            "placement": {"constraints": list(constraints), **({} if is_global else {"max_replicas": 1})},
        }
        published: Any = {"target_port": port, "published_port": port, "publish_mode": "host", "protocol": "tcp"}
        mode: Any = {"global_": True} if is_global else {"replicated": {"replicas": replicas}}
        return docker.Service(
            name,
            name=name,  # the other services find it by this name
            mode=mode,
            task_spec=task,
            endpoint_spec={"ports": [published]} if port else None,
            # A volume and a host port have one user at a time.
            update_config={"parallelism": 1, "order": "stop-first", "failure_action": "pause"},
            converge_config=None if is_global else {"delay": "1s", "timeout": "5m"},
            opts=pulumi.ResourceOptions.merge(self._child, opts),
        )

    def _config(self, service: str, path: str, text: pulumi.Input[str]) -> dict[str, Any]:
        name = f"{self._name}-{service}-{_stem(path)}"
        content = pulumi.Output.from_input(text)
        # Docker never changes a config: another content is another one, by name, and the service rolls over to it.
        made = docker.ServiceConfig(
            name,
            name=content.apply(lambda known: f"{name}-{hashlib.sha256(known.encode()).hexdigest()[:12]}"),
            data=content.apply(_encoded),
            opts=self._child,
        )
        return {"config_id": made.id, "config_name": made.name, "file_name": path}

    def _secret(self, service: str, file_name: str, text: pulumi.Input[str], user: str) -> dict[str, Any]:
        # Its name is Pulumi's, since a hash of the content would say something about a secret.
        made = docker.Secret(
            f"{self._name}-{service}-{_stem(file_name)}",
            data=pulumi.Output.secret(text).apply(_encoded),
            opts=self._child,
        )
        return {
            "secret_id": made.id,
            "secret_name": made.name,
            "file_name": file_name,
            "file_uid": user,
            "file_gid": user,
            "file_mode": 0o400,
        }


def volume(name: str, target: str, *, goes: bool = False) -> dict[str, Any]:
    """A local volume, made on each manager where the service first runs.

    Args:
        name: of the volume.
        target: where the service finds it.
        goes: the manager's agent removes it when no service mounts it any more (``node_agent.volumes``); else it is
            kept.
    """
    labels = {"volume_options": {"labels": [{"label": "timonel.unused", "value": "remove"}]}} if goes else {}
    return {"type": "volume", "source": name, "target": target, **labels}


def folder(source: str, target: str, propagation: str | None = None) -> dict[str, Any]:
    """A folder of the node, read-only."""
    options = {"bind_options": {"propagation": propagation}} if propagation else {}
    return {"type": "bind", "source": source, "target": target, "read_only": True, **options}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0] if path.startswith("/") else path.replace(".", "-")
