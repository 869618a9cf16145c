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
from collections.abc import Callable, Mapping
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
    empty = Project(sandbox, folder / "empty", EMPTY).stack()
    stack = dev_stack(sandbox, folder)
    eks = Stack(sandbox, stack.folder, "eks")
    console.print("measuring previews of an empty state")
    cold = once(lambda: stack.preview().ok())  # the clone has no compiled files yet
    count = sum(stack.preview().ok().changes.values())
    plain = Project(sandbox, folder / "plain", PLAIN.format(count=count)).stack()
    base: dict[str, Callable[[], object]] = {
        "floor": lambda: empty.preview().ok(),
        "aws": lambda: start_of_plugin(sandbox, "aws"),
        "timonel": lambda: start_of_plugin(sandbox, "timonel"),
    }
    of_eks: dict[str, Callable[[], object]] = {
        "eks": lambda: start_of_plugin(sandbox, "eks"),
        "kubernetes": lambda: start_of_plugin(sandbox, "kubernetes"),
    }
    first = in_turns(
        runs,
        {
            **base,
            **of_eks,
            "warm": lambda: stack.preview().ok(),
            "eks stack": lambda: eks.preview().ok(),
            "plain": lambda: plain.preview().ok(),
            "imports": import_of_the_program,
        },
    )
    console.print("measuring up, previews of a standing stack and destroy")
    up = once(lambda: stack.up().ok())
    second = in_turns(runs, {**base, "again": lambda: stack.preview("--expect-no-changes").ok()})
    destroy = once(lambda: stack.destroy().ok())
    return [
        ("floor: empty program, preview", first["floor"], "1.0"),
        ("aws plugin, start until it answers", first["aws"], ""),
        ("timonel plugin, start until it answers", first["timonel"], ""),
        ("eks plugin, start until it answers", first["eks"], ""),
        ("kubernetes plugin, start until it answers", first["kubernetes"], ""),
        (f"program of {count} VPCs and nothing else, preview", first["plain"], ratio("plain", first)),
        ("importing the program", first["imports"], ""),
        ("dev preview on empty state, cold", cold, ""),
        ("dev preview on empty state, warm", first["warm"], f"{ratio('warm', first)} (aim 1.5)"),
        ("eks preview on empty state, warm", first["eks stack"], f"{ratio('eks stack', first, *of_eks)} (aim 2)"),
        ("dev preview of a standing stack, warm", second["again"], ratio("again", second)),
        (f"dev up, {count} resources", up, f"{count / up.seconds:.1f} resources/s"),
        ("dev destroy", destroy, f"{count / destroy.seconds:.1f} resources/s"),
    ]


def in_turns(runs: int, actions: Mapping[str, Callable[[], object]]) -> dict[str, Cost]:
    """Medians of each action's costs. They take turns, so that other work on the machine meets them all alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in actions}
    for _ in range(runs):
        for name, action in actions.items():
            costs[name].append(once(action))
    return {
        name: Cost(statistics.median(cost.seconds for cost in each), statistics.median(cost.cpu for cost in each))
        for name, each in costs.items()
    }


def ratio(name: str, costs: Mapping[str, Cost], *further: str) -> str:
    """An action's seconds, and its processor time, to those of the floor and the slowest plugin's start."""
    plugins = ("aws", "timonel", *further)
    plugin = max(costs[each].seconds for each in plugins)
    plugin_cpu = max(costs[each].cpu for each in plugins)
    seconds = costs[name].seconds / (costs["floor"].seconds + plugin)
    cpu = costs[name].cpu / (costs["floor"].cpu + plugin_cpu)
    return f"{seconds:.2f} of floor + plugin start; CPU {cpu:.2f}"


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
    own = [sys.executable, str(CHECKOUT / "provider")]
    command = own if name == "timonel" else [str(CHECKOUT / f"sandbox/providers/bin/pulumi-resource-{name}")]
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
