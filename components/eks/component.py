"""EksCluster: an EKS cluster that is secure by default, current, and cheap to leave."""

import datetime
import hashlib
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks

from components import naming, tags
from components.cluster import Platform
from components.eks import checks, lookups, plan, policies, transforms
from components.eks.args import AccessPolicy, EksClusterArgs
from components.eks.identity import EksNodeRole, PodRole
from components.eks.kubeconfig import Api, api_of, render
from components.eks.node_pool import EksNodePool
from components.hosts.policies import Place
from components.timonel_provider import AwsAccessArgs, EksSweep


class EksCluster(pulumi.ComponentResource):
    """A control plane with its logs and key, who may use it, node pools, and the add-ons without which no pod runs.

    It makes no VPC, and nothing inside the cluster's own API: that is ``EksSystem``, which needs a provider made from
    this component's ``provider_args``. What differs from ``pulumi_eks.Cluster``'s defaults, and why, is in
    ``docs/eks.md``.
    """

    endpoint: pulumi.Output[str]
    """The Kubernetes API, ``https://HOST``."""
    cluster_name: pulumi.Output[str]
    """Name of the cluster in AWS."""
    kubeconfig: pulumi.Output[str]
    """Secret. JSON for ``kubectl`` and other clients; needs the ``aws`` program and credentials, and holds neither."""
    oidc_issuer: pulumi.Output[str]
    """URL of the issuer of service accounts' tokens, for identity providers outside."""
    nodes_security_group_id: pulumi.Output[str]
    """Security group that every node, and the control plane's side in the VPC, is in: EKS's own."""
    log_group_name: pulumi.Output[str]
    """Log group of the control plane."""

    def __init__(self, name: str, args: EksClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the cluster.

        Args:
            name: logical name, at most 17 characters.
            args: see :class:`EksClusterArgs`.
            opts: resource options.

        Raises:
            InputError: an argument that cannot work, before any child is registered.
        """
        naming.check_component_name(name)
        today = datetime.datetime.now(datetime.UTC).date()
        self._plan = checks.check(args, plan.default_name(name), today)
        super().__init__("timonel:index:EksCluster", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self._lookup = pulumi.InvokeOptions(parent=self)
        self._tags: dict[str, pulumi.Input[str]] = {**tags.common(self._plan.tags)}
        self._place = self._find_place()
        self._access = args.get("access", AwsAccessArgs(region=self._place.region))
        lookups.check_instance_types(self._plan, self._place.region, self._lookup)
        admins = self._find_admins()
        running = lookups.running_version(self._plan.cluster_name, self._lookup)
        ahead = checks.check_upgrade(self._plan.version, running)
        for warning in [*checks.warnings(self._plan, today), *([ahead] if ahead else [])]:
            pulumi.log.warn(warning, self)

        sweep = self._create_sweep()
        logs = self._create_log_group(sweep)
        self._control_plane = self._create_control_plane(
            [sweep, logs], self._create_key(), keep_version=checks.is_there(self._plan.version, running)
        )
        # By name, not by an output: an update of the cluster makes its outputs unknown, and what needs a new name is
        # replaced. So the order must be said.
        self._in_cluster = pulumi.ResourceOptions(parent=self, depends_on=[self._control_plane])
        # EKS has one entry for each principal: its successor would meet it.
        self._one_at_a_time = pulumi.ResourceOptions(
            parent=self, depends_on=[self._control_plane], delete_before_replace=True
        )
        access = self._create_access(admins)
        identities = self._create_pod_identities()
        early = self._create_addons(self._plan.addons_before_nodes, [])
        self._pools = self._create_pools([*early, *identities])
        late = self._create_addons(self._plan.addons_after_nodes, self._pools)

        self._ready: list[pulumi.Resource] = [self._control_plane, *access, *identities, *early, *self._pools, *late]
        api = self._control_plane.kubeconfig.apply(api_of)
        self._api = api
        self.endpoint = api.apply(lambda found: found.server)
        self.cluster_name = pulumi.Output.from_input(self._plan.cluster_name)
        self.kubeconfig = pulumi.Output.secret(api.apply(self._render_for_operators))
        self.oidc_issuer = self._control_plane.oidc_provider_url
        self.nodes_security_group_id = self._control_plane.cluster_security_group_id
        self.log_group_name = logs.name
        self.register_outputs(
            {
                "endpoint": self.endpoint,
                "cluster_name": self.cluster_name,
                "kubeconfig": self.kubeconfig,
                "oidc_issuer": self.oidc_issuer,
                "nodes_security_group_id": self.nodes_security_group_id,
                "log_group_name": self.log_group_name,
            }
        )

    # The Cluster protocol, besides endpoint and nodes_security_group_id

    @property
    def platform(self) -> Platform:
        """Which API the cluster speaks."""
        return Platform.KUBERNETES

    @property
    def provider_args(self) -> Mapping[str, pulumi.Input[str]]:
        """Secret. Arguments of a kubernetes provider, which reaches AWS as the other providers do."""
        return {
            "kubeconfig": pulumi.Output.secret(self._api.apply(self._render_for_providers)),
            # Without, a change of the kubeconfig looks like another cluster, and everything in it is replaced.
            "cluster_identifier": self.arn,
        }

    @property
    def lifeline(self) -> pulumi.Resource:
        """The control plane: with it goes all that is in the cluster."""
        return self._control_plane

    # For what is put into the cluster

    @property
    def name_in_aws(self) -> str:
        """``cluster_name`` as plain text: a name that an update made unknown would replace what carries it."""
        return self._plan.cluster_name

    @property
    def arn(self) -> str:
        """ARN of the cluster."""
        return self._place.arn("eks", f"cluster/{self._plan.cluster_name}")

    @property
    def ready(self) -> Sequence[pulumi.Resource]:
        """All that must be there before a pod runs as it should; for ``depends_on``."""
        return self._ready

    @property
    def access(self) -> AwsAccessArgs:
        """How Timonel's own provider reaches AWS."""
        return self._access

    # What is looked up

    def _find_place(self) -> Place:
        return Place(
            partition=aws.get_partition(opts=self._lookup).partition,
            region=aws.get_region(opts=self._lookup).region,
            account=aws.get_caller_identity(opts=self._lookup).account_id,
        )

    def _find_admins(self) -> list[str]:
        if self._plan.admins is not None:
            return self._plan.admins
        deployer = lookups.deployer(self._lookup)
        checks.check_principal("admins", deployer)
        return [deployer]

    # What is made

    def _create_sweep(self) -> EksSweep:
        network = self._args["network"]
        # The subnets as well as the VPC: what is swept lies in them, and it must be gone before they go.
        after_subnets = pulumi.Output.all(network["vpc_id"], network["private_subnet_ids"])
        return EksSweep(
            f"{self._name}-sweep",
            access=self._access,
            cluster_name=self._plan.cluster_name,
            vpc_id=after_subnets.apply(lambda found: str(found[0])),
            opts=self._child,
        )

    def _create_log_group(self, sweep: EksSweep) -> aws.cloudwatch.LogGroup:
        """Before the cluster: EKS would make it itself, to keep for ever."""
        return aws.cloudwatch.LogGroup(
            f"{self._name}-logs",
            name=f"/aws/eks/{self._plan.cluster_name}/cluster",
            retention_in_days=self._plan.log_retention_days,
            tags=tags.named(self._tags, f"{self._name}-logs"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[sweep]),
        )

    def _create_key(self) -> pulumi.Input[str] | None:
        if not self._plan.secrets_key:
            return None
        if "secrets_key_arn" in self._args:
            return self._args["secrets_key_arn"]
        key = aws.kms.Key(
            f"{self._name}-secrets",
            description=f"Kubernetes secrets of the EKS cluster {self._plan.cluster_name}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=tags.named(self._tags, f"{self._name}-secrets"),
            opts=pulumi.ResourceOptions(parent=self, protect=self._plan.protection),
        )
        return key.arn

    def _create_control_plane(
        self, after: Sequence[pulumi.Resource], key: pulumi.Input[str] | None, *, keep_version: bool
    ) -> eks.Cluster:
        made, network = self._plan, self._args["network"]
        return eks.Cluster(
            self._name,
            name=made.cluster_name,
            version=made.version,
            vpc_id=network["vpc_id"],
            private_subnet_ids=network["private_subnet_ids"],
            # EKS's own security group joins control plane and nodes; two more of pulumi_eks would add nothing.
            skip_default_security_groups=True,
            skip_default_node_group=True,
            create_instance_role=False,
            create_oidc_provider=False,
            # Every add-on is ours, with its version pinned.
            bootstrap_self_managed_addons=False,
            use_default_vpc_cni=True,
            kube_proxy_addon_options={"enabled": False},
            coredns_addon_options={"enabled": False},
            auto_mode={"enabled": True} if made.auto_mode else None,
            authentication_mode=eks.AuthenticationMode.API,
            endpoint_private_access=True,
            endpoint_public_access=bool(made.public_access_cidrs),
            public_access_cidrs=made.public_access_cidrs or None,
            kubernetes_service_ip_address_range=made.service_cidr,
            enabled_cluster_log_types=[each.value for each in made.log_types],
            encryption_config_key_arn=key,
            upgrade_policy={"support_type": "EXTENDED" if made.extended_support else "STANDARD"},
            deletion_protection=made.protection,
            tags=self._tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                protect=made.protection,
                transforms=[transforms.control_plane(zonal_shift=made.zonal_shift, keep_version=keep_version)],
            ),
        )

    def _create_access(self, admins: Sequence[str]) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        for arn in admins:
            suffix = f"admin-{principal_suffix(arn)}"
            entry = self._create_entry(suffix, arn, [])
            made += [entry, self._associate(suffix, entry, AccessPolicy.CLUSTER_ADMIN, [])]
        for each in self._plan.access_entries:
            suffix = f"access-{each['name']}"
            entry = self._create_entry(suffix, each["principal_arn"], each.get("kubernetes_groups", []))
            made.append(entry)
            if "policy" in each:
                policy = AccessPolicy(each["policy"])
                made.append(self._associate(suffix, entry, policy, each.get("namespaces", [])))
        return made

    def _create_entry(self, suffix: str, principal: pulumi.Input[str], groups: Sequence[str]) -> aws.eks.AccessEntry:
        return aws.eks.AccessEntry(
            f"{self._name}-{suffix}",
            cluster_name=self._plan.cluster_name,
            principal_arn=principal,
            type="STANDARD",
            kubernetes_groups=sorted(groups) or None,
            tags=tags.named(self._tags, f"{self._name}-{suffix}"),
            opts=self._one_at_a_time,
        )

    def _associate(
        self, suffix: str, entry: aws.eks.AccessEntry, policy: AccessPolicy, namespaces: Sequence[str]
    ) -> aws.eks.AccessPolicyAssociation:
        return aws.eks.AccessPolicyAssociation(
            f"{self._name}-{suffix}",
            cluster_name=self._plan.cluster_name,
            principal_arn=entry.principal_arn,
            policy_arn=policies.access_policy_arn(self._place.partition, policy),
            access_scope={"type": "namespace", "namespaces": sorted(namespaces)} if namespaces else {"type": "cluster"},
            opts=self._one_at_a_time,
        )

    def _create_pod_identities(self) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        if "vpc-cni" in self._plan.addons_before_nodes:
            made.append(self._create_pod_role("cni", "aws-node", policies.CNI_POLICY))
        if "aws-ebs-csi-driver" in self._plan.addons_after_nodes:
            made.append(self._create_pod_role("ebs-csi", "ebs-csi-controller-sa", policies.EBS_CSI_POLICY))
        for each in self._plan.pod_identities:
            suffix = f"identity-{each['namespace']}-{each['service_account']}"
            association = aws.eks.PodIdentityAssociation(
                f"{self._name}-{suffix}",
                cluster_name=self._plan.cluster_name,
                namespace=each["namespace"],
                service_account=each["service_account"],
                role_arn=each["role_arn"],
                tags=tags.named(self._tags, f"{self._name}-{suffix}"),
                opts=self._in_cluster,
            )
            made.append(association)
        return made

    def _create_pod_role(self, suffix: str, service_account: str, managed_policy: str) -> PodRole:
        return PodRole(
            f"{self._name}-{suffix}",
            cluster_name=self._plan.cluster_name,
            place=self._place,
            service_account=service_account,
            own_tags=self._tags,
            managed_policy=managed_policy,
            opts=self._in_cluster,
        )

    def _create_addons(self, names: Sequence[str], after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        return [
            aws.eks.Addon(
                f"{self._name}-{addon}",
                cluster_name=self._plan.cluster_name,
                addon_name=addon,
                addon_version=self._plan.addon_version(addon),
                resolve_conflicts_on_create="OVERWRITE",
                # What somebody changed by hand in the cluster stays, as far as EKS can keep it.
                resolve_conflicts_on_update="PRESERVE",
                tags=tags.named(self._tags, f"{self._name}-{addon}"),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self._control_plane, *after]),
            )
            for addon in names
        ]

    def _create_pools(self, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        if not self._plan.pools:
            return []
        role = EksNodeRole(f"{self._name}-node", self._place, self._tags, self._child)
        return [
            EksNodePool(
                f"{self._name}-pool-{pool.name}",
                pool,
                {
                    "cluster_name": self._plan.cluster_name,
                    "version": self._plan.version,
                    "role_arn": role.arn,
                    "subnet_ids": self._args["network"]["private_subnet_ids"],
                    "tags": self._tags,
                },
                pulumi.ResourceOptions(parent=self, depends_on=[self._control_plane, *after]),
            )
            for pool in self._plan.pools
        ]

    def _render_for_operators(self, api: Api) -> str:
        return render(cluster=self._plan.cluster_name, region=self._place.region, api=api)

    def _render_for_providers(self, api: Api) -> pulumi.Output[str]:
        profile, role_arn = self._access.get("profile"), self._access.get("role_arn")
        return pulumi.Output.all(profile, role_arn).apply(
            lambda found: render(
                cluster=self._plan.cluster_name,
                region=self._place.region,
                api=api,
                profile=found[0],
                role_arn=found[1],
            )
        )


def principal_suffix(arn: str) -> str:
    """What tells a principal from others in a logical name: readable, and never dependent on the order of a list."""
    return f"{arn.rpartition('/')[2].lower()}-{hashlib.sha256(arn.encode()).hexdigest()[:6]}"
