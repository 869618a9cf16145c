"""Entry point: `python3 -m toolchain COMMAND`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older python3 must get as far as this sentence
    sys.exit(
        "timonel needs Python 3.11 or newer; this python3 is %s (%s). Install a newer one, or name it: "  # noqa: UP031
        "make PYTHON3=/path/to/python3.11 ..." % (sys.version.split()[0], sys.executable)
    )

from toolchain.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
