"""Secrets, configs and overlay networks: every change of them replaces, as with the genuine provider."""

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any, ClassVar

from docker.errors import NotFound  # type: ignore[import-untyped]
from docker.types import IPAMConfig, IPAMPool  # type: ignore[import-untyped]

from sandbox.providers import values
from sandbox.providers.aws.checking import Failure
from sandbox.providers.docker.client import Docker
from sandbox.providers.docker.fields import LABELS, Field, Table, decode, encode
from sandbox.providers.plain import Call, Kind, Values
from sandbox.providers.serve import ProviderError

IN_USE_SECONDS = 120.0
"""How long a delete waits for the tasks that still use it."""
LARGEST = 500 * 1024
"""Bytes of a secret; of a config 1000 KiB since engine 17.06 (swarmkit's limits)."""


POOL: Table = {"subnet": Field("Subnet"), "gateway": Field("Gateway"), "ipRange": Field("IPRange")}


def labels(given: Values) -> dict[str, str]:
    """The API's labels."""
    made: dict[str, str] = encode({"labels": LABELS}, given).get("Labels", {})
    return made


def canonical_labels(value: Any) -> Any:
    """Labels have no order."""
    return sorted(value, key=lambda item: item["label"]) if value and not values.contains_unknown(value) else value


def remove(call: Call, what: str, act: Callable[[Any], Any]) -> None:
    """Remove an object, waiting while tasks that are going still use it."""
    deadline = time.monotonic() + (call.timeout or IN_USE_SECONDS)
    client: Docker = call.client
    while True:
        try:
            client.call(act)
            return
        except NotFound:
            return
        except ProviderError as error:
            told = str(error)
            used = "in use" in told or "active endpoints" in told
            if not used or time.monotonic() > deadline or call.cancelled.is_set():
                raise
            call.status(f"waiting until nothing uses the {what}")
        call.cancelled.wait(1)


class _Content(Kind):
    """What secrets and configs share. The API gives a secret's content to nobody."""

    named = True
    supported: ClassVar[frozenset[str]] = frozenset({"name", "data", "labels"})
    path: ClassVar[str]
    limit: ClassVar[int]

    def replaces(self, path: str, old: Any, new: Any) -> bool:
        """Always."""
        return True

    def canonical(self, path: str, value: Any) -> Any:
        """Labels have no order."""
        return canonical_labels(value) if path == "labels" else value

    def failures(self, inputs: Values) -> list[Failure]:
        """The content is base64 and not too long."""
        data = inputs.get("data")
        if data is None or values.is_unknown(data):
            return []
        try:
            content = base64.b64decode(data, validate=True)
        except binascii.Error:
            return [("data", f"{self.token}: data must be base64")]
        if not 0 < len(content) <= self.limit:
            return [("data", f"{self.token}: data has {len(content)} bytes, allowed are 1 to {self.limit}")]
        return []

    def create(self, call: Call) -> tuple[str, Values]:
        """Make it."""
        name, content = call.inputs["name"], base64.b64decode(call.inputs["data"])

        def find(api: Any) -> str | None:
            found = api._result(api._get(api._url(f"/{self.path}"), params=_named(name)), True)
            return next((str(item["ID"]) for item in found if item["Spec"]["Name"] == name), None)

        def make(api: Any) -> str:
            create = api.create_secret if self.path == "secrets" else api.create_config
            return str(create(name, content, labels(call.inputs))["ID"])

        made = call.client.create(find, make)
        return made, _plain(call.inputs)

    def read(self, call: Call) -> tuple[Values, Values] | None:
        """Read name and labels, and a config's content."""

        def look(api: Any) -> Any:
            return api.inspect_secret(call.id) if self.path == "secrets" else api.inspect_config(call.id)

        try:
            spec = call.client.call(look)["Spec"]
        except NotFound:
            return None
        seen: Values = {"name": spec["Name"], **decode({"labels": LABELS}, spec)}
        if "Data" in spec:
            seen["data"] = spec["Data"]
        elif "data" in call.inputs:
            seen["data"] = call.inputs["data"]
        elif self.path == "secrets":
            raise ProviderError("a secret cannot be imported: its content is given to nobody")
        inputs = {key: value for key, value in call.inputs.items() if key.startswith("__")} | seen
        for name in seen:
            if self.canonical(name, call.inputs.get(name)) == self.canonical(name, seen[name]):
                inputs[name] = call.inputs[name]
        return inputs, _plain(inputs)

    def delete(self, call: Call) -> None:
        """Remove it once no task uses it."""
        secret = self.path == "secrets"
        remove(call, self.path[:-1], lambda api: (api.remove_secret if secret else api.remove_config)(call.id))


class Secret(_Content):
    """A secret of the swarm."""

    token = "docker:index/secret:Secret"  # noqa: S105
    path = "secrets"
    limit = LARGEST
    always_secret = frozenset({"data"})


class ServiceConfig(_Content):
    """A config of the swarm."""

    token = "docker:index/serviceConfig:ServiceConfig"  # noqa: S105
    path = "configs"
    limit = 2 * LARGEST

    def failures(self, inputs: Values) -> list[Failure]:
        """Content is needed (the type alone does not say so)."""
        if inputs.get("data") is None:
            return [("data", f"{self.token}: the property 'data' is required")]
        return super().failures(inputs)


class Network(Kind):
    """An overlay network."""

    token = "docker:index/network:Network"  # noqa: S105
    named = True
    supported = frozenset(
        {"name", "driver", "attachable", "internal", "ingress", "labels", "options", "ipamConfigs", "ipamDriver"}
    )
    unsupported = ("ipamConfigs.auxAddress",)

    def replaces(self, path: str, old: Any, new: Any) -> bool:
        """Always."""
        return True

    def canonical(self, path: str, value: Any) -> Any:
        """Labels have no order."""
        return canonical_labels(value) if path == "labels" else value

    def failures(self, inputs: Values) -> list[Failure]:
        """Overlay only: another network is of one machine, and each call may reach another manager."""
        driver = inputs.get("driver")
        if driver != "overlay" and not values.is_unknown(driver):
            reason = f"{self.token}: the stand-in for the Docker provider makes overlay networks only, not {driver!r}"
            return [("driver", reason)]
        return []

    def computed(self, inputs: Values, state: Values) -> set[str]:
        """What Docker fills in."""
        return {"internal", "ipamConfigs", "options", "scope"} - set(inputs)

    def create(self, call: Call) -> tuple[str, Values]:
        """Make it."""
        given = call.inputs
        pools = [
            IPAMPool(pool.get("subnet"), pool.get("ipRange"), pool.get("gateway"))
            for pool in given.get("ipamConfigs") or []
        ]
        ipam = IPAMConfig(given.get("ipamDriver") or "default", pools) if pools or given.get("ipamDriver") else None

        def find(api: Any) -> str | None:
            return next((str(n["Id"]) for n in api.networks(names=[given["name"]]) if n["Name"] == given["name"]), None)

        def make(api: Any) -> str:
            options = {name: bool(given[name]) for name in ("internal", "attachable", "ingress") if name in given}
            made = api.create_network(
                given["name"],
                "overlay",
                given.get("options") or {},
                ipam,
                labels=labels(given),
                scope="swarm",
                check_duplicate=True,
                **options,
            )
            return str(made["Id"])

        call.id = call.client.create(find, make)
        found = self.read(call)
        if found is None:
            raise ProviderError("the network is gone again")
        return call.id, found[1]

    def read(self, call: Call) -> tuple[Values, Values] | None:
        """Read it from the managers' store: a node has an overlay network only while a task of it uses the network."""
        try:
            seen = call.client.call(lambda api: api.inspect_network(call.id))
        except NotFound:
            return None
        state: Values = {
            "name": seen["Name"],
            "driver": seen["Driver"],
            "attachable": seen["Attachable"],
            "internal": seen["Internal"],
            "ingress": seen["Ingress"],
            "options": seen.get("Options") or {},
            "scope": seen["Scope"],
            "ipamConfigs": [decode(POOL, pool) for pool in seen["IPAM"].get("Config") or []],
            "ipamDriver": seen["IPAM"].get("Driver"),
            **decode({"labels": LABELS}, seen),
        }
        if not call.inputs:
            return {name: state[name] for name in ("name", "driver", "attachable", "labels") if state.get(name)}, state
        inputs = dict(call.inputs)
        for name in ("name", "driver", "attachable", "internal", "ingress", "labels"):
            given = inputs.get(name) or ([] if name == "labels" else False)
            if self.canonical(name, given) != self.canonical(name, state.get(name, [])):
                inputs[name] = state.get(name, [])
        return inputs, state  # options and pools come back with more than was given, so they are not compared

    def delete(self, call: Call) -> None:
        """Remove it once no task uses it."""
        remove(call, "network", lambda api: api.remove_network(call.id))


def _named(name: str) -> dict[str, str]:
    return {"filters": f'{{"name": ["{name}"]}}'}


def _plain(inputs: Values) -> Values:
    return {name: value for name, value in inputs.items() if not name.startswith("__")}
