"""The component's roles, security groups, add-ons and access entries, child by child as the genuine one makes them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pulumi

from sandbox.providers.eks.aws import Resource, version

ADDON_DEFAULTS = {"resolveConflictsOnCreate": "OVERWRITE", "resolveConflictsOnUpdate": "OVERWRITE"}


def tags(name: str, *maps: Any) -> pulumi.Output[dict[str, str]]:
    """Put a Name tag and maps of tags together; later ones win."""
    return pulumi.Output.all(*maps).apply(lambda given: {"Name": name, **_merged(given)})


def _merged(maps: list[Mapping[str, str] | None]) -> dict[str, str]:
    return {key: value for item in maps for key, value in (item or {}).items()}


class ServiceRole(pulumi.ComponentResource):
    """A role for an AWS service with managed policies."""

    def __init__(
        self,
        name: str,
        service: str,
        policies: list[str],
        parent: pulumi.Resource,
        partition: pulumi.Output[str],
        **more: Any,
    ) -> None:
        """Make the role and its attachments.

        Args:
            name: the component's name.
            service: who may assume the role.
            policies: names of AWS-managed policies.
            parent: the cluster component.
            partition: AWS's partition.
            **more: ``actions`` of the trust policy, ``description`` and ``tags`` of the role.
        """
        super().__init__("eks:index:ServiceRole", name, {}, pulumi.ResourceOptions(parent=parent))
        here = pulumi.ResourceOptions(parent=self)
        actions = more.get("actions") or ["sts:AssumeRole"]
        statement = {"Action": actions, "Effect": "Allow", "Principal": {"Service": [service]}}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
        inputs = {"description": more.get("description"), "assumeRolePolicy": trust, "tags": more.get("tags")}
        self.role = Resource("aws:iam/role:Role", f"{name}-role", inputs, here, ["arn", "name"])
        self.attachments = [
            Resource(
                "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
                f"{name}-{_digest(policy)}",
                {"policyArn": _policy_arn(policy, partition), "role": self.role},
                here,
            )
            for policy in policies
        ]
        self.register_outputs({"directRole": self.role})


def _policy_arn(policy: str, partition: pulumi.Output[str]) -> pulumi.Output[str]:
    return partition.apply(lambda found: f"arn:{found}:iam::aws:policy/{policy}")


def _digest(policy: str) -> str:
    """What the genuine component puts into an attachment's name, so that names stay when it is used instead."""
    return hashlib.sha1(f"arn:aws:iam::aws:policy/{policy}".encode(), usedforsecurity=False).hexdigest()[:8]


def security_group(name: str, vpc: Any, labels: Any, parent: pulumi.Resource) -> Resource:
    """Make a security group."""
    inputs = {"vpcId": vpc, "revokeRulesOnDelete": True, "tags": labels}
    options = pulumi.ResourceOptions(parent=parent)
    return Resource("aws:ec2/securityGroup:SecurityGroup", name, inputs, options)


def rule(
    name: str, group: Any, kind: str, ports: tuple[str, int, int], parent: pulumi.Resource, **more: Any
) -> Resource:
    """Make a rule of a security group; ``ports`` are protocol, first and last port."""
    protocol, first, last = ports
    inputs = {"type": kind, "protocol": protocol, "fromPort": first, "toPort": last, "securityGroupId": group, **more}
    options = pulumi.ResourceOptions(parent=parent)
    token = "aws:ec2/securityGroupRule:SecurityGroupRule"  # noqa: S105 (a type, no secret)
    return Resource(token, name, inputs, options, ["securityGroupRuleId"])


EVERYTHING = ("-1", 0, 0)
HTTPS = ("tcp", 443, 443)
KUBELETS = ("tcp", 1025, 65535)


def node_security_group(
    name: str, vpc: Any, cluster_group: Any, labels: Any, parent: pulumi.Resource
) -> tuple[Resource, Resource]:
    """Make the nodes' group with its rules, and the rule with which nodes reach the API."""
    nodes = security_group(f"{name}-nodeSecurityGroup", vpc, labels, parent)
    rule(
        f"{name}-eksNodeIngressRule",
        nodes.id,
        "ingress",
        EVERYTHING,
        parent,
        self=True,
        description="Allow nodes to communicate with each other",
    )
    rule(
        f"{name}-eksNodeClusterIngressRule",
        nodes.id,
        "ingress",
        KUBELETS,
        parent,
        sourceSecurityGroupId=cluster_group,
        description="Allow worker Kubelets and pods to receive communication from the cluster control plane",
    )
    rule(
        f"{name}-eksExtApiServerClusterIngressRule",
        nodes.id,
        "ingress",
        HTTPS,
        parent,
        sourceSecurityGroupId=cluster_group,
        description="Allow pods running extension API servers on port 443 to receive communication from cluster "
        "control plane",
    )
    rule(
        f"{name}-eksNodeInternetEgressRule",
        nodes.id,
        "egress",
        EVERYTHING,
        parent,
        cidrBlocks=["0.0.0.0/0"],
        description="Allow internet access.",
    )
    ingress = rule(
        f"{name}-eksClusterIngressRule",
        cluster_group,
        "ingress",
        HTTPS,
        parent,
        sourceSecurityGroupId=nodes.id,
        description="Allow pods to communicate with the cluster API Server",
    )
    return nodes, ingress


def addon(name: str, addon_name: str, cluster: Resource, options: Mapping[str, Any], parent: pulumi.Resource) -> None:
    """Make an add-on; without a version it is the newest for the cluster's, as with the genuine component."""
    values = options.get("configurationValues")
    inputs = {
        "clusterName": cluster.name,
        "addonName": addon_name,
        "preserve": True,
        "tags": options.get("tags"),
        "addonVersion": options.get("version") or _newest(addon_name, cluster, parent),
        "configurationValues": pulumi.Output.json_dumps(values) if values is not None else None,
        **{key: options.get(key) or default for key, default in ADDON_DEFAULTS.items()},
    }
    Resource("aws:eks/addon:Addon", f"{name}-{addon_name}", inputs, pulumi.ResourceOptions(parent=parent))


def _newest(addon_name: str, cluster: Resource, parent: pulumi.Resource) -> pulumi.Output[str]:
    asked = {"addonName": addon_name, "kubernetesVersion": cluster.version, "mostRecent": True}
    options = pulumi.InvokeOptions(parent=parent, version=version("aws"))
    answer = pulumi.runtime.invoke_output("aws:eks/getAddonVersion:getAddonVersion", asked, options)
    return answer.apply(lambda found: str(found["version"]))


def access_entries(name: str, cluster: Resource, entries: Mapping[str, Any], parent: pulumi.Resource) -> None:
    """Make access entries and the associations of their policies."""
    for key, entry in entries.items():
        inputs = {
            "clusterName": cluster.name,
            "principalArn": entry["principalArn"],
            "kubernetesGroups": entry.get("kubernetesGroups"),
            "type": entry.get("type"),
            "userName": entry.get("username"),
            "tags": entry.get("tags"),
        }
        options = pulumi.ResourceOptions(parent=parent, depends_on=[cluster])
        made = Resource("aws:eks/accessEntry:AccessEntry", f"{name}-{key}", inputs, options)
        for label, association in (entry.get("accessPolicies") or {}).items():
            Resource(
                "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
                f"{name}-{key}-{label}",
                {
                    "accessScope": association["accessScope"],
                    "principalArn": entry["principalArn"],
                    "policyArn": association["policyArn"],
                    "clusterName": cluster.name,
                },
                pulumi.ResourceOptions(parent=made, depends_on=[made]),
            )
