"""Entry of the plugin: the language host runs this folder with the engine's address as the argument."""

import sys
from pathlib import Path

# The folder itself is first on the path when Python runs it; its parent is what makes it the package `provider`.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from provider.serve import serve  # noqa: E402 (needs the path above)
from provider.timonel import TimonelProvider  # noqa: E402

if __name__ == "__main__":
    serve(TimonelProvider, sys.argv[1:])
