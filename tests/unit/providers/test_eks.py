"""EKS's functions and waits in the aws stand-in."""

import base64
import urllib.parse
from typing import Any

import pytest

from sandbox.providers.serve import ProviderError
from tests.unit.providers.driver import Driver, Resource
from tests.unit.providers.test_contract import EXAMPLES, fill, needed

CLUSTER = "aws:eks/cluster:Cluster"


def test_a_cluster_token_is_a_presigned_url_that_names_the_cluster(driver: Driver) -> None:
    result = driver.invoke("aws:eks/getClusterAuth:getClusterAuth", {"name": "c"})
    kind, _, text = result["token"].partition(".")
    url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    query = urllib.parse.parse_qs(urllib.parse.urlparse(url).query)
    assert kind == "k8s-aws-v1", "the form that EKS's authenticator takes"
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"], (
        "the cluster's name is signed, so it opens no other one"
    )
    assert query["X-Amz-Expires"] == ["60"], "as the aws CLI has it"


def made(driver: Driver) -> tuple[Resource, dict[str, Any]]:
    example = EXAMPLES[CLUSTER]
    given = fill(example["inputs"], needed(driver, example))
    return driver.create(CLUSTER, given, name="functions"), given


def test_functions_read_clusters_and_versions(driver: Driver) -> None:
    cluster, _ = made(driver)
    name = cluster.outputs["name"]
    read = driver.invoke("aws:eks/getCluster:getCluster", {"name": name})
    assert (read["arn"], read["id"]) == (cluster.outputs["arn"], name)
    assert read["accessConfigs"][0]["authenticationMode"] == "API", "blocks are lists in functions"
    assert read["kubernetesNetworkConfigs"][0]["serviceIpv4Cidr"] == "172.21.0.0/16"
    assert read["identities"][0]["oidcs"][0]["issuer"].startswith("https://")
    assert sorted(read["enabledClusterLogTypes"]) == ["api", "audit"]
    assert name in driver.invoke("aws:eks/getClusters:getClusters", {})["names"]
    found = driver.invoke("aws:eks/getClusterVersions:getClusterVersions", {})["clusterVersions"]
    versions = {item["clusterVersion"]: item for item in found}
    assert {"1.35", "1.36"} <= set(versions)
    assert versions["1.35"]["endOfStandardSupportDate"].startswith("20"), "what a warning before paid support needs"
    driver.delete(cluster)


def test_an_add_on_s_version_is_eks_s_default_or_the_newest(driver: Driver) -> None:
    asked = {"addonName": "vpc-cni", "kubernetesVersion": "1.35"}
    usual = driver.invoke("aws:eks/getAddonVersion:getAddonVersion", asked)["version"]
    newest = driver.invoke("aws:eks/getAddonVersion:getAddonVersion", {**asked, "mostRecent": True})["version"]
    assert usual.startswith("v1.") and newest.startswith("v1.")
    with pytest.raises(ProviderError, match="made-up"):
        driver.invoke("aws:eks/getAddonVersion:getAddonVersion", {**asked, "addonName": "made-up"})


def test_what_eks_refuses_is_told_and_leaves_the_cluster_as_it_was(driver: Driver) -> None:
    cluster, given = made(driver)
    with pytest.raises(ProviderError, match="UpdateClusterVersion"):
        driver.update(cluster, {**given, "version": "1.37"})
    assert driver.refresh(cluster)
    assert cluster.outputs["version"] == "1.35" and cluster.outputs["status"] == "ACTIVE"
    driver.delete(cluster)
