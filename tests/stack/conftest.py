"""Each stack file through the whole program, with a recording engine in place of Pulumi's."""

import runpy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import versions
from tests.engine import Engine

ROOT = Path(__file__).parents[2]
STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
"""Every stack file in the tree: a new one is tested without being named here."""

PLANTED = "PLANTED-PRIVATE-KEY"
"""The operator's key, wherever it shows."""


def stack_config(stack: str) -> dict[str, Any]:
    """The stack's configuration with Pulumi.yaml's defaults, as the real engine merges them."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    defaults = {f"timonel:{key}": value["default"] for key, value in declared.items() if "default" in value}
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {**{key: _text(value) for key, value in defaults.items()}, **config}


def _pinned_image(args: dict[str, Any]) -> dict[str, Any]:
    """An image of the version file, with the architecture that the file says."""
    (wanted,) = args["filters"][0]["values"]
    for by_architecture in versions.load().values():
        for architecture, image in by_architecture.items():
            if image.id == wanted:
                name = {"amd64": "x86_64", "arm64": "arm64"}[architecture]
                return {"id": wanted, "imageId": wanted, "architecture": name, "rootDeviceName": "/dev/sda1"}
    raise AssertionError(f"{wanted} is not pinned")


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def run_program(
    engine: Engine, stack: str, *, preview: bool = False, secret_config: Sequence[str] = (), **changes: Any
) -> None:
    """Run the program for a stack, with some of its settings changed."""
    config = {**stack_config(stack), **{f"timonel:{key}": value for key, value in changes.items()}}
    run_config(engine, stack, config, preview=preview, secret_config=secret_config)


def run_config(
    engine: Engine, stack: str, config: Mapping[str, Any], *, preview: bool = False, secret_config: Sequence[str] = ()
) -> None:
    """Run the program with a whole configuration, in a world that knows what every kind of stack looks up."""
    engine.stack = stack
    api = {"server": "https://api.example", "certificate-authority-data": PLANTED}
    engine.computed["eks:index:Cluster"] = {
        "kubeconfig": {"clusters": [{"name": "kubernetes", "cluster": api}]},
        "oidcProviderUrl": "https://oidc.example",
        "clusterSecurityGroupId": "sg-eks",
    }
    engine.answers["aws:ec2/getAmi:getAmi"] = _pinned_image
    engine.answers["aws:ec2/getVpcEndpointService:getVpcEndpointService"] = lambda args: {
        "serviceName": f"com.amazonaws.{engine.region}.{args['service']}",
        "availabilityZones": list(engine.zones),
    }
    engine.computed["timonel:index:ClientCertificate"] = {
        "privateKey": PLANTED,
        "certificate": "the client's certificate",
        "expires": "2027-01-01T00:00:00Z",
    }
    engine.computed["timonel:index:CertificateAuthority"] = {
        "certificate": "the authority's certificate",
        "fingerprint": "f1",
        "expires": "2035-01-01T00:00:00Z",
    }
    engine.computed["timonel:index:ServerCertificate"] = {
        "privateKey": PLANTED,
        "certificate": "the server's certificate",
        "expires": "2027-01-01T00:00:00Z",
    }
    engine.computed["timonel:index:Password"] = {"password": PLANTED, "bcrypt": "$2b$10$hash"}
    program = str(ROOT / "__main__.py")
    debug = pulumi.log.debug
    try:
        engine.run(lambda: runpy.run_path(program), config=config, secret_config=secret_config, preview=preview)
    finally:
        # The program drops the SDK's debug messages for good (ADR 0012); other tests of this process want them.
        setattr(pulumi.log, "debug", debug)  # noqa: B010


@pytest.fixture(scope="session", params=STACKS)
def ran(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Every stack, run once for all tests that only look at it."""
    engine = Engine()
    run_program(engine, request.param)
    yield engine
    engine.close()
