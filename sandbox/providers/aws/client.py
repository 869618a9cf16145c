"""The way to the AWS API: boto3 clients, retries, and errors with a code."""

import contextlib
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.providers.aws.shapes import Renames, to_api
from sandbox.providers.serve import ProviderError

MAX_ATTEMPTS = 15
"""Attempts per call. With 30 % of calls throttled, all fail once in 70 million calls."""
TOKENS = ("ClientToken", "ClientRequestToken")
"""Members that make a repeated create return the first one's result."""


class ApiError(ProviderError):
    """The API refused a call."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        """Name the operation, the error's code and its message."""
        self.operation = operation
        self.code = code
        super().__init__(f"{operation}: {code}: {message}")

    def among(self, known: Iterable[str]) -> bool:
        """Tell whether this is one of the known errors: by code, or by words of the message (those have a space)."""
        return any(self.code == item or (" " in item and item in str(self)) for item in known)


@dataclass(frozen=True)
class Settings:
    """The provider's configuration."""

    region: str
    access_key: str | None = None
    secret_key: str | None = None
    token: str | None = None
    profile: str | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """URL by service, in boto3's spelling."""
    default_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that every resource which can have tags gets."""
    ignore_tag_keys: frozenset[str] = frozenset()
    """Tags that are neither read nor changed."""
    ignore_tag_prefixes: tuple[str, ...] = ()
    """Prefixes of such tags."""

    def ignores_tag(self, key: str) -> bool:
        """Tell whether a tag is none of the program's business; AWS's own never are."""
        return key in self.ignore_tag_keys or key.startswith((*self.ignore_tag_prefixes, "aws:"))


class Api:
    """boto3 clients by service and region, made when first used."""

    def __init__(self, settings: Settings) -> None:
        """Hold the settings; no call is made."""
        self.settings = settings
        self._lock, self._asking = threading.Lock(), threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._identity: dict[str, str] | None = None

    def client(self, service: str, region: str | None = None) -> Any:
        """Give the client of a service in a region (default: the provider's)."""
        key = (service, region or self.settings.region)
        client = self._clients.get(key)
        if client is None:
            # Making clients is not thread safe, using them is.
            with self._lock:
                client = self._clients.get(key) or self._make(*key)
                self._clients[key] = client
        return client

    def _make(self, service: str, region: str) -> Any:
        import boto3  # noqa: PLC0415 (costs half a second, and a preview needs it only for functions)
        from botocore.config import Config  # noqa: PLC0415

        if self._session is None:
            self._session = boto3.Session(
                aws_access_key_id=self.settings.access_key,
                aws_secret_access_key=self.settings.secret_key,
                aws_session_token=self.settings.token,
                profile_name=self.settings.profile,
            )
        config = Config(
            retries={"mode": "standard", "max_attempts": MAX_ATTEMPTS},
            max_pool_connections=64,
            connect_timeout=10,
            read_timeout=120,
            s3={"addressing_style": "path"},
        )
        url = self.settings.endpoints.get(service)
        return self._session.client(service, region_name=region, config=config, endpoint_url=url)

    def operation(self, service: str, name: str, region: str | None = None) -> Any:
        """Give botocore's model of an operation."""
        return self.client(service, region).meta.service_model.operation_model(name)

    def call(
        self,
        service: str,
        operation: str,
        arguments: Mapping[str, Any],
        region: str | None = None,
        renames: Renames | None = None,
    ) -> dict[str, Any]:
        """Call an operation by its API name; all pages of an answer are put together.

        Args:
            service: boto3's name of the service.
            operation: the API's name: ``DescribeVpcs``.
            arguments: by member or property name; shaped after the operation's input.
            region: default: the provider's.
            renames: members that the default rule does not find, by property path.

        Raises:
            ApiError: when the API says no, after retries of what may be retried.
        """
        from botocore import exceptions, parsers, xform_name  # noqa: PLC0415

        client = self.client(service, region)
        shape = client.meta.service_model.operation_model(operation).input_shape
        shaped = (to_api(arguments, shape, "", renames) or {}) if shape is not None else {}
        for token in TOKENS:
            if shape is not None and token in shape.members:
                shaped.setdefault(token, str(uuid.uuid4()))
        method = xform_name(operation)
        try:
            if client.can_paginate(method):
                return dict(client.get_paginator(method).paginate(**shaped).build_full_result())
            return dict(getattr(client, method)(**shaped))
        except exceptions.ClientError as error:
            answer = error.response.get("Error", {})
            raise ApiError(operation, str(answer.get("Code", "?")), str(answer.get("Message", ""))) from None
        except exceptions.ParamValidationError:
            # Its text shows values, which may be secret.
            raise ApiError(
                operation, "ParamValidation", f"botocore refuses these arguments: {sorted(shaped)}"
            ) from None
        except (exceptions.BotoCoreError, parsers.ResponseParserError) as error:
            raise ApiError(operation, type(error).__name__, str(error)) from None

    def prepare(self) -> None:
        """Load what the first calls need: boto3, the caller's identity, the client of EC2, whose model is the largest.

        Whatever fails here fails again, with its reason, in the call that needs it.
        """
        with contextlib.suppress(Exception):
            self.identity()
            self.client("ec2")

    def identity(self) -> Mapping[str, str]:
        """Give ``account``, ``partition``, ``arn`` and ``user`` of the caller; asked once."""
        with self._asking:
            if self._identity is None:
                answer = self.call("sts", "GetCallerIdentity", {})
                self._identity = {
                    "account": answer["Account"],
                    "arn": answer["Arn"],
                    "partition": answer["Arn"].split(":")[1],
                    "user": answer["UserId"],
                }
            return self._identity
