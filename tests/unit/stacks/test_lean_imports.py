"""The lean import finds what the genuine package has, and executes a fraction of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sandbox.state import CHECKOUT
from stacks.lean_imports import modules_of

LEAN = "from stacks import lean_imports; lean_imports.install()\n"


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("Vpc", "vpc"),
        ("VpcEndpointArgs", "vpc_endpoint"),
        ("AwaitableGetVpcResult", "get_vpc"),
        ("get_vpc_endpoint_service", "get_vpc_endpoint_service"),
        ("GroupMixedInstancesPolicyArgsDict", "_inputs"),
        ("MetricsGranularity", "_enums"),
    ],
)
def test_a_names_module_is_among_the_candidates(name: str, module: str) -> None:
    assert module in modules_of(name)


def test_the_program_imports_a_fraction_of_the_services_and_of_each_service_a_fraction() -> None:
    code = LEAN + (
        "import json, sys, components.network.component, components.swarm.component\n"
        "import pulumi_aws as aws; aws.ec2.Vpc, aws.s3.Bucket, aws.iam.Role\n"
        "print(json.dumps([m for m in sys.modules if m.startswith('pulumi_aws.')]))"
    )
    modules = json.loads(python(code))
    assert "pulumi_aws.ec2.vpc" in modules
    assert "pulumi_aws.ec2.fleet" not in modules, "the whole service was executed"
    assert "pulumi_aws.s3.access_point" not in modules, "the whole service was executed"


def test_every_public_name_is_what_it_is_in_the_genuine_package() -> None:
    """Every service that the components use."""
    code = (
        "import importlib, json\n"
        "found = {}\n"
        "for service in ('ec2', 'autoscaling', 's3', 'kms', 'iam', 'lb', 'cloudwatch', 'secretsmanager', 'vpc'):\n"
        "    package = importlib.import_module('pulumi_aws.' + service)\n"
        "    for name in NAMES:\n"
        "        value = getattr(package, name)\n"
        "        if not name.startswith('_') and type(value).__name__ != 'module':\n"
        "            found[f'{service}.{name}'] = f'{type(value).__name__} of {value.__module__}'\n"
        "print(json.dumps(found))"
    )
    # The SDK loads a package at its first attribute.
    genuine = json.loads(python(code.replace("NAMES", "getattr(package, 'any', None) or sorted(dir(package))")))
    assert len(genuine) > 500
    wanted: dict[str, list[str]] = {}
    for service, name in (full.split(".") for full in genuine):
        wanted.setdefault(service, []).append(name)
    # `outputs` first: its types have names of resources. Then in order: a result's type comes before its function.
    asked = f"NAMES = {wanted!r}\n" + code.replace("NAMES", "['outputs', *NAMES[service]]")
    assert json.loads(python(LEAN + asked)) == genuine


def test_an_unknown_name_is_an_attribute_error_that_says_the_service() -> None:
    code = LEAN + (
        "import pulumi_aws as aws\ntry:\n    aws.kms.Nothing\nexcept AttributeError as error:\n    print(error)"
    )
    assert python(code) == "module 'pulumi_aws.kms' has no attribute 'Nothing'"


def test_a_monitor_of_datadog_costs_its_own_module_only() -> None:
    code = LEAN + (
        "import sys, pulumi_datadog as datadog; datadog.MonitorJson, datadog.DashboardJson\n"
        "print(sorted(m for m in sys.modules if m.startswith('pulumi_datadog.')))"
    )
    wanted = ["_utilities", "dashboard_json", "monitor_json"]
    assert python(code) == str([f"pulumi_datadog.{name}" for name in wanted]), "its _inputs alone take 9 s"
