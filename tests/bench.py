"""`make bench`: where the time of a preview goes, against floors measured in the same run.

Prints one table. Figures are medians of a few runs on this machine at this moment; only the ratios travel.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from sandbox.state import CHECKOUT
from tests.sandbox.rig import Project, Sandbox, Stack, clone
from tests.sandbox.shapes import dev

RUNS = 5
EMPTY = "import pulumi\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs per figure (default {RUNS})")
    runs = parser.parse_args().runs
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that the sandbox below goes too
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder) / "sandbox")
        try:
            sandbox.up()
            rows = measure(sandbox, Path(folder), runs, console)
        finally:
            sandbox.down()
    table = Table("what", "seconds", "ratio", title=f"median of {runs} where repeated")
    for what, seconds, ratio in rows:
        table.add_row(what, f"{seconds:.2f}", ratio)
    console.print(table)


def measure(sandbox: Sandbox, folder: Path, runs: int, console: Console) -> list[tuple[str, float, str]]:
    """Every figure as (what, seconds, ratio in words)."""
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
    base = floor + max(plugins.values())
    return [
        ("floor: empty program, preview", floor, "1.0"),
        ("aws plugin, start until it answers", plugins["aws"], ""),
        ("timonel plugin, start until it answers", plugins["timonel"], ""),
        ("importing the program", imports, ""),
        ("dev preview on empty state, cold", cold, f"{cold / base:.2f} of floor + plugin start"),
        ("dev preview on empty state, warm", warm, f"{warm / base:.2f} of floor + plugin start (aim 1.5)"),
        ("dev preview of a standing stack, warm", again, f"{again / base:.2f} of floor + plugin start"),
        (f"dev up, {count} resources", up, f"{count / up:.1f} resources/s"),
        ("dev destroy", destroy, f"{count / destroy:.1f} resources/s"),
    ]


def median(runs: int, action: Callable[[], object]) -> float:
    """Median seconds of an action."""
    return statistics.median(once(action) for _ in range(runs))


def once(action: Callable[[], object]) -> float:
    """Seconds of an action."""
    start = time.monotonic()
    action()
    return time.monotonic() - start


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
    """The dev stack in a clone that has never run, without the gate: nothing boots here."""
    checkout = clone(folder / "clone")
    (checkout / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": dev()}))
    return Stack(sandbox, checkout, "dev")


if __name__ == "__main__":
    main()
