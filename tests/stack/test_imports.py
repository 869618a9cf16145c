"""What a program of a chosen kind imports: each service of pulumi_aws costs time and memory in every preview."""

import json
import subprocess
import sys
from typing import Any

from tests.golden_files import assert_golden
from tests.stack.conftest import ROOT

PROBE = """
import json, sys
import pulumi
from tests.engine import Engine
from tests.stack.conftest import stack_config
import runpy
engine = Engine()
before = set(sys.modules)
engine.computed["eks:index:Cluster"] = {"kubeconfig": {"clusters": [{"cluster": {
    "server": "https://api", "certificate-authority-data": "Q0E="}}]}}
config = {**stack_config("single"), **json.loads(sys.argv[1])}
engine.run(lambda: runpy.run_path("__main__.py"), config=config)
# pulumi_aws puts a placeholder for each service into sys.modules; loading one changes its class.
loaded = [name for name in set(sys.modules) - before if type(sys.modules[name]).__name__ != "_LazyModule"]
print(json.dumps(sorted(loaded)))
"""


def imported(**changes: Any) -> list[str]:
    settings = json.dumps({f"timonel:{key}": value for key, value in changes.items()})
    done = subprocess.run(
        [sys.executable, "-c", PROBE, settings], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_a_swarm_stack_imports_its_own_branch_only() -> None:
    modules = imported()
    foreign = {
        "pulumi_kubernetes",
        "pulumi_docker",
        "pulumi_eks",
        "boto3",
        "botocore",
        "cryptography",
        "moto",
        "sandbox",
    }
    assert {name.partition(".")[0] for name in modules} & foreign == set()
    # Its arguments stand in the settings of every stack.
    assert {name for name in modules if name.startswith("components.eks.")} == {"components.eks.args"}
    services = sorted({name.split(".")[1] for name in modules if name.startswith("pulumi_aws.")})
    assert_golden("stacks/imports.txt", "".join(f"{name}\n" for name in services))


def test_an_eks_stack_imports_its_own_branch_only() -> None:
    modules = imported(network={}, cluster={"kind": "eks"})
    foreign = {"pulumi_docker", "pulumi_datadog", "boto3", "botocore", "cryptography", "moto", "sandbox"}
    assert {name.partition(".")[0] for name in modules} & foreign == set()
    own = {name for name in modules if name.startswith(("components.swarm.", "components.monitoring."))}
    assert own == {"components.swarm.args", "components.monitoring.args"}
    groups = {".".join(name.split(".")[:2]) for name in modules if name.startswith("pulumi_kubernetes.")}
    assert "pulumi_kubernetes.storage" in groups
    assert not groups & {"pulumi_kubernetes.apps", "pulumi_kubernetes.batch", "pulumi_kubernetes.helm"}, groups
