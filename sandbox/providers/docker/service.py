"""A service of the swarm."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound  # type: ignore[import-untyped]

from sandbox.providers import values
from sandbox.providers.aws.checking import Failure
from sandbox.providers.docker import converge
from sandbox.providers.docker.client import OUT_OF_SEQUENCE, Docker
from sandbox.providers.docker.fields import SERVICE, UNSUPPORTED, Table, decode, encode, nanoseconds, seconds_of
from sandbox.providers.plain import Call, Kind, NotReadyError, Values
from sandbox.providers.serve import ProviderError

SETS = frozenset(
    {"labels", "mounts", "secrets", "configs", "networksAdvanceds", "hosts", "constraints", "prefs", "aliases"}
)
"""Lists without order."""
REPLACED = (
    "name",
    "auth",
    "taskSpec.networksAdvanceds",
    "taskSpec.containerSpec.labels",
    "taskSpec.containerSpec.hosts",
    "taskSpec.containerSpec.sysctl",
)
"""What the genuine provider cannot change in place (ForceNew in its schema); `mode` by its kind, as Docker says."""
GONE_SECONDS = 60.0
"""How long tasks may take to end after their grace period."""
GRACE_SECONDS = 10.0
"""Docker's default of `stopGracePeriod`."""


def to_spec(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as the API's ServiceSpec."""
    mode = inputs.get("mode") or {}
    spec = encode(SERVICE, inputs)
    if mode.get("global"):
        return spec | {"Mode": {"Global": {}}}
    replicas = (mode.get("replicated") or {}).get("replicas")
    return spec | {"Mode": {"Replicated": {"Replicas": 1 if replicas is None else replicas}}}


def from_spec(spec: Mapping[str, Any]) -> Values:
    """A ServiceSpec as inputs, without what is the default."""
    made = decode(SERVICE, spec)
    if "Global" in spec["Mode"]:
        return made | {"mode": {"global": True}}
    return made | {"mode": {"replicated": {"replicas": spec["Mode"]["Replicated"].get("Replicas", 0)}}}


def canonical(name: str, value: Any) -> Any:
    """Lists without order, sorted; objects by their parts."""
    if isinstance(value, Mapping):
        return {key: canonical(key, item) for key, item in value.items()}
    if isinstance(value, list):
        items = [canonical("", item) for item in value]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if name in SETS else items
    return value


def followed(given: Mapping[str, Any], meant: Mapping[str, Any], seen: Mapping[str, Any]) -> Values:
    """The inputs after a look at the service: the program's own form where it means what is there.

    Args:
        given: the program's inputs.
        meant: the same in the form of `from_spec`.
        seen: what is there, in that form.
    """
    made: Values = {}
    for name in [*given, *(key for key in seen if key not in given)]:
        wanted, found = meant.get(name), seen.get(name)
        pinned = name == "image" and str(found).startswith(f"{wanted}@sha256:")
        if pinned or canonical(name, wanted) == canonical(name, found):
            if name in given:
                made[name] = given[name]
        elif isinstance(given.get(name), Mapping) and isinstance(found, Mapping):
            made[name] = followed(given[name], wanted or {}, found)
        elif found is not None:
            made[name] = found
    return made


def _durations(table: Table, given: Any, path: str) -> list[Failure]:
    failures: list[Failure] = []
    for name, item in table.items():
        value = given.get(name) if isinstance(given, Mapping) else None
        if value is None or values.is_unknown(value):
            continue
        if item.kind == "duration":
            try:
                nanoseconds(value)
            except ValueError as error:
                failures.append((path.partition(".")[0] or name, f"{f'{path}.{name}'.strip('.')}: {error}"))
        elif item.kind == "object":
            failures += _durations(item.of or {}, value, f"{path}.{name}".strip("."))
    return failures


class Service(Kind):
    """A service of the swarm."""

    token = "docker:index/service:Service"  # noqa: S105
    named = True
    supported = frozenset({*SERVICE, "mode", "convergeConfig"})
    unsupported = UNSUPPORTED

    def failures(self, inputs: Values) -> list[Failure]:
        """The genuine provider's rules that its types do not say."""
        failures = _durations(SERVICE, inputs, "")
        mode = inputs.get("mode") or {}
        if mode.get("global") and mode.get("replicated"):
            failures.append(("mode", f"{self.token}: mode.global and mode.replicated exclude each other"))
        if mode.get("global") and inputs.get("convergeConfig"):
            failures.append(("convergeConfig", f"{self.token}: convergeConfig is for replicated services only"))
        for name in ("delay", "timeout"):
            text = (inputs.get("convergeConfig") or {}).get(name)
            if text is not None and not values.is_unknown(text):
                try:
                    nanoseconds(text)
                except ValueError as error:
                    failures.append(("convergeConfig", f"convergeConfig.{name}: {error}"))
        return failures

    def replaces(self, path: str, old: Any, new: Any) -> bool:
        """What ForceNew says, and the kind of the mode."""
        if path == "mode.global":
            return bool(old) != bool(new)
        if path in ("mode", "mode.replicated"):
            return "global" in json.dumps([old, new]) and old != new
        return any(path == item or path.startswith(f"{item}.") for item in REPLACED)

    def canonical(self, path: str, value: Any) -> Any:
        """Lists without order."""
        return canonical(path.rpartition(".")[2], value)

    def computed(self, inputs: Values, state: Values) -> set[str]:
        """What Docker fills in."""
        return {"endpointSpec", "labels", "mode"} - set(inputs)

    def create(self, call: Call) -> tuple[str, Values]:
        """Make it and wait as `convergeConfig` says; one that does not converge is removed again, as genuinely."""
        spec = to_spec(call.inputs)

        def find(api: Any) -> str | None:
            found = api.services(filters={"name": spec["Name"]})
            return next((str(item["ID"]) for item in found if item["Spec"]["Name"] == spec["Name"]), None)

        call.id = call.client.create(find, lambda api: str(api.create_service(**_arguments(spec))["ID"]))
        try:
            converge.wait(call, call.id, updating=False)
        except converge.NotConvergedError as error:
            with contextlib.suppress(NotFound):
                call.client.call(lambda api: api.remove_service(call.id))
            raise ProviderError(f"{error} (the service was removed again)") from None
        return call.id, self._state(call)

    def read(self, call: Call) -> tuple[Values, Values] | None:
        """Read it; inputs keep the program's form where they mean what is there."""
        try:
            spec = call.client.call(lambda api: api.inspect_service(call.id))["Spec"]
        except NotFound:
            return None
        seen = from_spec(spec)
        given = {name: value for name, value in call.inputs.items() if not name.startswith("__")}
        apart = {"convergeConfig"}
        if not given:
            return seen, self._filled(seen)
        own = {name: value for name, value in given.items() if name not in apart}
        inputs = followed(own, from_spec(to_spec(own)), seen)
        if "mode" not in own and inputs.get("mode") == {"replicated": {"replicas": 1}}:
            del inputs["mode"]  # the default
        kept = {name: value for name, value in call.inputs.items() if name.startswith("__") or name in apart}
        return inputs | kept, self._filled({**seen, **inputs}) | {k: kept[k] for k in apart if k in kept}

    @staticmethod
    def _filled(seen: Values) -> Values:
        return {"labels": [], "endpointSpec": {"mode": "vip"}, **seen}

    def _state(self, call: Call) -> Values:
        found = self.read(call)
        if found is None:
            raise ProviderError("the service is gone again")
        return found[1]

    def update(self, call: Call) -> Values:
        """Change it in place and wait as `convergeConfig` says."""
        client: Docker = call.client
        spec = to_spec(call.inputs)

        def change(api: Any) -> None:
            version = api.inspect_service(call.id)["Version"]["Index"]
            api.update_service(call.id, version, **_arguments(spec))

        for _ in range(5):
            try:
                client.call(change)
                break
            except ProviderError as error:
                if OUT_OF_SEQUENCE not in str(error):  # somebody else changed it in between: look again
                    raise
        else:
            raise ProviderError("somebody else changes this service all the time (update out of sequence, five times)")
        try:
            converge.wait(call, call.id, updating=True)
        except converge.NotConvergedError as error:
            state = {name: value for name, value in call.inputs.items() if not name.startswith("__")}
            raise NotReadyError(call.id, self._filled(state), str(error)) from None
        return self._state(call)

    def delete(self, call: Call) -> None:
        """Remove it and wait until its tasks are gone: what they used can be removed then."""
        with contextlib.suppress(NotFound):
            call.client.call(lambda api: api.remove_service(call.id))
        grace = ((call.state.get("taskSpec") or {}).get("containerSpec") or {}).get("stopGracePeriod")
        limit = (seconds_of(grace) if grace else GRACE_SECONDS) + GONE_SECONDS
        converge.wait_until_gone(call, call.id, call.timeout or limit)


def _arguments(spec: Mapping[str, Any]) -> Values:
    """What the SDK's create_service and update_service take."""
    return {
        "task_template": spec["TaskTemplate"],
        "name": spec["Name"],
        "labels": spec.get("Labels") or {},
        "mode": spec["Mode"],
        "update_config": spec.get("UpdateConfig"),
        "rollback_config": spec.get("RollbackConfig"),
        "endpoint_spec": spec.get("EndpointSpec"),
    }
