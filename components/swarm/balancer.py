"""TcpBalancer: a network load balancer that passes TCP through to instances."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components import tags

DEREGISTRATION_SECONDS = 30
"""A spot instance has 120 s from notice to end, and its services have to be drained in them too."""
_HEALTH_SECONDS = 10
_HEALTH_TIMEOUT = 5
_HEALTH_COUNT = 2


class TcpPortArgs(TypedDict):
    """A port that the balancer listens on."""

    name: str
    """Required. Logical name of the target group, and of the listener before ``-listener``; frozen."""
    port: int
    """Required. Listener port."""
    target_port: int
    """Required. Port on the instances."""
    preserve_client_ip: bool
    """Required. Whether instances see the client's address. False lets instances reach themselves through it."""
    health_port: NotRequired[int]
    """Port that is asked for ``health_path`` over HTTP. Default: the target port must accept connections."""
    health_path: NotRequired[str]
    """Path that must answer 200. Needed with ``health_port``."""


class TcpBalancerArgs(TypedDict):
    """Arguments of TcpBalancer."""

    vpc_id: pulumi.Input[str]
    """Required."""
    subnet_ids: pulumi.Input[list[pulumi.Input[str]]]
    """Required. Public ones when it faces the internet."""
    is_internal: bool
    """Required. Whether it has private addresses only."""
    security_group_id: pulumi.Input[str]
    """Required. AWS takes it at creation only."""
    ports: list[TcpPortArgs]
    """Required."""
    enable_protection: bool
    """Required. Refuse to delete it."""
    tags: dict[str, pulumi.Input[str]]
    """Required. Tags besides ``Name``."""


class TcpBalancer(pulumi.ComponentResource):
    """A network load balancer with a target group and a listener per port. TLS passes through unopened."""

    dns_name: pulumi.Output[str]
    """Its name."""
    target_group_arns: list[pulumi.Output[str]]
    """One per port, in their order; groups put their instances in. Known once the listener exists."""

    def __init__(self, name: str, args: TcpBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the balancer.

        Args:
            name: logical name.
            args: see :class:`TcpBalancerArgs`.
            opts: resource options.
        """
        super().__init__("timonel:index:TcpBalancer", name, {}, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        own_tags = tags.named(args["tags"], name)
        balancer = aws.lb.LoadBalancer(
            name,
            load_balancer_type="network",
            internal=args["is_internal"],
            subnets=args["subnet_ids"],
            security_groups=[args["security_group_id"]],
            # Targets may sit in fewer zones than the balancer: one manager, two zones.
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=args["enable_protection"],
            tags=own_tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args["enable_protection"]),
        )
        self.dns_name = balancer.dns_name
        self.target_group_arns = [self._create_port(balancer, port) for port in args["ports"]]
        self.register_outputs({"dns_name": self.dns_name, "target_group_arns": self.target_group_arns})

    def _create_port(self, balancer: aws.lb.LoadBalancer, port: TcpPortArgs) -> pulumi.Output[str]:
        name = port["name"]
        own_tags = tags.named(self._args["tags"], name)
        has_health_port = "health_port" in port
        target_group = aws.lb.TargetGroup(
            name,
            vpc_id=self._args["vpc_id"],
            protocol="TCP",
            port=port["target_port"],
            target_type="instance",
            preserve_client_ip=str(port["preserve_client_ip"]).lower(),
            deregistration_delay=DEREGISTRATION_SECONDS,
            connection_termination=True,
            health_check={
                "protocol": "HTTP" if has_health_port else "TCP",
                "port": str(port["health_port"]) if has_health_port else "traffic-port",
                "path": port.get("health_path"),
                "matcher": "200" if has_health_port else None,
                "interval": _HEALTH_SECONDS,
                "timeout": _HEALTH_TIMEOUT,
                "healthy_threshold": _HEALTH_COUNT,
                "unhealthy_threshold": _HEALTH_COUNT,
            },
            tags=own_tags,
            opts=self._child,
        )
        listener = aws.lb.Listener(
            f"{name}-listener",
            load_balancer_arn=balancer.arn,
            port=port["port"],
            protocol="TCP",
            default_actions=[{"type": "forward", "target_group_arn": target_group.arn}],
            tags=own_tags,
            opts=self._child,
        )
        return pulumi.Output.all(target_group.arn, listener.arn).apply(lambda arns: str(arns[0]))
