"""The roles of a cluster's nodes and of service accounts in it."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from components import tags
from components.eks import policies
from components.hosts.policies import Place, assume_role_by_ec2, document, shell_access


class EksNodeRole(pulumi.ComponentResource):
    """The role of a cluster's nodes: join it, pull images, open a shell through Session Manager.

    It has no rights on network interfaces: those are the VPC CNI plugin's own, by Pod Identity.
    """

    arn: pulumi.Output[str]
    """ARN of the role, known only when its policies are attached: a node that starts with it can use them at once."""

    def __init__(
        self,
        name: str,
        place: Place,
        own_tags: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the role.

        Args:
            name: logical name.
            place: where ARNs point to.
            own_tags: tags besides ``Name``.
            opts: resource options.
        """
        super().__init__("timonel:index:EksNodeRole", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            assume_role_policy=assume_role_by_ec2(),
            description="Nodes of an EKS cluster",
            tags=tags.named(own_tags, name),
            opts=child,
        )
        attached: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=policies.managed_policy_arn(place.partition, policy),
                opts=child,
            )
            for policy in policies.NODE_POLICIES
        ]
        attached.append(
            aws.iam.RolePolicy(f"{name}-shell", role=role.name, policy=document([shell_access()]), opts=child)
        )
        self.arn = after(role.arn, attached)
        self.register_outputs({"arn": self.arn})


class PodRole(pulumi.ComponentResource):
    """A role for one service account, with its association (EKS Pod Identity).

    Let what makes the pods depend on this: a pod gets the credentials only when the association is there before it.
    """

    arn: pulumi.Output[str]
    """ARN of the role."""

    def __init__(
        self,
        name: str,
        *,
        cluster_name: str,
        place: Place,
        service_account: str,
        own_tags: Mapping[str, pulumi.Input[str]],
        managed_policy: str | None = None,
        policy: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make role and association.

        Args:
            name: logical name.
            cluster_name: the cluster's name in AWS.
            place: where ARNs point to.
            service_account: its name in ``kube-system``.
            own_tags: tags besides ``Name``.
            managed_policy: name of a policy that AWS maintains.
            policy: a policy document.
            opts: resource options; the association needs the cluster (``depends_on``).
        """
        super().__init__("timonel:index:PodRole", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        role_tags = tags.named(own_tags, name)
        role = aws.iam.Role(
            f"{name}-role",
            assume_role_policy=policies.pod_identity_trust(place.arn("eks", f"cluster/{cluster_name}"), place.account),
            description=f"kube-system/{service_account} of the EKS cluster {cluster_name}",
            tags=role_tags,
            opts=child,
        )
        attached: list[pulumi.Resource] = []
        if managed_policy:
            arn = policies.managed_policy_arn(place.partition, managed_policy)
            attached.append(aws.iam.RolePolicyAttachment(f"{name}-managed", role=role.name, policy_arn=arn, opts=child))
        if policy:
            attached.append(aws.iam.RolePolicy(f"{name}-policy", role=role.name, policy=policy, opts=child))
        aws.eks.PodIdentityAssociation(
            f"{name}-association",
            cluster_name=cluster_name,
            namespace="kube-system",
            service_account=service_account,
            role_arn=after(role.arn, attached),
            tags=role_tags,
            opts=child,
        )
        self.arn = role.arn
        self.register_outputs({"arn": self.arn})


def after(value: pulumi.Output[str], needs: list[pulumi.Resource]) -> pulumi.Output[str]:
    """``value``, resolved when ``needs`` exist too; by their URNs, which are known at preview."""
    return pulumi.Output.all(value, *(need.urn for need in needs)).apply(lambda values: str(values[0]))
