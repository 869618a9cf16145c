"""The API process: `python -m sandbox.aws STATE_FOLDER PORT REGION`. Started by `sandbox up`, never by hand."""

import sys
from pathlib import Path

from sandbox.aws.server import serve

if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
