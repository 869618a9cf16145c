"""The node agent as one file: a zipapp that is byte-identical from any clone, so that its hash names it."""

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pulumi

SOURCE = Path(__file__).resolve().parents[2] / "node_agent"
_PACKAGE = "node_agent"
_ENTRY = f'import runpy\n\nrunpy.run_module("{_PACKAGE}", run_name="__main__", alter_sys=True)\n'
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that the zip format can hold."""
_UNIX = 3
_BUILT = Path(".timonel")
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class Artefact:
    """The agent's zipapp."""

    content: bytes
    """The file."""
    sha256: str
    """Its hash, lower-case hex."""

    @property
    def key(self) -> str:
        """Its key in the state bucket."""
        return f"artefacts/agent-{self.sha256}.pyz"

    def asset(self) -> pulumi.FileAsset:
        """The file for the engine, written below the program's folder.

        A file and not a property's text: ``pulumi preview --diff`` compares long texts letter by letter, which takes
        minutes for this one. The path is relative, so the state names no folder of whoever ran it, and the engine
        compares files by hash, so clones agree.
        """
        path = _BUILT / f"agent-{self.sha256}.pyz"
        if not path.exists():
            _BUILT.mkdir(exist_ok=True)
            whole = path.with_suffix(f".{os.getpid()}")
            whole.write_bytes(self.content)
            whole.rename(path)
        return pulumi.FileAsset(str(path))


def build(source: Path = SOURCE) -> Artefact:
    """Pack every Python file of ``source``; times, modes, order and compression (none) are fixed.

    Raises:
        FileNotFoundError: ``source`` has no ``__main__.py``, so that the result could not be run.
    """
    if not (source / "__main__.py").is_file():
        raise FileNotFoundError(f"{source} has no __main__.py: it is not the node agent")
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*.py")}
    buffer = io.BytesIO()
    # Stored, not deflated: deflate's output differs between zlib versions.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("__main__.py"), _ENTRY)
        for relative in sorted(files):
            archive.writestr(_entry(f"{_PACKAGE}/{relative}"), files[relative])
    content = buffer.getvalue()
    return Artefact(content, hashlib.sha256(content).hexdigest())


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = _MODE
    return entry
