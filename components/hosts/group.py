"""HostGroup: instances that AWS replaces by itself."""

import base64

import pulumi
import pulumi_aws as aws

from components import tags
from components.hosts.args import HostGroupArgs, Purchase

LAUNCH_HOOK = "timonel-launch"
TERMINATE_HOOK = "timonel-terminate"
LAUNCH_HEARTBEAT_SECONDS = 600
"""An instance that says nothing for so long after its launch is given up. Boot and apt come before the agent's first
heartbeat (it then beats every minute); AWS allows 30 to 7200 s, default 3600 (Auto Scaling API, PutLifecycleHook)."""
TERMINATE_HEARTBEAT_SECONDS = 300
"""An instance whose agent is dead is let go after so long; a living one beats every minute and is not limited by it."""
QUORUM_REFRESH = (100, 110)
"""Fewest and most per cent during an instance refresh: add one, then take one away. 110 allows one more in groups of
1 to 10, given that AWS rounds the most up (its API reference gives the ranges, 0-100 and 100-200, not the rounding)."""
BATCH_REFRESH = (100, 125)
"""Workers go in batches of a quarter, each launched before the old ones leave: capacity never falls."""
_METRICS = [
    aws.autoscaling.Metric.GROUP_DESIRED_CAPACITY,
    aws.autoscaling.Metric.GROUP_IN_SERVICE_INSTANCES,
    aws.autoscaling.Metric.GROUP_PENDING_INSTANCES,
    aws.autoscaling.Metric.GROUP_TERMINATING_INSTANCES,
]


class HostGroup(pulumi.ComponentResource):
    """A launch template, an Auto Scaling group over the given subnets, its lifecycle hooks and scaling policy.

    ``up`` does not wait for the instances: the cluster's readiness gate does, and knows more than AWS. A group that
    goes is brought to no instances first, through its hooks: so a worker pool that is taken out of a living cluster is
    drained. Groups of a quorum are force-deleted, since scale-in protection would hold them; what must happen before is
    the closing mark's business.
    """

    group_name: pulumi.Output[str]
    """Name of the Auto Scaling group."""
    template_version: pulumi.Output[str]
    """``ID/NUMBER`` of the launch template; a change of it starts an instance refresh."""

    def __init__(self, name: str, args: HostGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the group.

        Args:
            name: logical name, and the instances' ``Name``.
            args: see :class:`HostGroupArgs`.
            opts: resource options.
        """
        super().__init__("timonel:index:HostGroup", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self._tags = tags.named(args["tags"], name)
        self._purchase = Purchase(args.get("purchase", Purchase.ON_DEMAND))

        template = self._create_template()
        group = self._create_group(template)
        self.hooks = self._create_hooks(group)
        """The lifecycle hooks, for what must be deleted before them."""
        if "target_cpu_percent" in args:
            self._create_scaling(group, int(args["target_cpu_percent"]))

        self.group_name = group.name
        self.template_version = pulumi.Output.format("{0}/{1}", template.id, template.latest_version)
        self.register_outputs({"group_name": self.group_name, "template_version": self.template_version})

    def _create_template(self) -> aws.ec2.LaunchTemplate:
        args = self._args
        tagged = ["instance", "volume", "network-interface"]
        if self._purchase is Purchase.SPOT:  # EC2 refuses this tag specification on an on-demand launch
            tagged.append("spot-instances-request")
        return aws.ec2.LaunchTemplate(
            f"{self._name}-template",
            image_id=args["image_id"],
            instance_type=args["instance_types"][0],
            user_data=pulumi.Output.from_input(args["user_data"]).apply(
                lambda script: base64.b64encode(script.encode()).decode()
            ),
            iam_instance_profile={"arn": args["instance_profile_arn"]},
            vpc_security_group_ids=args["security_group_ids"],
            block_device_mappings=[
                {
                    "device_name": args["root_device_name"],
                    "ebs": {
                        "volume_size": int(args["disk_gib"]),
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": int(args.get("metadata_hop_limit", 1)),
                "instance_metadata_tags": "enabled",  # the agent reads its group's name there
            },
            monitoring={"enabled": True},
            tag_specifications=[{"resource_type": kind, "tags": self._tags} for kind in tagged],
            tags=self._tags,
            opts=self._child,
        )

    def _create_group(self, template: aws.ec2.LaunchTemplate) -> aws.autoscaling.Group:
        args = self._args
        is_quorum = args.get("enable_quorum_care", False)
        min_size, max_size = int(args["min_size"]), int(args["max_size"])
        least, most = QUORUM_REFRESH if is_quorum else BATCH_REFRESH
        # By number: `$Latest` would neither show a diff nor start a refresh.
        version = template.latest_version.apply(str)
        launch_template: aws.autoscaling.GroupLaunchTemplateArgsDict | None = None
        mixed: aws.autoscaling.GroupMixedInstancesPolicyArgsDict | None = None
        if self._purchase is Purchase.ON_DEMAND:
            launch_template = {"id": template.id, "version": version}
        else:
            mixed = self._mixed_instances(template, version)
        return aws.autoscaling.Group(
            f"{self._name}-group",
            min_size=min_size,
            max_size=max_size,
            # A size that may move is AWS's (scaling policies, operators): saying it here would undo them.
            desired_capacity=min_size if min_size == max_size else None,
            vpc_zone_identifiers=args["subnet_ids"],
            launch_template=launch_template,
            mixed_instances_policy=mixed,
            capacity_rebalance=self._purchase is not Purchase.ON_DEMAND,
            # EC2's view only: a load balancer's health check once killed every manager of a swarm at a stroke.
            health_check_type="EC2",
            health_check_grace_period=60,
            protect_from_scale_in=is_quorum,
            suspended_processes=["AZRebalance"] if is_quorum else None,
            target_group_arns=args.get("target_group_arns", []),
            instance_refresh={
                "strategy": "Rolling",
                "preferences": {
                    "min_healthy_percentage": least,
                    "max_healthy_percentage": most,
                    # The launch hook lets an instance in when it has joined; this is a look at it before the next.
                    "instance_warmup": "30",
                    "scale_in_protected_instances": "Refresh",
                    "standby_instances": "Terminate",
                    "skip_matching": True,
                    "auto_rollback": False,  # a template named by number has nothing that AWS could roll back to
                },
            },
            enabled_metrics=_METRICS,
            metrics_granularity="1Minute",
            wait_for_capacity_timeout="0",
            force_delete=is_quorum,
            tags=[{"key": key, "value": self._tags[key], "propagate_at_launch": True} for key in sorted(self._tags)],
            opts=self._child,
        )

    def _mixed_instances(
        self, template: aws.ec2.LaunchTemplate, version: pulumi.Output[str]
    ) -> aws.autoscaling.GroupMixedInstancesPolicyArgsDict:
        base = 0 if self._purchase is Purchase.SPOT else int(self._args.get("on_demand_base", 1))
        return {
            "launch_template": {
                "launch_template_specification": {"launch_template_id": template.id, "version": version},
                "overrides": [{"instance_type": instance_type} for instance_type in self._args["instance_types"]],
            },
            "instances_distribution": {
                "on_demand_base_capacity": base,
                "on_demand_percentage_above_base_capacity": 0,
                "spot_allocation_strategy": "price-capacity-optimized",
            },
        }

    def _create_hooks(self, group: aws.autoscaling.Group) -> list[pulumi.Resource]:
        # A group takes its hooks with it; deleted before it, they would let its instances go undrained.
        own = pulumi.ResourceOptions(parent=self, deleted_with=group)
        return [
            aws.autoscaling.LifecycleHook(
                f"{self._name}-launch-hook",
                name=LAUNCH_HOOK,
                autoscaling_group_name=group.name,
                lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                heartbeat_timeout=LAUNCH_HEARTBEAT_SECONDS,
                default_result="ABANDON",
                opts=own,
            ),
            aws.autoscaling.LifecycleHook(
                f"{self._name}-terminate-hook",
                name=TERMINATE_HOOK,
                autoscaling_group_name=group.name,
                lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
                heartbeat_timeout=TERMINATE_HEARTBEAT_SECONDS,
                default_result="CONTINUE",
                opts=own,
            ),
        ]

    def _create_scaling(self, group: aws.autoscaling.Group, target_cpu_percent: int) -> None:
        aws.autoscaling.Policy(
            f"{self._name}-scaling",
            autoscaling_group_name=group.name,
            policy_type="TargetTrackingScaling",
            target_tracking_configuration={
                "predefined_metric_specification": {"predefined_metric_type": "ASGAverageCPUUtilization"},
                "target_value": float(target_cpu_percent),
            },
            opts=self._child,
        )
