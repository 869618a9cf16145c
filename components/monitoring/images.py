"""The images of the monitoring stack: versions in ``images.yaml``, digests in ``images.lock.yaml`` where known.

    python -m components.monitoring.images

asks the registries for the digests (by ``docker buildx imagetools``) and writes the lock. Without a lock, tags decide.
A registry that serves images of its own under these names, as the sandbox's does, needs a tree without the lock.
"""

import subprocess
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("images.yaml")
LOCK = Path(__file__).with_name("images.lock.yaml")


def image(name: str, versions: Path = FILE, lock: Path = LOCK) -> str:
    """The full name of an image, with its digest where the lock has one for this very version."""
    tagged = str(_read(versions)["images"][name])
    digest = _read(lock).get("digests", {}).get(tagged) if lock.exists() else None
    return f"{tagged}@{digest}" if digest else tagged


def main() -> None:
    """Write the lock."""
    tags = sorted(_read(FILE)["images"].values())
    LOCK.write_text(yaml.safe_dump({"digests": {tag: _digest(tag) for tag in tags}}))


def _digest(tag: str) -> str:
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", tag]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _read(path: Path) -> dict[str, dict[str, str]]:
    return dict(yaml.safe_load(path.read_text()))


if __name__ == "__main__":
    main()
