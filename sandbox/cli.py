"""The command line of the sandbox; see `sandbox/__main__.py` for what each command promises."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sandbox.engine.plugins import Choice
from sandbox.state import CHECKOUT, State

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="AWS on this machine."
)
faults_app = typer.Typer(invoke_without_command=True, help="Faults of the AWS API: show, set, clear.")
app.add_typer(faults_app, name="faults")
out = Console(soft_wrap=True, highlight=False, emoji=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _say(line: str) -> None:
    out.print(line, markup=False)


def _fail(error: Exception | str) -> typer.Exit:
    errors.print(f"error: {error}", markup=False, style="red")
    return typer.Exit(1)


@app.command()
def up(
    plugins: Annotated[
        Choice, typer.Option(envvar="TIMONEL_PLUGINS", help="Provider plugins: genuine, stand-in, or what can be had.")
    ] = Choice.AUTO,
    region: Annotated[str, typer.Option(help="The default region.")] = "us-east-1",
    *,
    machines: Annotated[bool, typer.Option(help="Boot hosts for instances where this host can.")] = True,
    kubernetes: Annotated[bool, typer.Option(help="Run a control plane for each EKS cluster.")] = True,
) -> None:
    """Start what is not running."""
    from sandbox import lifecycle  # noqa: PLC0415 - `exec` must not pay for its imports

    try:
        lifecycle.up(State.find(), _say, plugins, region, machines=machines, kubernetes=kubernetes)
    except RuntimeError as error:
        raise _fail(error) from error


@app.command()
def down() -> None:
    """End every process of this sandbox and remove its state."""
    from sandbox import lifecycle  # noqa: PLC0415

    try:
        lifecycle.down(State.find(), _say)
    except RuntimeError as error:
        raise _fail(error) from error


@app.command()
def status(*, as_json: JsonOption = False) -> None:
    """Show processes, endpoint, plugins, faults, stacks and machines; exit 1 when the sandbox is not up."""
    from sandbox import lifecycle  # noqa: PLC0415

    found = lifecycle.status(State.find())
    if as_json:
        print(json.dumps(found, indent=2, default=str))
    else:
        _show_status(found)
    if not found["up"]:
        raise typer.Exit(1)


def _show_status(found: dict[str, Any]) -> None:
    _say(f"sandbox: {found['folder']} ({'up' if found['up'] else 'not up'})")
    if found["up"]:
        api = found["api"]
        _say(f"AWS API: {api['endpoint']} (pid {api['pid']}, region {api['region']}, {found['calls']} calls)")
        _say(f"provider plugins: {found['plugins']['kind']} ({found['plugins']['reason']})")
        _say(f"engine: {found['engine'] or 'none found'}")
        active = {k: v for k, v in found["faults"].items() if v}
        _say(f"faults: {active or 'none'}")
    for name, resources in found["stacks"].items():
        _say(f"stack {name}: {resources} resources")
    for title in ("machines", "clusters"):
        rows = found.get(title)
        if rows:
            table = Table(*(str(k) for k in rows[0]), title=title)
            for row in rows:
                table.add_row(*(str(v) for v in row.values()))
            out.print(table)


@app.command(
    name="exec",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
)
def execute(context: typer.Context) -> None:
    """Run a command against the sandbox: `exec -- pulumi up -s dev`."""
    from sandbox.engine.execute import main  # noqa: PLC0415

    main(context.args)


@app.command()
def leaks(
    stack: Annotated[str | None, typer.Option(help="Only this stack, as project/stack.")] = None,
    region: Annotated[list[str] | None, typer.Option(help="More regions; those that were called are searched.")] = None,
    *,
    cluster: Annotated[
        list[str] | None, typer.Option(help="An EKS cluster that is gone: what its controllers made counts too.")
    ] = None,
    as_json: JsonOption = False,
    real: Annotated[bool, typer.Option(help="Search the account of the environment, by tag, not the sandbox.")] = False,
) -> None:
    """Print what AWS still holds; exit 1 when something is left behind."""
    from sandbox import lifecycle  # noqa: PLC0415
    from sandbox.leaks import command, search  # noqa: PLC0415
    from sandbox.leaks.model import Class  # noqa: PLC0415

    state = State.find()
    try:
        if real:
            regions: list[str | None] = [*region] if region else [None]
            found = [
                finding
                for name in regions
                for finding in search.search(
                    command.clients_of_aws(name), stack, whole_account=False, clusters=cluster or ()
                )
            ]
        else:
            called = lifecycle.control(state.read(), "GET", "")["regions"]
            found = command.of_sandbox(state, stack, {*called, *(region or [])}, cluster or ())
    except RuntimeError as error:
        raise _fail(error) from error
    if as_json:
        print(json.dumps(command.summary(found), indent=2))
    else:
        for line in command.lines(found):
            _say(line)
    if any(finding.klass is Class.LEFT_BEHIND for finding in found):
        raise typer.Exit(1)


@app.command()
def repair(
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack.")],
    project: Annotated[Path, typer.Option(help="The project's folder.")] = CHECKOUT,
) -> None:
    """Make a stack usable after an interrupted run; exit 1 when its holder lives."""
    from sandbox.engine import repair as engine_repair  # noqa: PLC0415

    state = State.find()
    try:
        name = engine_repair.project_name(project)
        if not engine_repair.repair(state, project.resolve(), name, stack, _say):
            _say(f"stack {stack}: nothing to repair")
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise _fail(error) from error


@app.command()
def calls(*, as_json: JsonOption = False) -> None:
    """Print the journal of AWS calls."""
    from sandbox import lifecycle  # noqa: PLC0415

    try:
        journal = lifecycle.control(State.find().read(), "GET", "calls")["calls"]
    except RuntimeError as error:
        raise _fail(error) from error
    if as_json:
        print(json.dumps(journal))
        return
    for call in journal:
        caller = call["caller"].rsplit(":", 1)[-1]
        what = f"{call['service']}:{call['action']}"
        _say(f"{call['time']:.3f} {call['status']} {what} by {caller} {call['error'] or ''}".rstrip())


@faults_app.callback(invoke_without_command=True)
def faults(context: typer.Context) -> None:
    """Show the faults when no command is given."""
    if context.invoked_subcommand is None:
        faults_show()


def _control_faults(method: str, content: dict[str, Any] | None = None) -> None:
    from sandbox import lifecycle  # noqa: PLC0415

    try:
        print(json.dumps(lifecycle.control(State.find().read(), method, "faults", content), indent=2))
    except RuntimeError as error:
        raise _fail(error) from error


@faults_app.command("show")
def faults_show() -> None:
    """Show which faults are on."""
    _control_faults("GET")


@faults_app.command("clear")
def faults_clear() -> None:
    """Switch every fault off."""
    _control_faults("PUT", {})


@faults_app.command("set")
def faults_set(  # noqa: PLR0917 - they are options, given by name
    throttle: Annotated[float, typer.Option(help="Share of calls throttled, 0 to 1.")] = 0.0,
    error: Annotated[float, typer.Option(help="Share of calls answered by a server error, 0 to 1.")] = 0.0,
    empty: Annotated[float, typer.Option(help="Share of Describes of instances and groups that answer nothing.")] = 0.0,
    stale: Annotated[float, typer.Option(help="Describes of instances and groups are this many seconds old.")] = 0.0,
    delay: Annotated[float, typer.Option(help="Seconds that each answer is held back.")] = 0.0,
    no_capacity: Annotated[list[str] | None, typer.Option(help="Zone without capacity; repeatable.")] = None,
    services: Annotated[str, typer.Option(help="Only these services, comma separated.")] = "",
    actions: Annotated[str, typer.Option(help="Only these actions, comma separated.")] = "",
    callers: Annotated[list[str] | None, typer.Option(help="Only callers whose ARN matches; repeatable.")] = None,
    outage: Annotated[str, typer.Option(help="Services that are away, comma separated.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the generator.")] = 0,
) -> None:
    """Replace the faults."""
    _control_faults(
        "PUT",
        {
            "throttle": throttle,
            "error": error,
            "empty": empty,
            "stale": stale,
            "delay": delay,
            "no_capacity": no_capacity or [],
            "services": [s for s in services.split(",") if s],
            "actions": [s for s in actions.split(",") if s],
            "callers": callers or [],
            "outage": [s for s in outage.split(",") if s],
            "seed": seed,
        },
    )
