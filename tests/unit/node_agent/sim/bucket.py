"""S3 with ETags and Secrets Manager, as an agent calls them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from node_agent.ports import (
    AwayError,
    ConflictError,
    Versioned,
)
from node_agent.records import RECORD, STATUS
from tests.unit.node_agent.sim.parts import Host, Process
from tests.unit.node_agent.sim.promises import check_record

if TYPE_CHECKING:
    from tests.unit.node_agent.sim.world import World


class SimStore:
    """The bucket, with ETags."""

    def __init__(self, world: World, host: Host, process: Process) -> None:
        self.w, self.h, self.p = world, host, process

    def _do(self, name: str, effect: Callable[[], Any]) -> Any:
        def guarded() -> Any:
            if self.w.away(self.h.instance, "s3"):
                raise AwayError("S3")
            return effect()

        return self.p.point(f"store.{name}", guarded)

    def get(self, key: str) -> Versioned | None:
        def effect() -> Versioned | None:
            found = self.w.objects.get(key)
            return Versioned(json.loads(found[0]), str(found[1]), self.w.now - found[2]) if found else None

        result: Versioned | None = self._do(f"get {key}", effect)
        return result

    def _set(self, key: str, data: bytes) -> str:
        self.w.seq += 1
        self.w.objects[key] = (data, self.w.seq, self.w.now)
        if key == RECORD:
            check_record(self.w)
        return str(self.w.seq)

    def put(self, key: str, body: dict[str, Any], etag: str | None) -> str:
        def effect() -> str:
            found = self.w.objects.get(key)
            if (str(found[1]) if found else None) != etag:
                raise ConflictError(key)
            return self._set(key, json.dumps(body).encode())

        return str(self._do(f"put {key}", effect))

    def write(self, key: str, body: dict[str, Any]) -> None:
        if key == STATUS:
            json.dumps(body)
            return
        self._do(f"write {key}", lambda: self._set(key, json.dumps(body).encode()))

    def delete(self, key: str, etag: str) -> None:
        def effect() -> None:
            found = self.w.objects.get(key)
            if found and str(found[1]) != etag:
                raise ConflictError(key)
            self.w.objects.pop(key, None)

        self._do(f"delete {key}", effect)

    def keys(self, prefix: str) -> list[str]:
        result: list[str] = self._do(
            f"keys {prefix}", lambda: sorted(k for k in self.w.objects if k.startswith(prefix))
        )
        return result

    def put_bytes(self, key: str, data: bytes) -> None:
        self._do(f"blob {key}", lambda: self._set(key, data))

    def get_bytes(self, key: str) -> bytes:
        result: bytes = self._do(f"read {key}", lambda: self.w.objects[key][0])
        return result

    def remove(self, key: str) -> None:
        self._do(f"remove {key}", lambda: self.w.objects.pop(key, None))


class SimSecrets:
    """Secrets Manager: no compare and swap, as in the real one."""

    def __init__(self, world: World, host: Host, process: Process) -> None:
        self.w, self.h, self.p = world, host, process

    def get(self, name: str) -> dict[str, Any] | None:
        def effect() -> dict[str, Any] | None:
            if self.w.away(self.h.instance, "secrets"):
                raise AwayError("Secrets Manager")
            return copy.deepcopy(self.w.secrets.get(name))

        result: dict[str, Any] | None = self.p.point(f"secret.get {name}", effect)
        return result

    def put(self, name: str, value: dict[str, Any]) -> None:
        def effect() -> None:
            if self.w.away(self.h.instance, "secrets"):
                raise AwayError("Secrets Manager")
            self.w.secrets[name] = copy.deepcopy(value)

        self.p.point(f"secret.put {name}", effect)
