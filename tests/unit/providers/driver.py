"""Plays the engine: drives the provider through the SDK's requests, without gRPC."""

import asyncio
from collections.abc import Mapping
from typing import Any

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from sandbox.providers import serve, values
from sandbox.providers.aws.client import Api, Settings
from sandbox.providers.aws.provider import AwsProvider
from sandbox.providers.schema import Package

PACKAGE = Package()


class Resource:
    """A resource as the engine knows it."""

    def __init__(self, driver: "Driver", token: str, name: str) -> None:
        self.driver, self.token, self.name = driver, token, name
        self.urn = f"urn:pulumi:test::project::timonel:index:Network${token}::{name}"
        self.id = ""
        self.inputs: dict[str, PropertyValue] = {}
        self.state: dict[str, PropertyValue] = {}

    @property
    def outputs(self) -> dict[str, Any]:
        return values.from_wire(self.state)[0]


class Driver:
    """The engine's side of one provider."""

    def __init__(self, endpoint: str = "", default_tags: Mapping[str, str] | None = None, **more: Any) -> None:
        settings = Settings(
            region="us-east-1",
            access_key="test",
            secret_key="test",
            endpoints=_Everywhere(endpoint) if endpoint else {},
            default_tags=default_tags or {},
            **more,
        )
        self.api = Api(settings)
        self.provider = AwsProvider(PACKAGE, api=self.api)

    def check(self, resource: Resource, given: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> Any:
        wire = values.to_wire(given, secrets)
        return asyncio.run(self.provider.check(sdk.CheckRequest(resource.urn, resource.inputs, wire, b"")))

    def checked(self, resource: Resource, given: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> Any:
        answer = self.check(resource, given, secrets)
        assert not answer.failures, [(item.property, item.reason) for item in answer.failures]
        return answer.inputs

    def create(
        self, token: str, given: Mapping[str, Any], name: str = "thing", secrets: tuple[str, ...] = ()
    ) -> Resource:
        resource = Resource(self, token, name)
        inputs = self.checked(resource, given, secrets)
        asyncio.run(self.provider.create(sdk.CreateRequest(resource.urn, inputs, 0, preview=True)))
        answer = asyncio.run(self.provider.create(sdk.CreateRequest(resource.urn, inputs, 0, preview=False)))
        resource.id, resource.state, resource.inputs = answer.resource_id, answer.properties, inputs
        return resource

    def diff(self, resource: Resource, given: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> Any:
        inputs = self.checked(resource, given, secrets)
        return self._with_old(
            resource, self.provider.diff, sdk.DiffRequest(resource.urn, resource.id, resource.state, inputs, [])
        )

    def update(self, resource: Resource, given: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> None:
        inputs = self.checked(resource, given, secrets)
        for preview in (True, False):
            request = sdk.UpdateRequest(resource.urn, resource.id, resource.state, inputs, 0, [], preview=preview)
            answer = self._with_old(resource, self.provider.update, request)
        resource.state, resource.inputs = answer.properties, inputs

    def refresh(self, resource: Resource) -> bool:
        request = sdk.ReadRequest(resource.urn, resource.id, resource.state, resource.inputs)
        answer = asyncio.run(self.provider.read(request))
        if not answer.resource_id:
            return False
        resource.id, resource.state, resource.inputs = answer.resource_id, answer.properties, answer.inputs
        return True

    def imported(self, token: str, identity: str, name: str = "thing") -> Resource:
        resource = Resource(self, token, name)
        resource.id = identity
        assert self.refresh(resource), f"{identity} is not there to import"
        return resource

    def delete(self, resource: Resource) -> None:
        asyncio.run(self.provider.delete(sdk.DeleteRequest(resource.urn, resource.id, resource.state, 0)))

    def invoke(self, token: str, given: Mapping[str, Any]) -> dict[str, Any]:
        answer = asyncio.run(self.provider.invoke(sdk.InvokeRequest(token, values.to_wire(given))))
        assert not answer.failures, [(item.property, item.reason) for item in answer.failures]
        return values.from_wire(answer.return_value)[0]

    def _with_old(self, resource: Resource, method: Any, request: Any) -> Any:
        token = serve._OLD_INPUTS.set(resource.inputs)
        try:
            return asyncio.run(method(request))
        finally:
            serve._OLD_INPUTS.reset(token)


class _Everywhere(dict):  # type: ignore[type-arg]
    """One URL for every service."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def get(self, _key: object, _default: object = None) -> str:  # type: ignore[override]
        return self._url
