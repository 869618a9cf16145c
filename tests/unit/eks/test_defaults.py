"""Each default that differs from pulumi_eks's: one row, in docs/eks.md and here, with what sets it back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.eks.component import EksCluster
from components.eks.system import EksSystem
from tests.engine import Engine
from tests.unit.eks.args import arguments
from tests.unit.eks.conftest import KUBECONFIG, MakeEks

CLUSTER = "eks:index:Cluster"
GROUP = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ADDON = "aws:eks/addon:Addon"
Look = Callable[[Engine], Any]


@dataclass(frozen=True)
class Row:
    """A default of ours."""

    look: Look
    ours: Any
    back: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that set it back, as near to pulumi_eks's as is safe; empty where nothing does."""
    then: Any = None
    system: bool = False
    """Whether the arguments are EksSystem's."""


def of_cluster(key: str) -> Look:
    return lambda engine: engine.one(CLUSTER).inputs.get(key)


def of_transformed(*path: str) -> Look:
    """A part of the control plane's inputs after our transform, of what pulumi_eks passes without it."""

    def look(engine: Engine) -> Any:
        import pulumi

        from components.eks.transforms import CLUSTER as TYPE

        [transform] = engine.one(CLUSTER).transforms
        given = {"accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True}}
        args = pulumi.ResourceTransformArgs(
            custom=True, type_=TYPE, name="x", props=given, opts=pulumi.ResourceOptions()
        )
        found: Any = transform(args)
        value = found.props
        for key in path:
            value = value[key]
        return value

    return look


def of_group(key: str) -> Look:
    return lambda engine: engine.one(GROUP).inputs.get(key)


def volume(engine: Engine) -> Any:
    [mapping] = engine.one(TEMPLATE).inputs["blockDeviceMappings"]
    return mapping["ebs"]["volumeType"], mapping["ebs"]["encrypted"]


def public(engine: Engine) -> Any:
    inputs = engine.one(CLUSTER).inputs
    return inputs["endpointPublicAccess"], inputs.get("publicAccessCidrs")


def classes(engine: Engine) -> Any:
    return [each.inputs["provisioner"] for each in engine.of("kubernetes:storage.k8s.io/v1:StorageClass")]


def node_policies(engine: Engine) -> Any:
    attached = engine.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    return sorted(each.inputs["policyArn"].rpartition("/")[2] for each in attached if each.name.startswith("eks-node"))


ROWS = {
    "authentication": Row(of_cluster("authenticationMode"), "API"),
    "creator": Row(of_transformed("accessConfig", "bootstrapClusterCreatorAdminPermissions"), False),
    "public endpoint": Row(
        public, (False, None), {"public_access_cidrs": ["203.0.113.0/24"]}, (True, ["203.0.113.0/24"])
    ),
    "private endpoint": Row(of_cluster("endpointPrivateAccess"), True),
    "self-managed add-ons": Row(of_cluster("bootstrapSelfManagedAddons"), False),
    "versions of add-ons": Row(
        lambda engine: engine.one(ADDON, "eks-coredns").inputs["addonVersion"],
        "v1.13.2-eksbuild.21",
        {"addon_versions": {"coredns": "v1.13.2-eksbuild.1"}},
        "v1.13.2-eksbuild.1",
    ),
    "nodes": Row(
        of_group("instanceTypes"),
        ["t3.large"],
        {"node_pools": [{"name": "a", "instance_types": ["t3.medium"]}]},
        ["t3.medium"],
    ),
    "node volumes": Row(volume, ("gp3", "true")),
    "node metadata": Row(
        lambda engine: engine.one(TEMPLATE).inputs["metadataOptions"],
        {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
    ),
    "node repair": Row(
        of_group("nodeRepairConfig"),
        {"enabled": True},
        {"node_pools": [{"name": "a", "enable_repair": False}]},
        {"enabled": False},
    ),
    "node count drift": Row(lambda engine: engine.one(GROUP).ignore_changes, ("scalingConfig.desiredSize",)),
    "rights of nodes on the network": Row(
        node_policies, ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"]
    ),
    "control-plane logs": Row(
        of_cluster("enabledClusterLogTypes"), ["api", "audit", "authenticator"], {"log_types": []}, []
    ),
    "log retention": Row(
        lambda engine: engine.one("aws:cloudwatch/logGroup:LogGroup").inputs["retentionInDays"],
        90,
        {"log_retention_days": 3653},
        3653,
    ),
    "secrets": Row(lambda engine: len(engine.of("aws:kms/key:Key")), 1, {"enable_secrets_key": False}, 0),
    "support": Row(
        of_cluster("upgradePolicy"),
        {"supportType": "STANDARD"},
        {"enable_extended_support": True},
        {"supportType": "EXTENDED"},
    ),
    "version": Row(of_cluster("version"), "1.35", {"version": "1.36"}, "1.36"),
    "service range": Row(
        of_cluster("kubernetesServiceIpAddressRange"),
        "172.20.0.0/16",
        {"service_cidr": "10.100.0.0/16"},
        "10.100.0.0/16",
    ),
    "zonal shift": Row(of_transformed("zonalShiftConfig", "enabled"), True, {"enable_zonal_shift": False}, False),
    "security groups": Row(of_cluster("skipDefaultSecurityGroups"), True),
    "default StorageClass": Row(classes, ["ebs.csi.aws.com"], {"enable_storage_class": False}, [], system=True),
    "teardown": Row(
        lambda engine: engine.one("timonel:index:EksTeardown").inputs["volumes"],
        "delete",
        {"volumes": "retain"},
        "retain",
        system=True,
    ),
}


def make(engine: Engine, row: Row, changes: Mapping[str, Any]) -> None:
    """The cluster and what is in it."""

    def program() -> None:
        import pulumi
        import pulumi_kubernetes as kubernetes

        cluster = EksCluster("eks", arguments(**({} if row.system else changes)))
        provider = kubernetes.Provider("inside", kubeconfig="{}")
        args: Any = {"cluster_name": "c", "vpc_id": "vpc-1", "access": cluster.access}
        args.update(changes if row.system else {})
        EksSystem("sys", args, cluster.lifeline, cluster.ready, pulumi.ResourceOptions(providers=[provider]))

    engine.run(program)


@pytest.fixture(scope="module")
def by_default() -> Iterator[Engine]:
    """The program with nothing but what is required, run once for all that only look at it."""
    engine = Engine()
    engine.computed[CLUSTER] = {"kubeconfig": KUBECONFIG}
    make(engine, ROWS["nodes"], {})
    yield engine
    engine.close()


@pytest.mark.parametrize("name", ROWS)
def test_the_default_is_ours(by_default: Engine, name: str) -> None:
    assert ROWS[name].look(by_default) == ROWS[name].ours


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.back])
def test_it_can_be_set_back(engine: Engine, make_eks: MakeEks, name: str) -> None:
    del make_eks  # only for what the fixture answers
    make(engine, ROWS[name], ROWS[name].back)
    assert ROWS[name].look(engine) == ROWS[name].then


def test_the_docs_have_the_same_rows_and_say_why_of_each_that_cannot_be_set_back() -> None:
    page = (Path(__file__).parents[3] / "docs" / "eks.md").read_text().partition("## What differs")[2]
    table = [line for line in page.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert [row[0] for row in cells] == list(ROWS)
    for what, _, _, why, back in cells:
        assert why, what
        assert back.startswith("no: ") is not bool(ROWS[what].back), f"{what}: {back}"
