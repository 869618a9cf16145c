"""Mounts below a folder, as the kernel lists them."""

import subprocess
from pathlib import Path

from sandbox.machines.namespaces import run


def below(folder: Path) -> list[Path]:
    """Mount points at or below a folder, deepest first."""
    real = folder.resolve()
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if point == real or real in point.parents:
            points.append(point)
    return list(reversed(points))


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below a folder; what is still busy goes when its last user does."""
    for point in below(folder):
        if subprocess.run(["umount", str(point)], capture_output=True, check=False).returncode:
            run("umount", "-l", str(point))


def overlay(lower: Path, upper: Path, work: Path, target: Path) -> None:
    """Mount an overlay of a read-only lower root.

    Raises:
        RuntimeError: the kernel refused, for instance because the state folder itself lies on an overlay.
    """
    for folder in (upper, work, target):
        folder.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    run("mount", "-t", "overlay", "overlay", "-o", options, str(target))
