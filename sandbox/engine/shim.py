"""The `pulumi` of the sandbox's PATH: renews the project's mirror, notes the run, then becomes the real engine."""

from __future__ import annotations

import os
import sys
import time
import uuid
from pathlib import Path

from sandbox.engine import mirror
from sandbox.processes import start_time
from sandbox.state import State, write_json

FILE_OPTIONS = (
    "--file",
    "--plan",
    "--save-plan",
    "--event-log",
    "--import-file",
    "--policy-pack-config",
    "--config-file",
    "--out",
)
"""Options whose value is a path that the caller means relative to where it stands."""


def main(arguments: list[str]) -> None:
    """Run the engine with these arguments; does not return."""
    engine = os.environ.get("TIMONEL_PULUMI")
    if not engine:
        sys.exit("pulumi: this is the sandbox's shim; run it through `python -m sandbox exec -- pulumi ...`")
    state = State.find()
    here = Path.cwd()
    arguments, chosen = _without_folder(arguments)
    project = mirror.project_folder((here / chosen) if chosen else here)
    if project is not None:
        try:
            folder = mirror.refresh(state, project.resolve())
        except ValueError as error:
            sys.exit(f"error: {error}")
        os.environ["PULUMI_OPTION_CWD"] = str(folder)
    elif chosen:
        os.environ["PULUMI_OPTION_CWD"] = str(here / chosen)
    _note(state, arguments, project)
    os.execv(engine, ["pulumi", *_absolute(arguments, here)])  # noqa: S606 - no shell is wanted


def _without_folder(arguments: list[str]) -> tuple[list[str], str | None]:
    """The arguments without -C/--cwd, and its value."""
    rest: list[str] = []
    chosen = None
    words = iter(arguments)
    for word in words:
        if word in {"-C", "--cwd"}:
            chosen = next(words, None)
        elif word.startswith("--cwd="):
            chosen = word.removeprefix("--cwd=")
        elif word == "--":
            rest += [word, *words]
        else:
            rest.append(word)
    return rest, chosen


def _absolute(arguments: list[str], here: Path) -> list[str]:
    """The arguments with paths that still hold in the mirror."""
    result: list[str] = []
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if option in FILE_OPTIONS and equals:
            result.append(f"{option}={here / value}")
        elif option in FILE_OPTIONS:
            result += [word, *(str(here / value) for value in [next(words, None)] if value is not None)]
        else:
            result.append(word)
    return result


def _note(state: State, arguments: list[str], project: Path | None) -> None:
    """Record this run: `repair` finds a killed run's orphans by its mark in their environment."""
    run = str(uuid.uuid4())
    os.environ["TIMONEL_RUN"] = run
    state.runs.mkdir(parents=True, exist_ok=True)
    write_json(
        state.runs / f"{run}.json",
        {
            "run": run,
            "pid": os.getpid(),
            "start_time": start_time(os.getpid()),
            "arguments": arguments,
            "project": str(project) if project else None,
            "begun": time.time(),
        },
    )
