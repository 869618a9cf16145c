"""`python -m sandbox exec -- CMD`: become the command, in the sandbox's environment. Imports little: it runs often."""

from __future__ import annotations

import os
import sys

from sandbox.engine import environment
from sandbox.state import State


def main(arguments: list[str]) -> None:
    """Become the command; does not return.

    Raises:
        SystemExit: with the reason: no command, the sandbox is not up, no such program.
    """
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        sys.exit("error: exec: name the command, as in `python -m sandbox exec -- pulumi preview -s dev`")
    state = State.find()
    try:
        variables = environment.variables(state)
    except RuntimeError as error:
        sys.exit(f"error: {error}")
    if command[0] == "pulumi":
        if "TIMONEL_PULUMI" not in variables:
            sys.exit("error: exec: `up` found no pulumi engine; `make setup` gets one, then run `up` again")
        record = state.read()
        line = f"provider plugins: {record.get('plugins')} ({record.get('plugins_reason')})"
        print(line, file=sys.stderr, flush=True)
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606 - no shell is wanted
    except FileNotFoundError:
        sys.exit(f"error: exec: no program {command[0]!r} on the sandbox's PATH")
