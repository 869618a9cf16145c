"""The search: every lister, in every region, narrowed to a stack or to any; what was made twice is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sandbox.leaks import ec2, services
from sandbox.leaks.model import Class, Client, Finding


@dataclass(frozen=True)
class Lister:
    """One kind of resource.

    Attributes:
        service: boto3's client name.
        kind: what its findings are called.
        find: yields them.
        tokens: Pulumi types that it covers, besides what goes with them.
        everywhere: whether the service has no regions.
    """

    service: str
    kind: str
    find: Callable[[Client], Iterator[Finding]]
    tokens: tuple[str, ...] = ()
    everywhere: bool = False


LISTERS = (
    Lister("ec2", "instance", ec2.instances, ("aws:ec2/instance:Instance",)),
    Lister("ec2", "volume", ec2.volumes, ("aws:ebs/volume:Volume",)),
    Lister("ec2", "snapshot", ec2.snapshots, ("aws:ebs/snapshot:Snapshot",)),
    Lister("ec2", "network interface", ec2.interfaces, ("aws:ec2/networkInterface:NetworkInterface",)),
    Lister("ec2", "vpc", ec2.vpcs, ("aws:ec2/vpc:Vpc",)),
    Lister("ec2", "subnet", ec2.subnets, ("aws:ec2/subnet:Subnet",)),
    Lister("ec2", "security group", ec2.security_groups, ("aws:ec2/securityGroup:SecurityGroup",)),
    Lister("ec2", "route table", ec2.route_tables, ("aws:ec2/routeTable:RouteTable",)),
    Lister("ec2", "internet gateway", ec2.internet_gateways, ("aws:ec2/internetGateway:InternetGateway",)),
    Lister("ec2", "nat gateway", ec2.nat_gateways, ("aws:ec2/natGateway:NatGateway",)),
    Lister("ec2", "elastic address", ec2.addresses, ("aws:ec2/eip:Eip",)),
    Lister("ec2", "vpc endpoint", ec2.endpoints, ("aws:ec2/vpcEndpoint:VpcEndpoint",)),
    Lister("ec2", "flow log", ec2.flow_logs, ("aws:ec2/flowLog:FlowLog",)),
    Lister("ec2", "launch template", ec2.launch_templates, ("aws:ec2/launchTemplate:LaunchTemplate",)),
    Lister("ec2", "key pair", ec2.key_pairs, ("aws:ec2/keyPair:KeyPair",)),
    Lister("autoscaling", "auto scaling group", services.groups, ("aws:autoscaling/group:Group",)),
    Lister("elbv2", "load balancer", services.balancers, ("aws:lb/loadBalancer:LoadBalancer",)),
    Lister("elb", "classic load balancer", services.classic_balancers, ("aws:elb/loadBalancer:LoadBalancer",)),
    Lister("elbv2", "target group", services.target_groups, ("aws:lb/targetGroup:TargetGroup",)),
    Lister("eks", "eks cluster", services.clusters, ("aws:eks/cluster:Cluster",)),
    Lister(
        "iam",
        "oidc provider",
        services.oidc_providers,
        ("aws:iam/openIdConnectProvider:OpenIdConnectProvider",),
        everywhere=True,
    ),
    Lister("iam", "iam role", services.roles, ("aws:iam/role:Role",), everywhere=True),
    Lister("iam", "iam policy", services.policies, ("aws:iam/policy:Policy",), everywhere=True),
    Lister("iam", "instance profile", services.profiles, ("aws:iam/instanceProfile:InstanceProfile",), everywhere=True),
    Lister("kms", "kms key", services.keys, ("aws:kms/key:Key",)),
    Lister("kms", "kms alias", services.aliases, ("aws:kms/alias:Alias",)),
    Lister("s3", "bucket", services.buckets, ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"), everywhere=True),
    Lister("secretsmanager", "secret", services.secrets, ("aws:secretsmanager/secret:Secret",)),
    Lister("logs", "log group", services.log_groups, ("aws:cloudwatch/logGroup:LogGroup",)),
    Lister("cloudwatch", "alarm", services.alarms, ("aws:cloudwatch/metricAlarm:MetricAlarm",)),
    Lister("sns", "topic", services.topics, ("aws:sns/topic:Topic",)),
    Lister("ssm", "parameter", services.parameters, ("aws:ssm/parameter:Parameter",)),
)

GOES_WITH = {
    "aws:autoscaling/lifecycleHook:LifecycleHook": "auto scaling group",
    "aws:autoscaling/policy:Policy": "auto scaling group",
    "aws:cloudwatch/logStream:LogStream": "log group",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "vpc",
    "aws:ec2/route:Route": "route table",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "subnet",
    "aws:ec2/volumeAttachment:VolumeAttachment": "volume",
    "aws:eks/accessEntry:AccessEntry": "eks cluster",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": "eks cluster",
    "aws:eks/addon:Addon": "eks cluster",
    "aws:eks/fargateProfile:FargateProfile": "eks cluster",
    "aws:eks/identityProviderConfig:IdentityProviderConfig": "eks cluster",
    "aws:eks/nodeGroup:NodeGroup": "eks cluster",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "eks cluster",
    "aws:iam/rolePolicy:RolePolicy": "iam role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "iam role",
    "aws:lb/listener:Listener": "load balancer",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "bucket",
    "aws:s3/bucketObject:BucketObject": "bucket",
    "aws:s3/bucketObjectv2:BucketObjectv2": "bucket",
    "aws:s3/bucketPolicy:BucketPolicy": "bucket",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "bucket",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "bucket",
    "aws:s3/bucketVersioning:BucketVersioning": "bucket",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "secret",
    "aws:secretsmanager/secretVersion:SecretVersion": "secret",
    "aws:sns/topicSubscription:TopicSubscription": "topic",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "security group",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "security group",
}
"""Types that cannot outlive another kind that is listed."""


def search(
    clients: dict[str, Client],
    stack: str | None,
    *,
    whole_account: bool,
    clusters: Iterable[str] = (),
    listers: Any = LISTERS,
) -> list[Finding]:
    """Everything that is left.

    Args:
        clients: region -> (service -> client).
        stack: "project/stack" to look for; None for any stack.
        whole_account: also what carries no tag of ours (only sensible in an account that has nothing else).
        clusters: names of EKS clusters whose controllers' things count as the stack's too, since those carry the
            cluster's tags only. A cluster or VPC with the stack's tag that still exists need not be named.
        listers: which kinds.
    """
    everything = [
        finding if finding.region else replace(finding, region=region)
        for number, (region, client) in enumerate(clients.items())
        for lister in listers
        if not (lister.everywhere and number)
        for finding in lister.find(client)
    ]
    found = [f for f in everything if (stack is None and whole_account) or _is_of(stack, f)]
    own_clusters = {*clusters, *(f.id for f in found if f.kind == "eks cluster")}
    own_vpcs = {f.id for f in found if f.kind == "vpc"}
    found += [f for f in everything if f not in found and _is_made_by(f, own_clusters, own_vpcs)]
    return sorted(_twins(found), key=lambda f: (f.klass != Class.LEFT_BEHIND, str(f.klass), f.kind, f.name, f.id))


def _is_of(stack: str | None, finding: Finding) -> bool:
    return finding.stack == stack if stack else bool(finding.stack)


def _is_made_by(finding: Finding, clusters: Collection[str], vpcs: Collection[str]) -> bool:
    """Whether controllers of one of the clusters made it, or any cluster's in one of the VPCs."""
    return not finding.stack and bool(finding.cluster) and (finding.cluster in clusters or finding.vpc in vpcs)


def _twins(found: Iterable[Finding]) -> Iterator[Finding]:
    """Name those that share kind, stack and Name with another: one of them was probably made twice."""
    same: dict[tuple[str, ...], list[str]] = defaultdict(list)
    found = list(found)
    for finding in found:
        if finding.name and finding.stack and not finding.group_made and finding.klass is Class.LEFT_BEHIND:
            same[finding.kind, finding.stack, finding.name, finding.region].append(finding.id)
    for finding in found:
        others = [
            i for i in same.get((finding.kind, finding.stack, finding.name, finding.region), ()) if i != finding.id
        ]
        if others and finding.klass is Class.LEFT_BEHIND and not finding.group_made:
            yield finding.noted(f"made twice? same kind, stack and Name as {', '.join(others)}")
        else:
            yield finding


def of_token(token: str) -> Lister | None:
    """The lister for resources of a Pulumi type; None when it goes with another or is unknown."""
    return next((lister for lister in LISTERS if token in lister.tokens), None)
