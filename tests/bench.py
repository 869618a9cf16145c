"""`make bench`: where the time of a preview goes, against floors measured in the same run.

Prints one table. Figures are medians of a few runs on this machine at this moment; only the ratios travel.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from sandbox.state import CHECKOUT
from tests import records
from tests.sandbox.rig import Project, Sandbox, Stack, clone
from tests.sandbox.shapes import dev

RUNS = 5
EMPTY = "import pulumi\n"
PLAIN = """import pulumi_aws as aws

for number in range({count}):
    aws.ec2.Vpc(f"vpc-{{number}}", cidr_block="10.0.0.0/16")
"""
"""As many resources as the dev stack has, and nothing else: what the SDK, the engine and the plugin take for them."""


@dataclass(frozen=True)
class Cost:
    """What an action took."""

    seconds: float
    cpu: float
    """Seconds of processor time, of all the processes that it waited for."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs per figure (default {RUNS})")
    runs = parser.parse_args().runs
    records.begin()  # the rig keeps records of a run
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that the sandbox below goes too
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder) / "sandbox")
        try:
            sandbox.up()
            rows = measure(sandbox, Path(folder), runs, console)
        finally:
            sandbox.down()
    table = Table("what", "seconds", "CPU seconds", "ratio", title=f"median of {runs} where repeated")
    for what, cost, ratio in rows:
        table.add_row(what, f"{cost.seconds:.2f}", f"{cost.cpu:.2f}", ratio)
    console.print(table)


def measure(sandbox: Sandbox, folder: Path, runs: int, console: Console) -> list[tuple[str, Cost, str]]:
    """Every figure as (what, cost, ratio in words)."""
    console.print("measuring the floor: an empty program")
    empty = Project(sandbox, folder / "empty", EMPTY).stack()
    floor = median(runs, lambda: empty.preview().ok())
    console.print("measuring starts and imports")
    plugins = {name: median(runs, lambda name=name: start_of_plugin(sandbox, name)) for name in ("aws", "timonel")}
    imports = median(runs, import_of_the_program)
    stack = dev_stack(sandbox, folder)
    console.print("measuring previews, up and destroy of the dev stack")
    cold = once(lambda: stack.preview().ok())  # the clone has no compiled files yet
    warm = median(runs, lambda: stack.preview().ok())
    up = once(lambda: stack.up().ok())
    count = len(stack.resources())
    again = median(runs, lambda: stack.preview("--expect-no-changes").ok())
    destroy = once(lambda: stack.destroy().ok())
    plain = Project(sandbox, folder / "plain", PLAIN.format(count=count)).stack()
    as_many = median(runs, lambda: plain.preview().ok())
    base = floor.seconds + max(plugin.seconds for plugin in plugins.values())

    def ratio(cost: Cost) -> str:
        return f"{cost.seconds / base:.2f} of floor + plugin start"

    return [
        ("floor: empty program, preview", floor, "1.0"),
        ("aws plugin, start until it answers", plugins["aws"], ""),
        ("timonel plugin, start until it answers", plugins["timonel"], ""),
        (f"program of {count} VPCs and nothing else, preview", as_many, ratio(as_many)),
        ("importing the program", imports, ""),
        ("dev preview on empty state, cold", cold, ratio(cold)),
        ("dev preview on empty state, warm", warm, f"{ratio(warm)} (aim 1.5)"),
        ("dev preview of a standing stack, warm", again, ratio(again)),
        (f"dev up, {count} resources", up, f"{count / up.seconds:.1f} resources/s"),
        ("dev destroy", destroy, f"{count / destroy.seconds:.1f} resources/s"),
    ]


def median(runs: int, action: Callable[[], object]) -> Cost:
    """Medians of an action's costs."""
    costs = [once(action) for _ in range(runs)]
    return Cost(statistics.median(cost.seconds for cost in costs), statistics.median(cost.cpu for cost in costs))


def once(action: Callable[[], object]) -> Cost:
    """What an action costs."""
    start, before = time.monotonic(), _cpu()
    action()
    return Cost(time.monotonic() - start, _cpu() - before)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def start_of_plugin(sandbox: Sandbox, name: str) -> None:
    """Start a provider until it prints the port that it serves."""
    command = {
        "aws": [str(CHECKOUT / "sandbox/providers/bin/pulumi-resource-aws")],
        "timonel": [sys.executable, str(CHECKOUT / "provider")],
    }[name]
    environment = sandbox.environment | {"AWS_ENDPOINT_URL": sandbox.endpoint}
    search = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    with subprocess.Popen(
        [*command, "127.0.0.1:1"],
        env=environment | {"PATH": search},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        process.kill()
    assert port.isdigit(), f"{name}: said {port!r} in place of a port"


def import_of_the_program() -> None:
    """Import what the dev stack's program imports."""
    lean = "from stacks import lean_imports, settings, platform; lean_imports.install(); "
    components = "import components.network.component, components.swarm.component"
    subprocess.run([sys.executable, "-c", lean + components], cwd=CHECKOUT, check=True)


def dev_stack(sandbox: Sandbox, folder: Path) -> Stack:
    """The dev stack in a clone that has never run, without gate and monitoring: nothing boots here."""
    checkout = clone(folder / "clone")
    (checkout / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": dev()}))
    return Stack(sandbox, checkout, "dev")


if __name__ == "__main__":
    main()
