"""The versions that this checkout is made for, and how versions are compared. No network, no programs."""

import re

ENGINE_MINIMUM = "3.259.0"
"""Oldest Pulumi engine that is used as it is; what is built from modules (engine/go.mod) is this one."""

ENGINE_INSTALL = "3.272.0"
"""The engine that the official installer is asked for: the version of the Python SDK in requirements.lock."""


def parse(text: str) -> tuple[int, ...]:
    """The numbers of the first version in ``text``: `go version go1.26.8 linux/amd64` and `v3.259.0-alpha.1` work.

    Raises:
        ValueError: there is no version in the text.
    """
    found = re.search(r"\d+(?:\.\d+)+", text)
    if found is None:
        raise ValueError(f"no version in {text!r}")
    return tuple(int(part) for part in found.group().split("."))


def at_least(text: str, minimum: str) -> bool:
    """Whether the version in ``text`` is ``minimum`` or newer; missing parts count as 0."""
    got, wanted = parse(text), parse(minimum)
    width = max(len(got), len(wanted))
    return got + (0,) * (width - len(got)) >= wanted + (0,) * (width - len(wanted))


def go_mod_version(go_mod: str, module: str | None = None) -> str:
    """The version that a go.mod asks for: of ``module`` (with its leading v), or of Go itself without one.

    Raises:
        ValueError: the go.mod does not name it.
    """
    name = "go" if module is None else re.escape(module)
    found = re.search(rf"^\s*(?:require )?{name} (\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError(f"go.mod does not name {module or 'a Go version'}")
    return found.group(1)


def pinned(lock: str, package: str) -> str:
    """The version of ``package`` in a lock of `name==version` lines.

    Raises:
        ValueError: the lock does not hold it.
    """
    found = re.search(rf"^{re.escape(package)}==([^\s;\\]+)", lock, re.MULTILINE)
    if found is None:
        raise ValueError(f"the lock does not hold {package}")
    return found.group(1)
