"""The commands of `python3 -m toolchain`."""

import json
import resource
import subprocess
import sys
from pathlib import Path

from toolchain import cli, engine, paths


def toolchain(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "toolchain", *arguments],
        cwd=paths.CHECKOUT,
        capture_output=True,
        check=False,
        text=True,
        **options,
    )


def test_the_toolchain_needs_the_standard_library_only():
    answer = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(paths.CHECKOUT)!r}); import toolchain.cli",
        ],
        capture_output=True,
        check=False,
        text=True,
    )
    assert answer.returncode == 0, f"it runs before anything is installed: {answer.stderr}"


def test_an_older_python_is_refused_with_a_sentence():
    program = (
        "import sys, runpy; sys.version_info = (3, 9, 2); sys.version = '3.9.2 (default)';"
        "runpy.run_module('toolchain', run_name='__main__')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=paths.CHECKOUT, capture_output=True, check=False, text=True
    )
    assert answer.returncode == 1
    assert "timonel needs Python 3.11 or newer; this python3 is 3.9.2" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_shell_exports_put_environment_and_engine_first_and_once():
    search = cli.search_path(Path("/engine"), f"/usr/bin:/engine::{paths.VENV}/bin:/bin")
    assert search == f"{paths.VENV}/bin:/engine:/usr/bin:/bin", "twice `eval` must not grow PATH"


def test_env_as_json_names_the_engine_in_use():
    answer = toolchain("env", "--json")
    assert answer.returncode == 0, answer.stderr
    facts = json.loads(answer.stdout)
    assert facts["venv"] == str(paths.VENV)
    assert facts["engine"] == str(engine.find().folder)


def test_versions_names_everything_in_use():
    said = toolchain("versions").stdout
    for name in (
        "python3",
        "environment",
        "uv",
        "pulumi SDK",
        "pulumi engine",
        "go",
        "system, lint",
        "system, machines",
    ):
        assert any(line.startswith(name) for line in said.splitlines()), f"{name} is missing in:\n{said}"


def test_a_setup_that_has_nothing_to_do_costs_under_a_second():
    assert toolchain("setup").returncode == 0, "the first may have something to do"
    before = processor_seconds()
    answer = toolchain("setup")
    spent = processor_seconds() - before
    assert answer.stderr == "", f"and says nothing: {answer.stderr}"
    assert spent < 1, f"every target pays for it: {spent:.2f} s"


def processor_seconds() -> float:
    """What the children of this process have used; unlike the clock's time, other programs do not lengthen it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
