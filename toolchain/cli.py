"""The commands of `python3 -m toolchain`."""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from toolchain import engine, environment, golang, lock, paths, steps, system
from toolchain.errors import ToolchainError
from toolchain.versions import pinned


def main(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ToolchainError as error:
        steps.say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        steps.say("interrupted; nothing half-made is left, the next run starts the step again")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m toolchain", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    setup = commands.add_parser("setup", help="make ready: Python environment, Pulumi engine, system programs")
    setup.add_argument("--with", dest="groups", default="", help="groups of system programs, by comma: lint, machines")
    setup.set_defaults(command=_setup)

    env = commands.add_parser("env", help='print shell exports: eval "$(python3 -m toolchain env)"')
    env.add_argument("--json", action="store_true", help="print {venv, engine, version, way} instead")
    env.set_defaults(command=_env)

    commands.add_parser("versions", help="show what is in use").set_defaults(command=_versions)

    programs = commands.add_parser("system", help="install (Debian, Ubuntu, as root) or name missing system programs")
    programs.add_argument("groups", nargs="*", help="default: all of lint, machines")
    programs.set_defaults(command=_system)

    write = commands.add_parser("lock", help="write requirements.lock and toolchain/bootstrap.lock anew")
    write.add_argument("--upgrade", action="store_true", help="take the newest versions that the requirements allow")
    write.set_defaults(command=_lock)
    return parser


def _setup(options: argparse.Namespace) -> int:
    groups = [name for name in options.groups.split(",") if name]
    # Without the machines' programs the sandbox's API half still works and says what is missing.
    system.ensure([name for name in groups if name != "machines"], required=True)
    system.ensure([name for name in groups if name == "machines"], required=False)
    if lock.is_stale(paths.CHECKOUT, paths.LOCK, lock.INPUTS):
        steps.say("warning: the requirements have changed since requirements.lock was written: run `make lock`")
    environment.ensure()
    engine.ensure()
    return 0


def _env(options: argparse.Namespace) -> int:
    ready = engine.find()
    if ready is None or not (paths.VENV / "bin" / "python").exists():
        raise ToolchainError("not set up yet: run `make setup`")
    if options.json:
        facts = {"venv": str(paths.VENV), "engine": str(ready.folder), "version": ready.version, "way": ready.way}
        print(json.dumps(facts))
        return 0
    print(f"export VIRTUAL_ENV={shlex.quote(str(paths.VENV))}")
    print(f"export PATH={shlex.quote(search_path(ready.folder, os.environ.get('PATH', '')))}")
    return 0


def search_path(engine_folder: Path, search: str) -> str:
    """``search`` with the environment and the engine in front, each once."""
    front = [str(paths.VENV / "bin"), str(engine_folder)]
    return os.pathsep.join([*front, *(folder for folder in search.split(os.pathsep) if folder and folder not in front)])


def _versions(_: argparse.Namespace) -> int:
    ready = engine.find()
    fresh = environment.is_fresh(paths.VENV, environment.fingerprint(paths.LOCK.read_bytes()))
    go = golang.on_path("1.0")
    rows = {
        "python3": f"{sys.version.split()[0]} ({sys.executable})",
        "environment": f"{paths.VENV} ({'as locked' if fresh else 'not as locked: run `make setup`'})",
        "uv": pinned(paths.BOOTSTRAP_LOCK.read_text(), "uv"),
        "pulumi SDK": pinned(paths.LOCK.read_text(), "pulumi"),
        "pulumi engine": f"{ready.version}, {ready.way} ({ready.folder})" if ready else "none: run `make setup`",
        "go": str(go) if go else "none on PATH; PyPI's is taken if the engine must be built",
    }
    for name, programs in system.groups().items():
        absent = [program.package for program in programs if not program.is_there()]
        rows[f"system, {name}"] = f"missing: {', '.join(absent)}" if absent else "all there"
    for name, value in rows.items():
        print(f"{name:18}{value}")
    return 0


def _system(options: argparse.Namespace) -> int:
    groups = options.groups or ["lint", "machines"]
    system.ensure(groups, required=True)
    steps.say(f"system programs for {', '.join(groups)}: all there")
    return 0


def _lock(options: argparse.Namespace) -> int:
    lock.write(options.upgrade)
    return 0
