"""EKS's functions and waits in the aws stand-in."""

import base64
import urllib.parse

from tests.unit.providers.driver import Driver


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
