"""The project's mirror: the folder in which the engine really runs, so that it never writes into the checkout.

With a passphrase the engine writes `encryptionsalt` into Pulumi.<stack>.yaml on `stack init`, and `stack rm` or
`destroy --remove` delete that file. `--config-file` (or PULUMI_OPTION_CONFIG_FILE) covers only some of those commands.
So the engine is given another working folder (PULUMI_OPTION_CWD): symbolic links to every entry of the project, and
copies of the stack files that carry the sandbox's own salt. Two projects or checkouts have two mirrors.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path

from sandbox.state import State, write

_STACK_FILE = re.compile(r"Pulumi\.(?P<stack>[^/]+)\.ya?ml")
_OWN_SECRETS = re.compile(r"^(encryptionsalt|secretsprovider|encryptedkey):.*\n?", re.MULTILINE)
_SECRET_VALUE = re.compile(r"^\s+secure:\s", re.MULTILINE)
SOURCE_NOTE = "# sandbox-copy-of: "
SKIPPED = frozenset({".git", ".sandbox", ".timonel"})


def project_folder(start: Path) -> Path | None:
    """The folder of the nearest Pulumi.yaml at or above `start`, as the engine finds it; None without one."""
    for folder in (start, *start.parents):
        if folder.joinpath("Pulumi.yaml").exists() or folder.joinpath("Pulumi.yml").exists():
            return folder
    return None


def refresh(state: State, project: Path) -> Path:
    """Make or renew the mirror of a project and return its folder. Safe to run while another engine uses it.

    A stack file is copied again only when the project's changed; `pulumi config set` in the sandbox lasts until then.

    Raises:
        ValueError: a stack file holds a value encrypted for another secrets provider, which the sandbox cannot read.
    """
    mirror = state.mirrors / f"{project.name}-{hashlib.sha256(str(project).encode()).hexdigest()[:10]}"
    mirror.mkdir(parents=True, exist_ok=True)
    wanted = {entry.name: entry for entry in project.iterdir() if not _skipped(entry, state)}
    for name, entry in wanted.items():
        if _STACK_FILE.fullmatch(name):
            _copy_stack_file(state, entry, mirror / name)
        else:
            _link(entry, mirror / name)
    for entry in mirror.iterdir():
        if entry.is_symlink() and entry.name not in wanted:
            entry.unlink(missing_ok=True)
    return mirror


def _skipped(entry: Path, state: State) -> bool:
    return entry.name in SKIPPED or entry == state.folder or entry in state.folder.parents


def _link(target: Path, link: Path) -> None:
    with contextlib.suppress(OSError):
        if link.is_symlink() and link.readlink() == target:
            return
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(link)


def _copy_stack_file(state: State, source: Path, copy: Path) -> None:
    text = source.read_text()
    if _SECRET_VALUE.search(text):
        raise ValueError(
            f"{source}: it holds a value encrypted (`secure:`) for another secrets provider. The sandbox has "
            "a throw-away passphrase of its own and cannot read it: give it a stack file with the setting in plain text"
        )
    digest = hashlib.sha256(text.encode()).hexdigest()
    note = f"{SOURCE_NOTE}{digest}\n"
    salt = f"encryptionsalt: {state.salt.read_text().strip()}\n"
    noted = state.mirrors / f".{copy.parent.name}.{copy.name}"
    with contextlib.suppress(OSError):
        if copy.exists() and noted.read_text() == note:
            return
    body = _OWN_SECRETS.sub("", text).rstrip("\n")
    write(copy, f"{salt}{body}\n" if body else salt)
    write(noted, note)
