"""The component ``eks:index:Cluster``."""

import os
import shutil
from collections.abc import Mapping
from typing import Any

import pulumi

from sandbox.providers.eks import arguments, aws, parts, readiness
from sandbox.providers.eks.kubeconfig import kubeconfig
from sandbox.providers.serve import ProviderError

OUTPUTS = (
    "autoModeNodeRoleName",
    "clusterIngressRuleId",
    "clusterSecurityGroup",
    "clusterSecurityGroupId",
    "core",
    "defaultNodeGroupAsgName",
    "eksCluster",
    "eksClusterIngressRule",
    "fargateProfileId",
    "fargateProfileStatus",
    "instanceRoles",
    "kubeconfig",
    "kubeconfigJson",
    "nodeSecurityGroup",
    "nodeSecurityGroupId",
    "oidcIssuer",
    "oidcProviderArn",
    "oidcProviderUrl",
)
"""What a program can read; ``defaultNodeGroup`` and ``awsProvider`` are nothing here, as with the genuine component."""
CLUSTER_OUTPUTS = (
    "arn",
    "certificateAuthority",
    "endpoint",
    "identities",
    "name",
    "upgradePolicy",
    "version",
    "vpcConfig",
)
ROLE_POLICIES = ("AmazonEKSClusterPolicy",)
AUTO_MODE_POLICIES = (
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
AUTO_MODE_NODE_POLICIES = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")


class Cluster(pulumi.ComponentResource):
    """An EKS cluster with its role, security groups and the kubeconfig; outputs are attributes by their schema name."""

    def __init__(self, name: str, inputs: Mapping[str, Any], options: pulumi.ResourceOptions | None) -> None:
        """Make the children. Raises ProviderError for arguments that the stand-in does not support."""
        if shutil.which("aws") is None:
            raise ProviderError("eks:index:Cluster: the aws CLI is not on PATH, which kubeconfigs need for tokens")
        arguments.check(inputs)
        super().__init__("eks:index:Cluster", name, {}, options, remote=False)
        self._name, self._args = name, inputs
        self._here = pulumi.ResourceOptions(parent=self)
        self._partition = aws.partition(self)
        self._automatic = bool((inputs.get("autoMode") or {}).get("enabled"))
        self._separate_groups = not (inputs.get("skipDefaultSecurityGroups", self._automatic))
        self._make_roles()
        self._make_cluster_group()
        self._make_cluster()
        self._make_addon("kube-proxy", "kubeProxyAddonOptions", enabled=not self._automatic)
        self._make_kubeconfigs()
        entries = inputs.get("accessEntries") or {}
        parts.access_entries(name, self.eksCluster, entries, self)
        self._make_addon("coredns", "corednsAddonOptions", enabled=self._automatic)
        self._make_node_group()
        self._give_outputs()
        self.register_outputs({output: getattr(self, output) for output in OUTPUTS})

    def _arg(self, name: str) -> Any:
        return self._args.get(name)

    def _make_roles(self) -> None:
        more = {"tags": self._arg("tags")}
        service_role = self._arg("serviceRole")
        self._role_dependencies: list[pulumi.Resource] = []
        if not service_role:
            policies = [*ROLE_POLICIES, *(AUTO_MODE_POLICIES if self._automatic else ())]
            made = parts.ServiceRole(
                f"{self._name}-eksRole",
                "eks.amazonaws.com",
                policies,
                self,
                self._partition,
                # Auto Mode needs TagSession; the genuine component always asks for it.
                actions=["sts:AssumeRole", "sts:TagSession"],
                description="Allows EKS to manage clusters on your behalf.",
                **more,
            )
            service_role = made.role
            self._role_dependencies += [made.role, *made.attachments]
        self._service_role = service_role
        self._node_role: aws.Resource | None = None
        if self._automatic and (self._arg("autoMode") or {}).get("createNodeRole") is not False:
            nodes = parts.ServiceRole(
                f"{self._name}-nodeRole",
                "ec2.amazonaws.com",
                list(AUTO_MODE_NODE_POLICIES),
                self,
                self._partition,
                **more,
            )
            self._node_role = nodes.role
            self._role_dependencies += [nodes.role, *nodes.attachments]

    def _make_cluster_group(self) -> None:
        self.clusterSecurityGroup = self._arg("clusterSecurityGroup")
        if self.clusterSecurityGroup or not self._separate_groups:
            return
        label = f"{self._name}-eksClusterSecurityGroup"
        labels = parts.tags(label, self._arg("clusterSecurityGroupTags"), self._arg("tags"))
        self.clusterSecurityGroup = parts.security_group(label, self._arg("vpcId"), labels, self)
        parts.rule(
            f"{self._name}-eksClusterInternetEgressRule",
            self.clusterSecurityGroup.id,
            "egress",
            parts.EVERYTHING,
            self,
            cidrBlocks=["0.0.0.0/0"],
            description="Allow internet access.",
        )

    def _subnets(self) -> Any:
        if self._arg("subnetIds") is not None:
            return self._arg("subnetIds")
        halves = pulumi.Output.all(self._arg("publicSubnetIds") or [], self._arg("privateSubnetIds") or [])
        return halves.apply(lambda both: [*both[0], *both[1]])

    def _network(self) -> pulumi.Output[dict[str, Any]] | None:
        if not (self._arg("kubernetesServiceIpAddressRange") or self._arg("ipFamily") or self._automatic):
            return None
        asked = pulumi.Output.all(self._arg("kubernetesServiceIpAddressRange"), self._arg("ipFamily"))

        def network(values: list[Any]) -> dict[str, Any]:
            services, family = values[0], values[1] or "ipv4"
            made: dict[str, Any] = {"ipFamily": family}
            if services is not None and family == "ipv4":
                made["serviceIpv4Cidr"] = services
            return {**made, **({"elasticLoadBalancing": {"enabled": True}} if self._automatic else {})}

        return asked.apply(network)

    def _compute(self) -> dict[str, Any]:
        """What Auto Mode adds."""
        if not self._automatic:
            return {}
        config = (self._arg("autoMode") or {}).get("computeConfig")
        role = self._node_role.arn if self._node_role else None
        made = pulumi.Output.all(config, role).apply(
            lambda both: {
                "enabled": True,
                "nodePools": ["general-purpose", "system"],
                **({"nodeRoleArn": both[1]} if both[1] else {}),
                **(both[0] or {}),
            }
        )
        return {"computeConfig": made, "storageConfig": {"blockStorage": {"enabled": True}}}

    def _make_cluster(self) -> None:
        key, bootstrap = self._arg("encryptionConfigKeyArn"), self._arg("bootstrapSelfManagedAddons")
        group = self.clusterSecurityGroup
        self._encryption = {"provider": {"keyArn": key}, "resources": ["secrets"]} if key else None
        network = {
            "securityGroupIds": [group.id] if group else None,
            "subnetIds": self._subnets(),
            "endpointPrivateAccess": self._arg("endpointPrivateAccess"),
            "endpointPublicAccess": self._arg("endpointPublicAccess"),
            "publicAccessCidrs": self._arg("publicAccessCidrs"),
        }
        inputs = {
            "name": self._arg("name"),
            "roleArn": self._service_role.arn,
            "kubernetesNetworkConfig": self._network(),
            **self._compute(),
            "bootstrapSelfManagedAddons": False if self._automatic else True if bootstrap is None else bootstrap,
            "vpcConfig": {item: value for item, value in network.items() if value is not None},
            "version": self._arg("version"),
            "enabledClusterLogTypes": self._arg("enabledClusterLogTypes"),
            "tags": parts.tags(f"{self._name}-eksCluster", self._arg("clusterTags"), self._arg("tags")),
            "encryptionConfig": self._encryption,
            # Not an argument of the component: a program that wants it otherwise takes a transform.
            "accessConfig": {
                "authenticationMode": self._arg("authenticationMode"),
                "bootstrapClusterCreatorAdminPermissions": True,
            },
            "upgradePolicy": self._arg("upgradePolicy"),
            "deletionProtection": self._arg("deletionProtection"),
        }
        options = pulumi.ResourceOptions(
            parent=self,
            depends_on=self._role_dependencies,
            ignore_changes=["accessConfig.bootstrapClusterCreatorAdminPermissions", "bootstrapSelfManagedAddons"],
        )
        self.eksCluster = aws.Resource(
            "aws:eks/cluster:Cluster", f"{self._name}-eksCluster", inputs, options, CLUSTER_OUTPUTS
        )

    def _make_addon(self, addon: str, argument: str, *, enabled: bool) -> None:
        options = self._arg(argument) or {}
        wanted = options.get("enabled")
        if addon == "coredns" and options.get("configurationValues"):
            wanted = True
        if enabled if wanted is None else wanted:
            parts.addon(self._name, addon, self.eksCluster, {"tags": self._arg("tags"), **options}, self)

    def _credentials(self) -> Any:
        given = self._arg("providerCredentialOpts")
        profile = os.environ.get("AWS_PROFILE") or pulumi.Config("aws").get("profile")
        return given or ({"profileName": profile} if profile else {})

    def _make_kubeconfigs(self) -> None:
        cluster = self.eksCluster
        self._endpoint = cluster.endpoint
        if not pulumi.runtime.is_dry_run() and self._arg("endpointPublicAccess"):
            self._endpoint = cluster.endpoint.apply(lambda endpoint: readiness.wait(endpoint, cluster))
        facts = pulumi.Output.all(
            cluster.name, self._endpoint, cluster.certificateAuthority, cluster.arn, self._credentials()
        )

        def config(with_profile: bool) -> pulumi.Output[dict[str, Any]]:
            return facts.apply(
                lambda item: kubeconfig(
                    item[0],
                    item[1],
                    item[2]["data"],
                    item[3].split(":")[3],
                    options=item[4],
                    with_profile=with_profile,
                )
            )

        self.kubeconfig = config(with_profile=False)
        self.kubeconfigJson = pulumi.Output.json_dumps(self.kubeconfig)
        self._kubernetes = pulumi.ProviderResource(
            "kubernetes",
            f"{self._name}-eks-k8s",
            {"kubeconfig": pulumi.Output.json_dumps(config(with_profile=True))},
            pulumi.ResourceOptions(parent=self, version=aws.version("kubernetes")),
        )

    def _make_node_group(self) -> None:
        self.nodeSecurityGroup: aws.Resource | None = None
        self.eksClusterIngressRule: aws.Resource | None = None
        if not self._separate_groups:
            return
        label = f"{self._name}-nodeSecurityGroup"
        owned = self.eksCluster.name.apply(lambda cluster: {f"kubernetes.io/cluster/{cluster}": "owned"})
        labels = parts.tags(label, owned, self._arg("nodeSecurityGroupTags"), self._arg("tags"))
        self.nodeSecurityGroup, self.eksClusterIngressRule = parts.node_security_group(
            self._name, self._arg("vpcId"), self.clusterSecurityGroup.id, labels, self
        )

    def _give_outputs(self) -> None:
        made_by_eks = self.eksCluster.vpcConfig.apply(lambda config: config["clusterSecurityGroupId"])
        group, nodes, ingress = self.clusterSecurityGroup, self.nodeSecurityGroup, self.eksClusterIngressRule
        self.clusterSecurityGroupId = group.id if group else made_by_eks
        self.nodeSecurityGroupId = nodes.id if nodes else made_by_eks
        self.clusterIngressRuleId = ingress.securityGroupRuleId if ingress else ""
        self.autoModeNodeRoleName = self._node_role.name if self._node_role else ""
        self.defaultNodeGroupAsgName = self.fargateProfileId = self.fargateProfileStatus = self.oidcProviderArn = ""
        self.instanceRoles: list[Any] = []
        self.oidcProviderUrl = self.eksCluster.identities.apply(_issuer)
        self.oidcIssuer = self.oidcProviderUrl.apply(lambda url: url.removeprefix("https://"))
        core = {
            "accessEntries": list((self._arg("accessEntries") or {}).values()),
            "autoModeNodeRoleName": self.autoModeNodeRoleName,
            "cluster": self.eksCluster,
            "clusterIamRole": self._service_role,
            "clusterSecurityGroup": group,
            "encryptionConfig": self._encryption,
            "endpoint": self._endpoint,
            "instanceRoles": self.instanceRoles,
            "kubeconfig": self.kubeconfig,
            "nodeGroupOptions": {"nodeSecurityGroup": nodes, "clusterIngressRule": ingress},
            "nodeSecurityGroupTags": self._arg("nodeSecurityGroupTags"),
            "privateSubnetIds": self._arg("privateSubnetIds"),
            "provider": self._kubernetes,
            "publicSubnetIds": self._arg("publicSubnetIds"),
            "storageClasses": {},
            "subnetIds": self._subnets(),
            "tags": self._arg("tags"),
            "vpcId": self._arg("vpcId"),
        }
        self.core = {name: value for name, value in core.items() if value is not None}


def _issuer(identities: list[Mapping[str, Any]] | None) -> str:
    for identity in identities or []:
        for item in identity.get("oidcs") or []:
            return str(item["issuer"])
    return ""
