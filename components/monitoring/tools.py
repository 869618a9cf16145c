"""What promtool and amtool say about the rendered settings, where they are on PATH: a broken one would be found by a
service that does not start, this way it is found at preview.

Neither needs the network, and no secret stands in what they are given.
"""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pulumi

from components.errors import InputError
from components.monitoring import configs
from components.monitoring.args import PrometheusArgs
from components.monitoring.catalogue import Parameters, load, prometheus_rules

SECONDS = 20
"""After which a tool is given up; they take hundredths of a second."""
_SOME_DAY = "2100-01-01T00:00:00+00:00"
"""The real one may not be known at preview; any makes the same rule of it."""


def check(args: PrometheusArgs) -> None:
    """Have every rendered text checked by the tools that are there.

    Raises:
        InputError: a tool refuses one; it names the argument (``rules``: the catalogue's) and the tool's reason.
    """
    reason = _amtool(configs.alertmanager(args))
    if reason:
        raise _refused("amtool", *_culprit(args), reason)
    reason = _promtool("config", configs.prometheus(args, "prometheus", "alertmanager"))
    if reason:
        raise _refused("promtool", "remote_write", args.get("remote_write", {}).get("url"), reason)
    reason = _promtool("rules", prometheus_rules(load(), Parameters(client_certificate_expires=_SOME_DAY)))
    if reason:
        raise _refused("promtool", "rules", "components/monitoring/catalogue/alerts", reason)


def _refused(tool: str, path: str, got: object, reason: str) -> InputError:
    return InputError(path, got, f"be what {tool} accepts", f"It says: {reason}")


def _culprit(args: PrometheusArgs) -> tuple[str, object]:
    """The first receiver that is refused by itself."""
    for index, receiver in enumerate(args.get("receivers", [])):
        alone: Any = {**args, "receivers": [receiver]}
        if _amtool(configs.alertmanager(alone)):
            return f"receivers[{index}]", {key: str(value) for key, value in receiver.items() if key != "secret"}
    return "receivers", len(args.get("receivers", []))


def _amtool(text: str) -> str:
    return _said("amtool", ("check-config",), text)


def _promtool(kind: str, text: str) -> str:
    # The files that the settings name are in the containers only.
    return _said("promtool", ("check", kind, *(["--syntax-only"] if kind == "config" else [])), text)


@functools.cache
def _said(tool: str, arguments: tuple[str, ...], text: str) -> str:
    """Why a tool refuses a text; empty when it takes it, and when there is no such tool."""
    program = shutil.which(tool)
    if program is None:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.yml"
        file.write_text(text)
        try:
            done = subprocess.run(
                [program, *arguments, str(file)], capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            pulumi.log.warn(f"monitoring is not checked by {tool}: {error}")
            return ""
    if done.returncode == 0:
        return ""
    told = (done.stdout + done.stderr).rpartition("FAILED:")[2].partition(f"{tool}: error:")[0]
    return " ".join(told.replace(str(file), file.name).split())
