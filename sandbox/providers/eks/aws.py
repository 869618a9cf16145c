"""Resources of the aws package as the component registers them: by token.

Importing ``pulumi_aws`` costs seconds; a token, a name and camelCase properties are all that the engine needs.
"""

import functools
import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi.runtime import rpc

REFERENCES: Mapping[str, tuple[str, ...]] = {
    "iam/role": ("arn", "name"),
    "ec2/securityGroup": ("vpcId",),
}
"""Modules of resources that a program may pass in, and the outputs that are read of them."""


@functools.cache
def version(package: str) -> str:
    """The installed SDK package's version: with it children use the program's own default provider."""
    return importlib.metadata.version(f"pulumi_{package}")


class Resource(pulumi.CustomResource):
    """A resource whose outputs are attributes by their name in the schema."""

    def __init__(
        self,
        token: str,
        name: str,
        inputs: Mapping[str, Any],
        options: pulumi.ResourceOptions,
        outputs: Iterable[str] = (),
    ) -> None:
        """Register it.

        Args:
            token: its type.
            name: its logical name.
            inputs: by their name in the schema; None is not given.
            options: its parent, dependencies, ...
            outputs: what will be read of it.
        """
        options = pulumi.ResourceOptions.merge(
            options, pulumi.ResourceOptions(version=version(token.partition(":")[0]))
        )
        given = {key: value for key, value in inputs.items() if value is not None}
        super().__init__(token, name, {**dict.fromkeys(outputs), **given}, options)

    def __getattr__(self, name: str) -> Any:
        """Tell the type checker that outputs are made by the SDK."""
        raise AttributeError(name)


class References(rpc.ResourceModule):
    """Reads a resource that the program passes in from the engine."""

    def version(self) -> None:
        """Serve every version."""
        return

    def construct(self, name: str, typ: str, urn: str) -> pulumi.Resource:
        """Make the resource again by its URN."""
        outputs = REFERENCES[typ.split(":")[1]]
        return Resource(typ, name, {}, pulumi.ResourceOptions(urn=urn), outputs)


def partition(parent: pulumi.Resource) -> pulumi.Output[str]:
    """Ask for the partition, as the genuine component does."""
    options = pulumi.InvokeOptions(parent=parent, version=version("aws"))
    answer = pulumi.runtime.invoke_output("aws:index/getPartition:getPartition", {}, options)
    return answer.apply(lambda found: str(found["partition"]))
