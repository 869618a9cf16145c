"""`make lock`: write requirements.lock and bootstrap.lock anew, with hashes and for every platform."""

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


def compile_lock(inputs: tuple[str, ...], lock: Path, *, upgrade: bool) -> None:
    """Write ``lock`` from ``inputs`` (paths in the checkout) by uv; the old lock stays when that fails."""
    with tempfile.TemporaryDirectory(prefix="timonel-lock-") as scratch:
        making = Path(scratch) / lock.name
        if lock.exists():
            making.write_bytes(lock.read_bytes())
        command = [environment.uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", "3.11", "--no-emit-index-url", "--no-emit-find-links", "--no-header"]
        command += ["--output-file", making, *(["--upgrade"] if upgrade else []), *inputs]
        steps.run(f"resolving {lock.name}", command, cwd=paths.CHECKOUT)
        text = making.read_text()
    head = f"# Written by `make lock` from {' and '.join(inputs)}; do not edit.\n"
    lock.write_text(head + text)
