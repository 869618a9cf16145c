"""`make lock`: write requirements.lock and bootstrap.lock anew, with hashes and for every platform."""

import hashlib
import tempfile
from pathlib import Path

from toolchain import environment, paths, steps

INPUTS = ("tests/requirements.txt", "toolchain/requirements.txt")
"""What the environment of a checkout holds: product, sandbox, tests, linters, and pip."""

BOOTSTRAP_INPUT = "toolchain/bootstrap.txt"
"""What is taken from PyPI before there is an environment."""


def write(upgrade: bool) -> None:
    """Resolve both locks anew.

    Args:
        upgrade: take the newest versions that the inputs allow, not those in the locks where these still fit.

    Raises:
        ToolchainError: the inputs cannot be resolved.
    """
    compile_lock(INPUTS, paths.LOCK, upgrade=upgrade)
    compile_lock((BOOTSTRAP_INPUT,), paths.BOOTSTRAP_LOCK, upgrade=upgrade)


def requirement_lines(file: Path) -> list[str]:
    """What a requirements file asks for, with the files that it includes by `-r`; comments do not count."""
    lines: list[str] = []
    for raw in file.read_text().splitlines():
        line = raw.split("#", 1)[0].strip()
        if line.startswith("-r "):
            lines += requirement_lines((file.parent / line[3:].strip()).resolve())
        elif line:
            lines.append(line)
    return lines


def fingerprint(checkout: Path, inputs: tuple[str, ...]) -> str:
    """The requirements that a lock answers, whatever their order and comments."""
    lines = sorted({line for name in inputs for line in requirement_lines(checkout / name)})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def is_stale(checkout: Path, lock: Path, inputs: tuple[str, ...]) -> bool:
    """Whether the requirements have changed since the lock was written from them."""
    return f"# requirements: {fingerprint(checkout, inputs)}\n" not in lock.read_text()


def compile_lock(inputs: tuple[str, ...], lock: Path, *, upgrade: bool) -> None:
    """Write ``lock`` from ``inputs`` (paths in the checkout) by uv; the old lock stays when that fails."""
    with tempfile.TemporaryDirectory(prefix="timonel-lock-") as scratch:
        making = Path(scratch) / lock.name
        if lock.exists():
            making.write_bytes(lock.read_bytes())
        command: list[str | Path] = [environment.uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", "3.11", "--no-emit-index-url", "--no-emit-find-links", "--no-header"]
        command += ["--output-file", making, *(["--upgrade"] if upgrade else []), *inputs]
        steps.run(f"resolving {lock.name}", command, cwd=paths.CHECKOUT)
        text = making.read_text()
    head = (
        f"# Written by `make lock` from {' and '.join(inputs)}; do not edit.\n"
        f"# requirements: {fingerprint(paths.CHECKOUT, inputs)}\n"
    )
    lock.write_text(head + text)
