"""Commands of the sandbox's Kubernetes.

python -m sandbox.kubernetes build    build the programs if they are not there, and print their folder
"""

from __future__ import annotations

import sys

from sandbox.kubernetes import build
from toolchain.errors import ToolchainError


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    if arguments != ["build"]:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(build.ensure())
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
