"""What the resources of Timonel's own provider share."""

from typing import NotRequired, TypedDict

import pulumi

_GET_VERSION = "timonel:index:getVersion"


def begin_start() -> None:
    """Let the provider start beside what the program waits for next. ``start`` tells whether it did."""
    pulumi.runtime.invoke_output(_GET_VERSION, {})


def start() -> str:
    """Start the provider and give its version.

    Without it the provider starts with its first resource, when others have been made. A program that calls this first
    has made nothing when the provider does not start.

    Raises:
        Exception: the provider does not start; with the engine's words (the SDK has no class of its own for it).
    """
    return str(pulumi.runtime.invoke(_GET_VERSION, {}).value["version"])


class AwsAccessArgs(TypedDict):
    """How the provider reaches AWS."""

    region: pulumi.Input[str]
    """Required. Region of the secret or bucket, for example ``us-east-1``."""
    profile: NotRequired[pulumi.Input[str]]
    """Profile of the shared AWS configuration. Default: the usual credential chain."""
    role_arn: NotRequired[pulumi.Input[str]]
    """Role to assume before each call. Default: none."""


def access_inputs(access: AwsAccessArgs) -> dict[str, pulumi.Input[str] | None]:
    """An access on the wire."""
    return {"region": access["region"], "profile": access.get("profile"), "roleArn": access.get("role_arn")}


def output(resource: pulumi.Resource, wire_name: str) -> pulumi.Output[str]:
    """An output by its name on the wire: the SDK stores outputs under that name, unless a class translates it."""
    value: pulumi.Output[str] = pulumi.get(resource, wire_name)
    return value
