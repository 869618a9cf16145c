"""HostRole: the identity of instances."""

from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components import tags
from components.hosts import policies


class HostRoleArgs(TypedDict):
    """Arguments of HostRole."""

    description: str
    """Required. What instances with this role are."""
    tags: dict[str, pulumi.Input[str]]
    """Required. Tags besides ``Name``."""


class HostRole(pulumi.ComponentResource):
    """A role for instances and its instance profile.

    The role may do nothing until ``attach`` gives it a policy: policies name resources (a KMS key) whose own policies
    name the role, so the role must exist first.
    """

    arn: pulumi.Output[str]
    """ARN of the role."""
    profile_arn: pulumi.Output[str]
    """ARN of the instance profile."""

    def __init__(self, name: str, args: HostRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make role and profile.

        Args:
            name: logical name.
            args: see :class:`HostRoleArgs`.
            opts: resource options.
        """
        super().__init__("timonel:index:HostRole", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        own_tags = tags.named(args["tags"], name)
        self._name = name
        self._role = aws.iam.Role(
            f"{name}-role",
            assume_role_policy=policies.assume_role_by_ec2(),
            description=args["description"],
            tags=own_tags,
            opts=child,
        )
        profile = aws.iam.InstanceProfile(f"{name}-profile", role=self._role.name, tags=own_tags, opts=child)
        self.arn = self._role.arn
        self.profile_arn = profile.arn
        self.register_outputs({"arn": self.arn, "profile_arn": self.profile_arn})

    def attach(self, policy: pulumi.Input[str]) -> pulumi.Output[str]:
        """Give the role its one policy.

        Returns:
            The profile's ARN, known only after the policy is attached: an instance that is launched with it can
            use the policy from its first second.
        """
        attached = aws.iam.RolePolicy(
            f"{self._name}-policy", role=self._role.name, policy=policy, opts=pulumi.ResourceOptions(parent=self)
        )
        return pulumi.Output.all(self.profile_arn, attached.id).apply(lambda values: str(values[0]))
