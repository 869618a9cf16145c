"""The provider in process: Pulumi's requests in, moto's AWS behind it, a clock that the test sets."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import (
    CheckRequest,
    CreateRequest,
    DeleteRequest,
    DiffRequest,
    DiffResponse,
    ReadRequest,
    UpdateRequest,
)

from provider.properties import to_plain, to_wire
from provider.timonel import TimonelProvider

REGION = "us-east-1"


class Harness:
    """Plays the engine's part for one provider."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.said: list[str] = []
        self.provider = TimonelProvider(lambda urn, text: self.said.append(text), lambda: self.time)
        self.raw: dict[str, Any] = {}

    def pass_days(self, days: float) -> None:
        self.time += timedelta(days=days)

    @staticmethod
    def urn(kind: str) -> str:
        return f"urn:pulumi:dev::timonel::timonel:index:SwarmCluster$timonel:index:{kind}::it"

    def check(self, kind: str, inputs: dict[str, Any]) -> list[str]:
        request = CheckRequest(self.urn(kind), {}, to_wire(inputs, ()), b"")
        return [failure.reason for failure in asyncio.run(self.provider.check(request)).failures or []]

    def create(self, kind: str, inputs: dict[str, Any], *, preview: bool = False) -> tuple[str, dict[str, Any]]:
        request = CreateRequest(self.urn(kind), to_wire(inputs, ()), 0, preview)
        answer = asyncio.run(self.provider.create(request))
        # Through the wire's form, as the engine gets it.
        self.raw = PropertyValue.unmarshal_map(PropertyValue.marshal_map(answer.properties))
        return answer.resource_id or "", to_plain(self.raw)

    def diff(self, kind: str, state: dict[str, Any], inputs: dict[str, Any]) -> DiffResponse:
        request = DiffRequest(self.urn(kind), "id", to_wire(state, ()), to_wire(inputs, ()), [])
        return asyncio.run(self.provider.diff(request))

    def update(
        self, kind: str, state: dict[str, Any], inputs: dict[str, Any], *, preview: bool = False
    ) -> dict[str, Any]:
        request = UpdateRequest(self.urn(kind), "id", to_wire(state, ()), to_wire(inputs, ()), 0, [], preview)
        return to_plain(asyncio.run(self.provider.update(request)).properties)

    def read(self, kind: str, state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        answer = asyncio.run(
            self.provider.read(ReadRequest(self.urn(kind), "id", to_wire(state, ()), to_wire(state, ())))
        )
        return answer.resource_id or "", to_plain(answer.properties)

    def delete(self, kind: str, state: dict[str, Any]) -> None:
        asyncio.run(self.provider.delete(DeleteRequest(self.urn(kind), "id", to_wire(state, ()), 0)))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def engine(aws: None) -> Harness:
    return Harness()


@pytest.fixture
def secret(aws: None) -> str:
    return str(boto3.client("secretsmanager", REGION).create_secret(Name="ca")["ARN"])


@pytest.fixture
def bucket(aws: None) -> str:
    boto3.client("s3", REGION).create_bucket(Bucket="state")
    return "state"
