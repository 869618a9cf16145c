"""The environment in which `exec` runs a command: the sandbox's AWS and Pulumi, and nothing of the user's own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.engine.plugins import STAND_INS
from sandbox.kubernetes import build
from sandbox.state import CHECKOUT, State, read_json, write

FOREIGN = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
"""The user's own AWS identity, which must never reach a command in the sandbox."""


def variables(state: State, base: dict[str, str] | None = None) -> dict[str, str]:
    """The whole environment for a command.

    Args:
        state: a sandbox that is up.
        base: what to start from; this process's environment by default.

    Raises:
        RuntimeError: the sandbox is not up.
    """
    record = state.read()
    if state.api() is None or "endpoint" not in record:
        raise RuntimeError(f"the sandbox of {state.folder} is not up: `python -m sandbox up` first")
    environment = dict(os.environ if base is None else base)
    for name in list(environment):
        if name in FOREIGN or name.startswith(("AWS_ENDPOINT_URL_", "PULUMI_OPTION_")):
            del environment[name]
    credentials = read_json(state.credentials)
    environment |= {
        "TIMONEL_SANDBOX": str(state.folder),
        "AWS_ENDPOINT_URL": record["endpoint"],
        "AWS_ACCESS_KEY_ID": credentials["access_key"],
        "AWS_SECRET_ACCESS_KEY": credentials["secret_key"],
        "AWS_REGION": record["region"],
        "AWS_DEFAULT_REGION": record["region"],
        "AWS_CONFIG_FILE": str(state.folder / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(state.folder / "no-aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        # The backend's sidecar files are not written atomically: an engine killed in between leaves an empty one, and
        # then the stack cannot be read ("failed to load checkpoint: EOF"). The state itself is replaced whole.
        "PULUMI_BACKEND_URL": f"file://{state.engine}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(state.passphrase),
        "PULUMI_HOME": str(state.pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "VIRTUAL_ENV": sys.prefix,
    }
    environment.pop("PULUMI_CONFIG_PASSPHRASE", None)
    first = [str(state.bin)]
    if record.get("plugins") == "stand-in":
        environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
        first.append(str(STAND_INS))
    else:
        environment.pop("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", None)
    first.append(str(Path(sys.prefix) / "bin"))
    engine = record.get("engine")
    if engine:
        environment["TIMONEL_PULUMI"] = engine
        first.append(str(Path(engine).parent))
    rest = [p for p in environment.get("PATH", "").split(os.pathsep) if p and p not in (*first, str(build.folder()))]
    # kubectl, for who has none of their own; there once the sandbox's Kubernetes is built
    environment["PATH"] = os.pathsep.join([*first, *rest, str(build.folder())])
    return environment


def find_engine(state: State) -> str | None:
    """The real `pulumi`: the toolchain's, else the one on PATH; None when there is neither."""
    answer = subprocess.run(
        [sys.executable, "-m", "toolchain", "env", "--json"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    with contextlib.suppress(ValueError, KeyError):
        candidate = Path(json.loads(answer.stdout)["engine"])
        return str(candidate / "pulumi" if candidate.is_dir() else candidate)
    path = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if p != str(state.bin))
    return shutil.which("pulumi", path=path)


def write_shim(state: State) -> None:
    """Put the `pulumi` shim into the sandbox's bin folder."""
    code = (
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from sandbox.engine.shim import main; main(sys.argv[1:])"
    )
    shim = state.bin / "pulumi"
    write(shim, f'#!/bin/sh\nexec \'{sys.executable}\' -I -c "{code}" "$@"\n')
    shim.chmod(0o755)
