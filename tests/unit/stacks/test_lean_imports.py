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


def test_every_public_name_is_the_genuine_one() -> None:
    """Services with odd names among them: an enumeration, a name that its module's does not tell, a missing one."""
    services = ("ec2", "autoscaling", "s3", "kms")
    names = "{s: sorted(n for n in dir(importlib.import_module('pulumi_aws.' + s)) if n[0] != '_') for s in %r}"
    genuine = json.loads(python(f"import importlib, json; print(json.dumps({names % (services,)}))"))
    code = LEAN + (
        f"import json, importlib\ngenuine = json.loads({json.dumps(genuine)!r})\n"
        "missing = [f'{s}.{n}' for s in genuine for n in genuine[s]"
        " if not hasattr(importlib.import_module('pulumi_aws.' + s), n)]\n"
        "print(json.dumps(missing))"
    )
    assert json.loads(python(code)) == []


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
