"""Machines of the sandbox for people and tests: `python -m sandbox.machines COMMAND` (TIMONEL_SANDBOX: which)."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sandbox.machines import actions, controller, image
from sandbox.state import State

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Instance = Annotated[str, typer.Argument(help="An instance id.")]
Api = Annotated[bool, typer.Option(help="Cut from the AWS API, registry and DNS too.")]


def _state() -> State:
    return State.find()


@app.command()
def status() -> None:
    """Show the hosts."""
    entries = controller.status(_state().folder)
    if not entries:
        print("no hosts")
        return
    table = Table(*entries[0])
    for entry in entries:
        table.add_row(*(str(value) for value in entry.values()))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command()
def down() -> None:
    """Remove every process, namespace, mount and cgroup of the hosts; the AWS API stays."""
    controller.stop(_state().folder)
    left = {what: found for what, found in controller.traces(_state().folder).items() if found}
    print(f"left behind: {left}" if left else "nothing is left")
    raise typer.Exit(1 if left else 0)


@app.command()
def supported() -> None:
    """Say whether this machine can boot hosts, and what is missing; exit 1 when it cannot."""
    reason = controller.supported()
    print(reason or "yes")
    raise typer.Exit(1 if reason else 0)


@app.command(name="image")
def make_image() -> None:
    """Make the hosts' image if it is not in the cache."""
    made = image.ensure(lambda line: print(line, file=sys.stderr, flush=True))
    print(made.folder)
    for name, version in made.versions.items():
        print(f"  {name} {version}")


@app.command()
def run(
    instance: Instance, command: Annotated[list[str], typer.Argument(help="After --: a program and arguments.")]
) -> None:
    """Run a program on a host as root: `run i-... -- docker node ls`."""
    done = actions.host(_state().folder, instance).run(*command, timeout=3600)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    raise typer.Exit(done.returncode)


@app.command()
def console(instance: Instance) -> None:
    """Print the end of a host's console."""
    print(actions.host(_state().folder, instance).console())


@app.command()
def cut_zone(zone: str, *, api: Api = False) -> None:
    """Cut a zone from every other zone and from the load balancers."""
    actions.cut_zone(_state().folder, zone, api=api)


@app.command()
def cut_host(instance: Instance, *, api: Api = True) -> None:
    """Cut a host from every other host and from the load balancers."""
    actions.cut_host(_state().folder, instance, api=api)


@app.command()
def cut_pair(one: str, other: str) -> None:
    """Cut two zones or instances from each other only."""
    actions.cut_pair(_state().folder, one, other)


@app.command()
def cut_api(what: Annotated[str, typer.Argument(help="A zone or an instance id.")]) -> None:
    """Cut a zone or an instance from the AWS API, registry and DNS only."""
    actions.cut_api(_state().folder, what)


@app.command()
def heal(what: Annotated[str, typer.Argument(help="A zone or an instance id; nothing: everything.")] = "") -> None:
    """Undo cuts."""
    actions.heal(_state().folder, what)


@app.command()
def power_cut(instance: Instance) -> None:
    """Take a host's power away; EC2 goes on calling it running."""
    actions.power_cut(_state().folder, instance)


@app.command()
def power_on(instance: Instance) -> None:
    """Give a host its power back."""
    actions.power_on(_state().folder, instance)


@app.command()
def freeze(instance: Instance) -> None:
    """Stop every process of a host where it stands."""
    actions.freeze(_state().folder, instance)


@app.command()
def thaw(instance: Instance) -> None:
    """Let a frozen host go on."""
    actions.thaw(_state().folder, instance)


@app.command()
def spot_notice(instance: Instance, action: str = "terminate", seconds: float = 120) -> None:
    """Announce a spot interruption and carry it out when its time has come."""
    actions.spot_notice(_state().folder, instance, action, seconds)


def main() -> None:
    """Run a command; an error is one line."""
    try:
        app(prog_name="python -m sandbox.machines")
    except (actions.NoHostError, image.ImageError, RuntimeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
