"""The state folder of one sandbox: where it lies, what it holds, and the record of what runs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.processes import ProcessId

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class State:
    """Paths below one sandbox's folder. Everything of a sandbox lies here, so two folders are two sandboxes."""

    folder: Path

    @classmethod
    def find(cls) -> State:
        """The sandbox of TIMONEL_SANDBOX, else `.sandbox` of this checkout."""
        return cls(Path(os.environ.get("TIMONEL_SANDBOX") or CHECKOUT / ".sandbox").resolve())

    @property
    def record(self) -> Path:
        """sandbox.json: {pid, start_time, endpoint, region, plugins, ...}; the API process writes its half."""
        return self.folder / "sandbox.json"

    @property
    def credentials(self) -> Path:
        """credentials.json: this sandbox's throw-away access key (0600)."""
        return self.folder / "credentials.json"

    @property
    def passphrase(self) -> Path:
        """The throw-away passphrase of the engine's secrets (0600)."""
        return self.folder / "passphrase"

    @property
    def salt(self) -> Path:
        """The engine's `encryptionsalt` made from the passphrase: one for all stacks of the sandbox."""
        return self.folder / "encryptionsalt"

    @property
    def engine(self) -> Path:
        """Root of the engine's file backend."""
        return self.folder / "engine"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME."""
        return self.folder / "pulumi-home"

    @property
    def bin(self) -> Path:
        """Holds the `pulumi` shim."""
        return self.folder / "bin"

    @property
    def mirrors(self) -> Path:
        """One mirror for each project folder that ran here."""
        return self.folder / "projects"

    @property
    def runs(self) -> Path:
        """One record for each run of the engine."""
        return self.folder / "runs"

    @property
    def logs(self) -> Path:
        """api.log and the like."""
        return self.folder / "logs"

    def read(self) -> dict[str, Any]:
        """The record; empty when there is none or it was cut short by a kill."""
        return read_json(self.record)

    def api(self) -> ProcessId | None:
        """The API process of the record if it still runs."""
        record = self.read()
        if "pid" not in record:
            return None
        process = ProcessId(int(record["pid"]), str(record["start_time"]))
        return process if process.alive() else None

    def prepare(self) -> None:
        """Make the folder and what lasts as long as it: credentials and passphrase."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.engine, self.pulumi_home, self.bin, self.mirrors, self.runs, self.logs):
            folder.mkdir(exist_ok=True)
        if not read_json(self.credentials):
            key = "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
            write_json(self.credentials, {"access_key": key, "secret_key": secrets.token_urlsafe(30)})
        if not self.passphrase.exists() or not self.passphrase.read_text():
            write(self.passphrase, secrets.token_urlsafe(24))

    def remove(self) -> None:
        """Remove the folder. Symbolic links in it are removed, never followed."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Only one `up` or `down` of a sandbox at a time; the kernel lets go of it when its holder dies.

        The folder itself is locked. Whoever waited while `down` removed it holds a lock on nothing, so it tries again.
        """
        while True:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if self.folder.exists() and self.folder.stat().st_ino == os.fstat(descriptor).st_ino:
                    yield
                    return
            finally:
                os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty when it is missing or unreadable (a kill may cut anything short)."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON whole or not at all, readable by the owner only."""
    write(path, json.dumps(content, indent=2) + "\n")


def write(path: Path, content: str) -> None:
    """Write text whole or not at all, readable by the owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    temporary.replace(path)
