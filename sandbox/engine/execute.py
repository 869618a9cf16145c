"""`python -m sandbox exec -- CMD`: become the command, in the sandbox's environment. Imports little: it runs often."""

from __future__ import annotations

import os
import shutil
import sys

from sandbox.engine import environment
from sandbox.state import State

BIND = 'mount --bind "$0" /etc/hosts && exec "$@"'


def _with_names(state: State, command: list[str]) -> tuple[str, list[str]]:
    """The program and its arguments, in a mount namespace where the names of the sandbox's load balancers resolve.

    The machines keep a hosts file of them. Without machines, or without root, the command as it is. Slave propagation:
    network namespaces that the machines make later are seen inside.
    """
    names = state.folder / "machines" / "etc-hosts"
    program = shutil.which(command[0], path=environment.variables(state)["PATH"])
    if not names.exists() or os.geteuid() != 0 or program is None or shutil.which("unshare") is None:
        return command[0], command
    return "unshare", ["unshare", "--mount", "--propagation", "slave", "sh", "-c", BIND, str(names), *command]


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
        os.execvpe(*_with_names(state, command), variables)  # noqa: S606 - no shell is wanted
    except FileNotFoundError:
        sys.exit(f"error: exec: no program {command[0]!r} on the sandbox's PATH")
