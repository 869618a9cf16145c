"""The part in AWS: what carries the cluster's tags and lies in its VPC goes, whoever should have removed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from provider.aws import error_code
from provider.eks_teardown import volumes
from provider.eks_teardown.owned import Owner, is_remade, rules_referring, tags_of
from provider.eks_teardown.pace import Pace
from provider.eks_teardown.report import Report
from provider.handler import Context

TAGS_AT_ONCE = 20
"""Load balancers whose tags one call describes. Source: ELB API references, DescribeTags."""

GONE = frozenset(
    {
        "LoadBalancerNotFound",
        "TargetGroupNotFound",
        "InvalidGroup.NotFound",
        "InvalidNetworkInterfaceID.NotFound",
        "InvalidInstanceID.NotFound",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidPermission.NotFound",
        "ResourceNotFoundException",
    }
)
"""Answers that mean: somebody was quicker."""

NOT_YET = frozenset({"DependencyViolation", "ResourceInUse", "InvalidNetworkInterface.InUse", "OperationNotPermitted"})
"""Answers that may change by themselves: a load balancer's interfaces go a while after it did."""


class Sweep:
    """One sweep; each step may be run again."""

    def __init__(self, owner: Owner, context: Context, pace: Pace, report: Report) -> None:
        self.owner = owner
        self.context = context
        self.pace = pace
        self.report = report
        self._left: list[str] = []
        """What the current round could not remove."""

    def before_cluster(self, until: float) -> bool:
        """Everything that can go while nodes still run, until the point ``until`` of the pace.

        Returns:
            Whether no load balancer and no node of Karpenter is left.
        """
        self._nodes()
        steps = (self._balancers, self._target_groups, self._launch_templates, self._balancer_groups)
        self._repeat(steps, until)
        return not self._own_balancers() and not self._own_classic() and not self._own_nodes()

    def after_cluster(self, until: float) -> None:
        """The same again, and what nodes and the cluster itself left."""
        self._nodes()
        steps = (
            self._balancers,
            self._target_groups,
            self._launch_templates,
            self._volumes,
            self._interfaces,
            self._balancer_groups,
            self._cluster_groups,
            self._log_group,
        )
        self._repeat(steps, until)

    def _repeat(self, steps: Iterable[Callable[[], list[str]]], until: float) -> None:
        """Run the steps until none has anything left that time may still free."""
        while True:
            # What another removed since the last round is not listed again, and must not stay in the report.
            for label in self._left:
                self.report.left.pop(label, None)
            self._left = []
            waiting = [name for step in steps for name in step()]
            if not waiting:
                return
            if self.pace.waited >= until:
                return
            self.pace.say(f"waiting for AWS to let go of {', '.join(waiting)}")
            self.pace.rest()

    def _remove(self, label: str, call: Callable[..., Any], **arguments: Any) -> list[str]:
        """Make one delete. Returns the label while a later try may succeed."""
        from botocore.exceptions import ClientError  # noqa: PLC0415

        try:
            call(**arguments)
        except ClientError as error:
            code = error_code(error)
            if code in GONE:
                return []
            self._leave(label, str(error))
            return [label] if code in NOT_YET else []
        self.report.remove(label)
        return []

    def _leave(self, label: str, reason: str) -> None:
        self._left.append(label)
        self.report.leave(label, reason)

    # Load balancers.

    def _own_balancers(self) -> list[str]:
        elb = self.context.aws("elbv2")
        arns = [
            str(balancer["LoadBalancerArn"])
            for page in elb.get_paginator("describe_load_balancers").paginate()
            for balancer in page["LoadBalancers"]
            if balancer.get("VpcId") == self.owner.vpc_id
        ]
        return list(self._owned_arns(elb, arns))

    def _own_classic(self) -> list[str]:
        elb = self.context.aws("elb")
        names = [
            str(balancer["LoadBalancerName"])
            for page in elb.get_paginator("describe_load_balancers").paginate()
            for balancer in page["LoadBalancerDescriptions"]
            if balancer.get("VPCId") == self.owner.vpc_id
        ]
        owned = []
        for chunk in _chunks(names):
            for described in _described(lambda some: elb.describe_tags(LoadBalancerNames=some), chunk):
                if self.owner.owns_balancer(tags_of(described["Tags"])):
                    owned.append(str(described["LoadBalancerName"]))
        return owned

    def _owned_arns(self, elb: Any, arns: list[str]) -> Iterator[str]:
        for chunk in _chunks(arns):
            for described in _described(lambda some: elb.describe_tags(ResourceArns=some), chunk):
                if self.owner.owns_balancer(tags_of(described["Tags"])):
                    yield str(described["ResourceArn"])

    def _balancers(self) -> list[str]:
        waiting = []
        for arn in self._own_balancers():
            label = f"load balancer {arn}"
            # Somebody's own setting, which would refuse the delete for ever.
            self._unprotect(arn)
            waiting += self._remove(label, self.context.aws("elbv2").delete_load_balancer, LoadBalancerArn=arn)
        for name in self._own_classic():
            label = f"classic load balancer {name}"
            waiting += self._remove(label, self.context.aws("elb").delete_load_balancer, LoadBalancerName=name)
        return waiting

    def _unprotect(self, arn: str) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        elb = self.context.aws("elbv2")
        try:
            attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        except ClientError as error:
            if error_code(error) in GONE:
                return
            raise
        if {"Key": "deletion_protection.enabled", "Value": "true"} in attributes:
            off = [{"Key": "deletion_protection.enabled", "Value": "false"}]
            elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=off)
            self.report.note(f"load balancer {arn} had deletion protection; it is of the cluster, so it went with it")

    def _target_groups(self) -> list[str]:
        elb = self.context.aws("elbv2")
        arns = [
            str(group["TargetGroupArn"])
            for page in elb.get_paginator("describe_target_groups").paginate()
            for group in page["TargetGroups"]
            if group.get("VpcId") == self.owner.vpc_id
        ]
        return [
            name
            for arn in self._owned_arns(elb, arns)
            for name in self._remove(f"target group {arn}", elb.delete_target_group, TargetGroupArn=arn)
        ]

    # Nodes that Karpenter launched.

    def _own_nodes(self) -> list[str]:
        states = ["pending", "running", "stopping", "stopped"]
        filters = self._in_vpc(("instance-state-name", states), ("tag-key", ["karpenter.sh/nodepool"]))
        pages = self.context.aws("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        return [
            str(instance["InstanceId"])
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
            if self.owner.owns_node(tags_of(instance.get("Tags")))
        ]

    def _nodes(self) -> None:
        ec2 = self.context.aws("ec2")
        for instance in self._own_nodes():
            self._remove(f"instance {instance} of Karpenter", ec2.terminate_instances, InstanceIds=[instance])

    def _launch_templates(self) -> list[str]:
        ec2 = self.context.aws("ec2")
        pages = ec2.get_paginator("describe_launch_templates").paginate()
        return [
            name
            for page in pages
            for template in page["LaunchTemplates"]
            if self.owner.owns_template(tags_of(template.get("Tags")))
            for name in self._remove(
                f"launch template {template['LaunchTemplateName']} of Karpenter",
                ec2.delete_launch_template,
                LaunchTemplateId=template["LaunchTemplateId"],
            )
        ]

    def _volumes(self) -> list[str]:
        waiting = volumes.delete_marked(self.owner, self.context.aws("ec2"), self.report)
        self._left += waiting
        return waiting

    # Interfaces and security groups.

    def _groups(self) -> list[Mapping[str, Any]]:
        pages = self.context.aws("ec2").get_paginator("describe_security_groups").paginate(Filters=self._in_vpc())
        return [group for page in pages for group in page["SecurityGroups"]]

    def _interfaces(self) -> list[str]:
        ec2 = self.context.aws("ec2")
        groups = filter(lambda group: self.owner.owns_cluster_group(tags_of(group.get("Tags"))), self._groups())
        cluster_groups = [str(group["GroupId"]) for group in groups]
        pages = ec2.get_paginator("describe_network_interfaces").paginate(Filters=self._in_vpc())
        waiting = []
        for interface in (interface for page in pages for interface in page["NetworkInterfaces"]):
            group_ids = [group["GroupId"] for group in interface["Groups"]]
            if not self.owner.owns_interface(tags_of(interface.get("TagSet")), group_ids, cluster_groups):
                continue
            label = f"network interface {interface['NetworkInterfaceId']}"
            if interface["Status"] == "available":
                identifier = interface["NetworkInterfaceId"]
                waiting += self._remove(label, ec2.delete_network_interface, NetworkInterfaceId=identifier)
            else:
                self._leave(label, f"is {interface['Status']} ({interface.get('Description', '')})")
                waiting.append(label)
        return waiting

    def _balancer_groups(self) -> list[str]:
        return self._delete_groups(
            lambda group: self.owner.owns_balancer_group(group["GroupName"], tags_of(group.get("Tags")))
        )

    def _cluster_groups(self) -> list[str]:
        return self._delete_groups(lambda group: self.owner.owns_cluster_group(tags_of(group.get("Tags"))))

    def _delete_groups(self, owned: Callable[[Mapping[str, Any]], bool]) -> list[str]:
        ec2 = self.context.aws("ec2")
        groups = self._groups()
        waiting = []
        for group in filter(owned, groups):
            identifier = str(group["GroupId"])
            for other, direction, permissions in rules_referring(groups, identifier):
                revoke = getattr(ec2, f"revoke_security_group_{direction}")
                label = f"{direction} rules of {other} that name {identifier}"
                self._remove(label, revoke, GroupId=other, IpPermissions=permissions)
            label = f"security group {group['GroupName']} ({identifier})"
            waiting += self._remove(label, ec2.delete_security_group, GroupId=identifier)
        return waiting

    # The log group that EKS made again: the last lines of a control plane may come after Pulumi deleted the group.

    def _log_group(self) -> list[str]:
        logs = self.context.aws("logs")
        name = self.owner.log_group
        for group in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
            if group["logGroupName"] != name:
                continue
            arn = group.get("logGroupArn") or group["arn"].removesuffix(":*")
            if is_remade(logs.list_tags_for_resource(resourceArn=arn)["tags"]):
                return self._remove(
                    f"log group {name}, which EKS had made again", logs.delete_log_group, logGroupName=name
                )
            self.report.keep(f"log group {name}", "it has tags, so it is not one that EKS made again")
        return []

    def _in_vpc(self, *more: tuple[str, list[str]]) -> list[dict[str, Any]]:
        wanted = [("vpc-id", [self.owner.vpc_id]), *more]
        return [{"Name": name, "Values": values} for name, values in wanted]


def _described(describe: Callable[[list[str]], Any], chunk: list[str]) -> Iterator[Any]:
    """Tags of some load balancers or target groups; one that is gone fails the call for all, so then each is asked."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        yield from describe(chunk)["TagDescriptions"]
    except ClientError as error:
        if error_code(error) not in GONE:
            raise
        if len(chunk) > 1:
            for one in chunk:
                yield from _described(describe, [one])


def _chunks(items: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(items), TAGS_AT_ONCE):
        yield items[begin : begin + TAGS_AT_ONCE]
