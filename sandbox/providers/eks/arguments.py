"""The component's arguments: which are followed, and which are refused by name."""

from collections.abc import Mapping
from typing import Any

import pulumi

from sandbox.providers.serve import ProviderError

FOLLOWED = frozenset(
    {
        "accessEntries",
        "authenticationMode",
        "autoMode",
        "bootstrapSelfManagedAddons",
        "clusterSecurityGroup",
        "clusterSecurityGroupTags",
        "clusterTags",
        "corednsAddonOptions",
        "deletionProtection",
        "enabledClusterLogTypes",
        "encryptionConfigKeyArn",
        "endpointPrivateAccess",
        "endpointPublicAccess",
        "ipFamily",
        "kubeProxyAddonOptions",
        "kubernetesServiceIpAddressRange",
        "name",
        "nodeSecurityGroupTags",
        "privateSubnetIds",
        "providerCredentialOpts",
        "publicAccessCidrs",
        "publicSubnetIds",
        "serviceRole",
        "skipDefaultNodeGroup",
        "skipDefaultSecurityGroups",
        "subnetIds",
        "tags",
        "upgradePolicy",
        "useDefaultVpcCni",
        "version",
        "vpcId",
    }
)
REFUSED: Mapping[str, str] = {
    "createInstanceRole": "node groups are made by the program",
    "createOidcProvider": "it reads a certificate from the issuer, which the sandbox does not have",
    "creationRoleProvider": "the genuine provider refuses it outside of Node.js too",
    "desiredCapacity": "node groups are made by the program",
    "enableConfigMapMutable": "the inner Kubernetes provider is never used",
    "fargate": "there are no Fargate profiles",
    "gpu": "node groups are made by the program",
    "instanceProfileName": "node groups are made by the program",
    "instanceRole": "node groups are made by the program",
    "instanceRoles": "node groups are made by the program",
    "instanceType": "node groups are made by the program",
    "maxSize": "node groups are made by the program",
    "minSize": "node groups are made by the program",
    "nodeAmiId": "node groups are made by the program",
    "nodeAssociatePublicIpAddress": "node groups are made by the program",
    "nodeGroupOptions": "node groups are made by the program",
    "nodePublicKey": "node groups are made by the program",
    "nodeRootVolumeEncrypted": "node groups are made by the program",
    "nodeRootVolumeSize": "node groups are made by the program",
    "nodeSubnetIds": "node groups are made by the program",
    "nodeUserData": "node groups are made by the program",
    "proxy": "there is none",
    "roleMappings": "access is by access entries",
    "storageClasses": "they go through the inner Kubernetes provider, which cannot be configured",
    "userMappings": "access is by access entries",
    "vpcCniOptions": "the VPC CNI is an add-on that the program makes",
}


def given(value: Any) -> bool:
    """Tell whether an argument is given, as JavaScript's truth has it: outputs are, false and nothing are not."""
    return isinstance(value, (pulumi.Output, pulumi.Resource)) or value not in (None, False, 0, "", [], {})


def _refuse(name: str, reason: str) -> None:
    raise ProviderError(f"the stand-in for the EKS provider does not support {name} of eks:index:Cluster: {reason}")


def check(arguments: Mapping[str, Any]) -> None:
    """Refuse what the stand-in cannot honour. Raises ProviderError with the argument's name and the reason."""
    for name, value in arguments.items():
        if name in REFUSED:
            if given(value):
                _refuse(name, REFUSED[name])
        elif name not in FOLLOWED:
            _refuse(name, "it does not know it")
    automatic = bool((arguments.get("autoMode") or {}).get("enabled"))
    if arguments.get("authenticationMode") != "API":
        _refuse("authenticationMode", "only API, since aws-auth goes through the inner Kubernetes provider")
    if not given(arguments.get("vpcId")):
        _refuse("vpcId left out", "there is no default VPC")
    if not automatic and arguments.get("skipDefaultNodeGroup") is not True:
        _refuse("skipDefaultNodeGroup left out", "node groups are made by the program")
    if arguments.get("useDefaultVpcCni") is not True and (not automatic or arguments.get("useDefaultVpcCni") is False):
        _refuse("useDefaultVpcCni left out", "the VPC CNI is an add-on that the program makes")
    _exclusive(arguments)


def _exclusive(arguments: Mapping[str, Any]) -> None:
    halves = given(arguments.get("publicSubnetIds")) or given(arguments.get("privateSubnetIds"))
    if given(arguments.get("subnetIds")) and halves:
        raise ProviderError(
            "eks:index:Cluster: subnetIds, and publicSubnetIds or privateSubnetIds, cannot both be given: "
            "they are two ways to say which subnets the cluster has"
        )
    if arguments.get("endpointPublicAccess") is False and given(arguments.get("publicAccessCidrs")):
        raise ProviderError("eks:index:Cluster: publicAccessCidrs can only be given when endpointPublicAccess is true")
