"""Plays the engine for a provider of `sandbox.providers`, without gRPC."""

import asyncio
from collections.abc import Mapping
from typing import Any

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from sandbox.providers import serve, values
from sandbox.providers.kubernetes.provider import KubernetesProvider
from sandbox.providers.plain import PlainProvider

Wire = dict[str, PropertyValue]


class Resource:
    """A resource as the engine knows it."""

    def __init__(self, urn: str) -> None:
        self.urn, self.id = urn, ""
        self.inputs: Wire = {}
        self.state: Wire = {}

    @property
    def outputs(self) -> dict[str, Any]:
        return values.from_wire(self.state)[0]


class Engine:
    """The engine's side of one provider."""

    def __init__(self, provider: PlainProvider | KubernetesProvider, settings: Mapping[str, Any]) -> None:
        self.provider = provider
        wire = values.to_wire(settings)
        asyncio.run(provider.configure(sdk.ConfigureRequest({}, wire, True, True)))

    def check(self, token: str, given: Mapping[str, Any], name: str = "thing", old: Wire | None = None) -> Any:
        urn = f"urn:pulumi:test::project::timonel:index:Stack${token}::{name}"
        return asyncio.run(self.provider.check(sdk.CheckRequest(urn, old or {}, values.to_wire(given), b"")))

    def reasons(self, token: str, given: Mapping[str, Any]) -> str:
        """Why inputs are refused, as one text."""
        return "; ".join(f.reason for f in self.check(token, given).failures or [])

    def checked(self, token: str, given: Mapping[str, Any], name: str = "thing", old: Wire | None = None) -> Wire:
        answer = self.check(token, given, name, old)
        assert not answer.failures, [(f.property, f.reason) for f in answer.failures]
        return dict(answer.inputs)

    def create(self, token: str, given: Mapping[str, Any], name: str = "thing", preview: bool = False) -> Resource:
        resource = Resource(f"urn:pulumi:test::project::timonel:index:Stack${token}::{name}")
        resource.inputs = self.checked(token, given, name)
        answer = asyncio.run(self.provider.create(sdk.CreateRequest(resource.urn, resource.inputs, 0, preview)))
        resource.id, resource.state = answer.resource_id, dict(answer.properties or {})
        return resource

    def diff(self, resource: Resource, given: Mapping[str, Any]) -> Any:
        name, token = resource.urn.split("::")[-1], resource.urn.split("$")[-1].split("::")[0]
        new = self.checked(token, given, name, resource.inputs)
        serve._OLD_INPUTS.set(resource.inputs)
        return self._diffed(resource, new)

    def _diffed(self, resource: Resource, new: Wire) -> Any:
        return asyncio.run(self.provider.diff(sdk.DiffRequest(resource.urn, resource.id, resource.state, new, [])))

    def drift(self, resource: Resource) -> Any:
        """Diff of the program's inputs after a refresh: what a second preview would show."""
        program = dict(resource.inputs)
        assert self.refresh(resource), "it is still there"
        serve._OLD_INPUTS.set(resource.inputs)
        return self._diffed(resource, program)

    def update(self, resource: Resource, given: Mapping[str, Any]) -> None:
        name, token = resource.urn.split("::")[-1], resource.urn.split("$")[-1].split("::")[0]
        new = self.checked(token, given, name, resource.inputs)
        serve._OLD_INPUTS.set(resource.inputs)
        request = sdk.UpdateRequest(resource.urn, resource.id, resource.state, new, 0, [], False)
        answer = asyncio.run(self.provider.update(request))
        resource.inputs, resource.state = new, dict(answer.properties or {})

    def refresh(self, resource: Resource) -> bool:
        request = sdk.ReadRequest(resource.urn, resource.id, resource.state, resource.inputs)
        answer = asyncio.run(self.provider.read(request))
        if not answer.resource_id:
            return False
        resource.inputs, resource.state = dict(answer.inputs or {}), dict(answer.properties or {})
        return True

    def imported(self, token: str, identity: str) -> dict[str, Any]:
        """The inputs that an import finds."""
        request = sdk.ReadRequest(f"urn:pulumi:test::project::{token}::thing", identity, {}, {})
        return values.from_wire(asyncio.run(self.provider.read(request)).inputs or {})[0]

    def delete(self, resource: Resource) -> None:
        asyncio.run(self.provider.delete(sdk.DeleteRequest(resource.urn, resource.id, resource.state, 0)))
