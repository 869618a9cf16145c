"""The stand-in for the EKS provider against pulumi_eks's own schema, and its rules without an engine."""

import http.server
import inspect
import json
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi_eks
import pytest

from sandbox.providers.eks import arguments, cluster, readiness
from sandbox.providers.eks.kubeconfig import kubeconfig
from sandbox.providers.serve import ProviderError

GOOD = {
    "authenticationMode": "API",
    "skipDefaultNodeGroup": True,
    "useDefaultVpcCni": True,
    "vpcId": "vpc-1",
    "subnetIds": ["subnet-1"],
}


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def test_every_argument_of_the_component_is_followed_or_refused_with_a_reason() -> None:
    given = list(inspect.signature(pulumi_eks.ClusterArgs.__init__).parameters)[1:]
    known = {camel(name) for name in given}
    assert arguments.FOLLOWED | set(arguments.REFUSED) == known, "a new argument must not be dropped silently"
    assert not arguments.FOLLOWED & set(arguments.REFUSED)


def test_every_output_of_the_component_is_given_or_is_nothing_here() -> None:
    outputs = {name for name, item in vars(pulumi_eks.Cluster).items() if isinstance(item, property)}
    nothing = {"awsProvider", "defaultNodeGroup"}
    assert {camel(name) for name in outputs} == set(cluster.OUTPUTS) | nothing


def test_the_arguments_that_we_use_are_accepted() -> None:
    arguments.check(GOOD)
    automatic = {"authenticationMode": "API", "vpcId": "v", "autoMode": {"enabled": True}}
    arguments.check(automatic)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"createOidcProvider": True}, "createOidcProvider of eks:index:Cluster: it reads a certificate"),
        ({"authenticationMode": "CONFIG_MAP"}, "authenticationMode"),
        ({"authenticationMode": None}, "authenticationMode"),
        ({"skipDefaultNodeGroup": None}, "skipDefaultNodeGroup left out"),
        ({"useDefaultVpcCni": False}, "useDefaultVpcCni left out"),
        ({"vpcId": None}, "vpcId left out"),
        ({"madeUp": 1}, "madeUp"),
        ({"publicSubnetIds": ["a"]}, "cannot both be given"),
        ({"endpointPublicAccess": False, "publicAccessCidrs": ["0.0.0.0/0"]}, "publicAccessCidrs can only be given"),
    ],
)
def test_what_it_cannot_honour_is_refused_by_name(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ProviderError, match=re.escape(told)):
        arguments.check({**GOOD, **more})


def test_arguments_that_say_no_are_as_good_as_left_out() -> None:
    arguments.check({**GOOD, "createOidcProvider": False, "fargate": False, "storageClasses": {}, "roleMappings": []})


def test_only_the_provider_s_own_kubeconfig_names_the_profile() -> None:
    options = {"roleArn": "arn:aws:iam::1:role/r", "profileName": "p"}
    for with_profile in (True, False):
        made = kubeconfig("c", "https://e", "CA", "eu-west-1", options=options, with_profile=with_profile)
        words = made["users"][0]["user"]["exec"]["args"]
        assert words[-2:] == (["--profile", "p"] if with_profile else ["--role", "arn:aws:iam::1:role/r"])
        assert json.loads(made["users"][0]["user"]["exec"]["env"][0]["value"])["apiVersion"].endswith("v1beta1")


SUBJECT = ("-subj", "/CN=kubernetes")


class Health(http.server.BaseHTTPRequestHandler):
    """Answers as an API server that becomes healthy at the third question."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(200 if self.path == "/healthz" and type(self).asked >= 3 else 503)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """An HTTPS server with a certificate that nobody signed."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            key,
            "-out",
            certificate,
            "-days",
            "1",
            *SUBJECT,
        ],
        check=True,
        capture_output=True,
    )
    server = http.server.HTTPServer(("127.0.0.1", 0), Health)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def test_a_new_cluster_s_api_is_asked_until_it_is_healthy(endpoint: str) -> None:
    assert [readiness.healthy(endpoint) for _ in range(4)] == [False, False, True, True], "503 is not healthy"
    assert not readiness.healthy("https://127.0.0.1:1"), "nobody there is not healthy, and no error"
