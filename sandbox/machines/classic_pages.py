"""Prometheus' classic pages as Debian's own release packages them; newer builds of Debian have no pages."""

import os
import shutil
from pathlib import Path

from sandbox.machines import debian
from sandbox.machines.image import cache_root

SCRIPTS = (
    "fonts-glyphicons-halflings",
    "libjs-bootstrap4",
    "libjs-d3",
    "libjs-eonasdan-bootstrap-datetimepicker",
    "libjs-jquery",
    "libjs-jquery-hotkeys",
    "libjs-moment",
    "libjs-moment-timezone",
    "libjs-mustache",
    "libjs-popper.js",
    "libjs-rickshaw",
)
"""What the package `prometheus` depends on for its pages."""
WEB = "usr/share/prometheus/web"
LARGEST = 2_000_000
"""Bytes; tables of time zones for other uses are larger."""


def files() -> dict[str, tuple[bytes, int]]:
    """Path -> content and mode, links between the packages followed.

    Raises:
        RuntimeError: a package cannot be had.
    """
    together = cache_root() / "debian" / ".prometheus-pages"
    shutil.rmtree(together, ignore_errors=True)
    for package in ("prometheus", *SCRIPTS):
        unpacked = debian.program(package, f"usr/share/doc/{package}").parents[3]
        shutil.copytree(unpacked / "usr/share", together / "usr/share", symlinks=True, dirs_exist_ok=True)
    found = {}
    for folder, _, names in os.walk(together / WEB, followlinks=True):
        for path in (Path(folder) / name for name in names):
            if path.stat().st_size <= LARGEST:
                found[str(path.relative_to(together))] = (path.read_bytes(), 0o644)
    shutil.rmtree(together)
    return found
