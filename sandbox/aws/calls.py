"""What an AWS request is: service, action, parameters and caller, from any of AWS's wire protocols."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

SIGNING_NAMES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
"""botocore's client name where it is not the name a request is signed with."""

MACHINES_AGENT = "timonel-machines"
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[0-9]+/([^/]+)/([^/]+)/aws4_request")
SECRET_PARAMETERS = frozenset(
    {"SecretString", "SecretBinary", "Plaintext", "UserData", "Value", "Body", "WebIdentityToken", "CiphertextBlob"}
)


@dataclass(frozen=True)
class Call:
    """One request to AWS.

    Attributes:
        service: the name it was signed for ("ec2", "s3"); "unsigned" when it was not.
        action: AWS's name ("RunInstances"); "" when it could not be told.
        region: of the signature.
        access_key: of the caller.
        parameters: the request's own parameters, values of secret ones replaced by "***".
        headers: x-amz-* headers that S3 takes as conditions, lower case.
        agent: the User-Agent.
        caller: ARN of the user or assumed role, see `identified`.
    """

    service: str
    action: str
    region: str
    access_key: str
    parameters: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    agent: str = ""
    caller: str = ""

    @classmethod
    def parse(cls, environ: dict[str, Any], body: bytes) -> Call:
        """Read a request. Never raises: an odd request is moto's to refuse."""
        signature = environ.get("HTTP_AUTHORIZATION", "") or unquote(environ.get("QUERY_STRING", ""))
        match = _CREDENTIAL.search(signature.replace("X-Amz-Credential=", "Credential="))
        access_key, region, service = match.groups() if match else ("", "us-east-1", "unsigned")
        action, parameters = _action(environ, body, service)
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_X_AMZ_") and name != "HTTP_X_AMZ_SECURITY_TOKEN"
        }
        agent = environ.get("HTTP_USER_AGENT", "")
        return cls(service, action, region, access_key, _without_secrets(parameters), headers, agent)

    @property
    def of_machines(self) -> bool:
        """Whether the machines' controller makes it: the hypervisor is not subject to faults, nor a caller of AWS."""
        return MACHINES_AGENT in self.agent

    @property
    def client(self) -> str:
        """The boto3 client that makes such calls."""
        return SIGNING_NAMES.get(self.service, self.service)

    @property
    def protocol(self) -> str:
        """AWS's wire protocol of the service: ec2, query, json, rest-json, rest-xml."""
        return _protocol(self.client)

    def identified(self) -> Call:
        """The same call with its caller's ARN: the assumed role of the access key, else the sandbox's own user."""
        from moto.sts.models import sts_backends  # noqa: PLC0415 - moto must be patched before its models are imported

        for account in sts_backends.values():
            for backend in account.values():
                role = backend.get_assumed_role_from_access_key(self.access_key)
                if role is not None:
                    return replace(self, caller=str(role.arn))
        return replace(self, caller=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/sandbox")


def _action(environ: dict[str, Any], body: bytes, service: str) -> tuple[str, dict[str, Any]]:
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return target.rsplit(".", 1)[-1], _json(body)
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        query |= dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    if "Action" in query:
        return query.pop("Action"), {k: v for k, v in query.items() if k != "Version"}
    try:
        operation, path = get_service_router(SIGNING_NAMES.get(service, service)).match(Request(dict(environ)))
    except Exception:  # noqa: BLE001 - moto's router raises what it likes for a path that it does not know
        return "", query
    parameters = {k: v for k, v in query.items() if not k.startswith("X-Amz-")} | dict(path)
    if service != "s3":
        parameters |= _json(body)
    return str(operation.name), parameters


def _json(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _without_secrets(parameters: dict[str, Any]) -> dict[str, Any]:
    return {k: "***" if k.rsplit(".", 1)[-1] in SECRET_PARAMETERS else v for k, v in parameters.items()}


@cache
def _protocol(client: str) -> str:
    try:
        return str(get_service_model(client).protocol)
    except Exception:  # noqa: BLE001 - an unknown service
        return "json"
