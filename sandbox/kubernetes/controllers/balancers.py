"""Load balancers of Services and Ingresses.

Names, tags and finalizers: cloud-provider-aws (docs/service_controller.md) and the AWS Load Balancer Controller
(docs/guide/service, docs/guide/ingress). Followed: ``loadBalancerClass``, the annotation
``service.beta.kubernetes.io/aws-load-balancer-type`` (``nlb``; without it a classic one), ``ingressClassName: alb``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from sandbox.kubernetes.client import Object
from sandbox.kubernetes.controllers.cluster import Cluster, aws_tags, deleting, finalizers, specification

CLOUD_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
SERVICE_FINALIZER = "service.k8s.aws/resources"
INGRESS_FINALIZER = "ingress.k8s.aws/resources"
TYPE_ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer-type"
CONTROLLER_CLASS = "service.k8s.aws/nlb"
NAME_LIMIT = 32
"""Longest name of a load balancer: ELB API reference, CreateLoadBalancer."""


@dataclass(frozen=True)
class Wanted:
    """The load balancer of one object."""

    path: str
    thing: Object
    finalizer: str
    kind: str
    """``network``, ``application`` or ``classic``."""
    name: str
    group_name: str
    """Name of its security group."""
    tags: dict[str, str]
    port: int


def reconcile(cluster: Cluster) -> None:
    """One look at all Services and Ingresses."""
    wanted = [w for thing in cluster.api.list("/api/v1/services") if (w := of_service(cluster, thing))]
    ingresses = cluster.api.list("/apis/networking.k8s.io/v1/ingresses")
    wanted += [w for thing in ingresses if (w := of_ingress(cluster, thing))]
    for one in wanted:
        if not deleting(one.thing):
            _make(cluster, one)
        elif one.finalizer in finalizers(one.thing) and _remove(cluster, one):
            cluster.let_go(one.path, one.thing, one.finalizer)


def of_service(cluster: Cluster, service: Object) -> Wanted | None:
    """What a Service wants; None unless it is of type LoadBalancer and of a class that is served here."""
    metadata, spec = service["metadata"], service["spec"]
    chosen = spec.get("loadBalancerClass")
    if spec.get("type") != "LoadBalancer" or chosen not in {None, CONTROLLER_CLASS}:
        return None
    path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
    place, port = f"{metadata['namespace']}/{metadata['name']}", spec["ports"][0]["port"]
    if chosen == CONTROLLER_CLASS:
        tags = {
            "elbv2.k8s.aws/cluster": cluster.name,
            "service.k8s.aws/stack": place,
            "service.k8s.aws/resource": "LoadBalancer",
        }
        name = _controller_name(metadata)
        return Wanted(path, service, SERVICE_FINALIZER, "network", name, name, tags, port)
    kind = "network" if (metadata.get("annotations") or {}).get(TYPE_ANNOTATION) == "nlb" else "classic"
    # cloud-provider's DefaultLoadBalancerName: an a, then the uid without hyphens, cut.
    name = f"a{metadata['uid'].replace('-', '')}"[:NAME_LIMIT]
    tags = {**cluster.owned, "kubernetes.io/service-name": place}
    return Wanted(path, service, CLOUD_FINALIZER, kind, name, f"k8s-elb-{name}", tags, port)


def of_ingress(cluster: Cluster, ingress: Object) -> Wanted | None:
    """What an Ingress wants; None unless its class is alb."""
    metadata = ingress["metadata"]
    if ingress["spec"].get("ingressClassName") != "alb":
        return None
    path = f"/apis/networking.k8s.io/v1/namespaces/{metadata['namespace']}/ingresses/{metadata['name']}"
    tags = {
        "elbv2.k8s.aws/cluster": cluster.name,
        "ingress.k8s.aws/stack": f"{metadata['namespace']}/{metadata['name']}",
        "ingress.k8s.aws/resource": "LoadBalancer",
    }
    name = _controller_name(metadata)
    return Wanted(path, ingress, INGRESS_FINALIZER, "application", name, name, tags, 80)


def _controller_name(metadata: dict[str, Any]) -> str:
    """As the load balancer controller names: k8s, eight characters of namespace and name, a digest."""
    digest = hashlib.sha256(metadata["uid"].encode()).hexdigest()[:10]
    return f"k8s-{metadata['namespace'][:8].strip('-')}-{metadata['name'][:8].strip('-')}-{digest}"


def _make(cluster: Cluster, wanted: Wanted) -> None:
    shown = (wanted.thing.get("status") or {}).get("loadBalancer", {}).get("ingress")
    if shown:
        return
    cluster.hold(wanted.path, wanted.thing, wanted.finalizer)
    group = _group(cluster, wanted)
    host = _classic(cluster, wanted, group) if wanted.kind == "classic" else _balancer(cluster, wanted, group)
    cluster.api.patch(f"{wanted.path}/status", {"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}})


def _group(cluster: Cluster, wanted: Wanted) -> str:
    """Its security group, which the cluster's own lets in: the rule that keeps the group from being deleted first."""
    ec2 = cluster.aws("ec2")
    found = _groups(cluster, wanted)
    if found:
        return str(found[0]["GroupId"])
    made = ec2.create_security_group(
        GroupName=wanted.group_name,
        Description=f"Security group for Kubernetes ELB {wanted.name}",
        VpcId=cluster.vpc,
        TagSpecifications=specification("security-group", wanted.tags),
    )["GroupId"]
    if cluster.security_group:
        ec2.authorize_security_group_ingress(GroupId=cluster.security_group, IpPermissions=[_from(made)])
    return str(made)


def _groups(cluster: Cluster, wanted: Wanted) -> list[dict[str, Any]]:
    filters = [{"Name": "vpc-id", "Values": [cluster.vpc]}, {"Name": "group-name", "Values": [wanted.group_name]}]
    found: list[dict[str, Any]] = cluster.aws("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return found


def _from(group: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 30000, "ToPort": 32767, "UserIdGroupPairs": [{"GroupId": group}]}


def _classic(cluster: Cluster, wanted: Wanted, group: str) -> str:
    elb = cluster.aws("elb")
    made = elb.create_load_balancer(
        LoadBalancerName=wanted.name,
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": wanted.port, "InstancePort": 30000}],
        Subnets=cluster.subnets,
        SecurityGroups=[group],
        Tags=aws_tags(wanted.tags),
    )
    return str(made["DNSName"])


def _balancer(cluster: Cluster, wanted: Wanted, group: str) -> str:
    elb, tags = cluster.aws("elbv2"), aws_tags(wanted.tags)
    protocol = "TCP" if wanted.kind == "network" else "HTTP"
    balancer = elb.create_load_balancer(
        Name=wanted.name, Type=wanted.kind, Subnets=cluster.subnets, SecurityGroups=[group], Tags=tags
    )["LoadBalancers"][0]
    target = elb.create_target_group(
        Name=wanted.name, Protocol=protocol, Port=wanted.port, VpcId=cluster.vpc, TargetType="ip", Tags=tags
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol=protocol,
        Port=wanted.port,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}],
        Tags=tags,
    )
    return str(balancer["DNSName"])


def _remove(cluster: Cluster, wanted: Wanted) -> bool:
    """Whether everything is gone."""
    elb, ec2 = cluster.aws("elbv2"), cluster.aws("ec2")
    if wanted.kind == "classic":
        cluster.aws("elb").delete_load_balancer(LoadBalancerName=wanted.name)
    else:
        for balancer in _by_name(elb.describe_load_balancers, "LoadBalancers", wanted.name):
            elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        for target in _by_name(elb.describe_target_groups, "TargetGroups", wanted.name):
            elb.delete_target_group(TargetGroupArn=target["TargetGroupArn"])
    try:
        for group in _groups(cluster, wanted):
            if cluster.security_group:
                rule = _from(group["GroupId"])
                ec2.revoke_security_group_ingress(GroupId=cluster.security_group, IpPermissions=[rule])
            ec2.delete_security_group(GroupId=group["GroupId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "DependencyViolation":
            raise
        return False
    return True


def _by_name(describe: Any, result: str, name: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = describe(Names=[name])[result]
    except ClientError as error:
        if not error.response["Error"]["Code"].endswith("NotFound"):
            raise
        return []
    return found
