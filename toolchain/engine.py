"""The Pulumi engine: on PATH if recent enough, else by the official installer, else built from pinned Go modules."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain import build, installer, paths, steps
from toolchain.errors import ToolchainError
from toolchain.versions import ENGINE_MINIMUM, at_least

WAYS = ("path", "official", "built")
"""Where an engine may come from, in the order of preference."""

PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
"""What a whole engine has in its folder; the engine warns when they lie apart."""


@dataclass(frozen=True)
class Engine:
    """An engine that is ready."""

    way: str
    """One of WAYS."""
    folder: Path
    """Where its programs lie."""
    version: str
    """As `pulumi version` prints it, without the leading v."""


def wanted_ways(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The ways that may be tried: TIMONEL_ENGINE names one of them, `auto` or nothing means all in order.

    Raises:
        ToolchainError: TIMONEL_ENGINE is none of these.
    """
    choice = environ.get("TIMONEL_ENGINE", "") or "auto"
    if choice == "auto":
        return WAYS
    if choice not in WAYS:
        raise ToolchainError(f"TIMONEL_ENGINE: {choice!r} is not one of auto, {', '.join(WAYS)}")
    return (choice,)


def on_path(search: str) -> tuple[Engine | None, str]:
    """The engine on the search path ``search``, or None and the reason. Those in our own cache do not count."""
    own = paths.cache().resolve()
    folders = [
        folder for folder in search.split(os.pathsep) if folder and not Path(folder).resolve().is_relative_to(own)
    ]
    found = shutil.which("pulumi", path=os.pathsep.join(folders)) if folders else None
    if found is None:
        return None, "there is no pulumi on PATH"
    try:
        version = _version(Path(found))
        recent = at_least(version, ENGINE_MINIMUM)
    except (OSError, ValueError, ToolchainError) as error:
        return None, f"{found} does not say its version: {error}"
    if not recent:
        return None, f"{found} is version {version}; {ENGINE_MINIMUM} or newer is needed"
    missing = [name for name in PROGRAMS if not (Path(found).resolve().parent / name).exists()]
    if missing:
        return None, f"{found} is recent enough and lacks {', '.join(missing)} beside it"
    return Engine("path", Path(found).resolve().parent, version), ""


def _version(program: Path) -> str:
    answer = subprocess.run(
        [program, "version"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
    )
    if answer.returncode != 0:
        raise ToolchainError(f"`{program} version` ended with {answer.returncode}: {answer.stderr.strip()}")
    return answer.stdout.strip().removeprefix("v")


def find(environ: Mapping[str, str] = os.environ) -> Engine | None:
    """The engine that is ready now, in the order of preference, or None. Makes nothing and needs no network."""
    for way in wanted_ways(environ):
        if way == "path":
            engine, _ = on_path(environ.get("PATH", ""))
            if engine is not None:
                return engine
            continue
        maker = installer if way == "official" else build
        folder = maker.folder()
        if all((folder / name).exists() for name in PROGRAMS):
            return Engine(way, folder, maker.version())
    return None


def ensure(environ: Mapping[str, str] = os.environ) -> Engine:
    """The engine, made ready if it is not.

    Raises:
        ToolchainError: no way worked; says what each was and why it failed.
    """
    ready = find(environ)
    if ready is not None:
        return ready
    with steps.only_one(paths.cache() / "engine.lock"):
        ready = find(environ)  # another setup may have made it while this one waited
        if ready is not None:
            return ready
        return _make(environ)


def _make(environ: Mapping[str, str]) -> Engine:
    makers: dict[str, Callable[[Path], None]] = {"official": installer.install, "built": build.build}
    failures: list[str] = []
    for way in wanted_ways(environ):
        if way == "path":
            failures.append(f"on PATH: {on_path(environ.get('PATH', ''))[1]}")
            continue
        target = (installer if way == "official" else build).folder()
        try:
            with steps.made_whole(target) as folder:
                makers[way](folder)
                missing = [name for name in PROGRAMS if not (folder / name).exists()]
                if missing:
                    raise ToolchainError(f"it lacks {', '.join(missing)}")
        except ToolchainError as error:
            failures.append(f"{way}: {error}")
            steps.say(f"Pulumi engine, {way}: {error}")
            continue
        engine = find({**environ, "TIMONEL_ENGINE": way})
        if engine is None:
            raise ToolchainError(f"the Pulumi engine was made in {target} and is not there")
        return engine
    tried = "\n".join(f"  - {failure}" for failure in failures)
    raise ToolchainError(
        f"no Pulumi engine could be made ready. Tried:\n{tried}\n"
        f"Install Pulumi {ENGINE_MINIMUM} or newer with its Python language host and put it on PATH, "
        "or give this machine a way to PyPI and a Go module proxy."
    )
