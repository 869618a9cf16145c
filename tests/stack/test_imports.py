"""What a program of a chosen kind imports: each service of pulumi_aws costs time and memory in every preview."""

import json
import subprocess
import sys

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
engine.run(lambda: runpy.run_path("__main__.py"), config=stack_config("single"))
# pulumi_aws puts a placeholder for each service into sys.modules; loading one changes its class.
loaded = [name for name in set(sys.modules) - before if type(sys.modules[name]).__name__ != "_LazyModule"]
print(json.dumps(sorted(loaded)))
"""


def imported() -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, check=False)
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
    services = sorted({name.split(".")[1] for name in modules if name.startswith("pulumi_aws.")})
    assert_golden("stacks/imports.txt", "".join(f"{name}\n" for name in services))
