"""User data: shell that a linter accepts, small, and without a secret."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from components.hosts import user_data
from components.hosts.user_data import NodeScript, render

SCRIPT = NodeScript(
    region="us-east-1",
    bucket="swarm-state-bucket-0123456",
    artefact_key="artefacts/agent-abc.pyz",
    artefact_sha256="abc",
    agent_config={"version": 1, "labels": {"note": 'it\'s $HOME `date` "quoted" {{ braces }} {# hash #}\nJSON\n'}},
    preinstalled=False,
)


def shellcheck(text: str) -> None:
    program = shutil.which("shellcheck")
    if program is None:
        assert not os.environ.get("CI"), "CI must have shellcheck: apt-get install shellcheck"
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([program, "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("preinstalled", [False, True])
def test_the_script_is_clean_shell(preinstalled: bool) -> None:
    shellcheck(render(replace(SCRIPT, preinstalled=preinstalled)))


def test_the_configuration_arrives_as_it_was_whatever_stands_in_a_label() -> None:
    text = render(SCRIPT)
    inside = re.search(r"<<'JSON'\n(.*?)\nJSON\n", text, re.DOTALL)
    assert inside is not None
    command = f"cat <<'JSON'\n{inside[1]}\nJSON\n"
    printed = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
    import json

    assert json.loads(printed) == SCRIPT.agent_config, "the shell must not touch it"


def test_a_preinstalled_image_is_checked_and_never_installed_into() -> None:
    text = render(replace(SCRIPT, preinstalled=True))
    assert "apt-get" not in text, "a network without a way out would hang here"
    assert "require_packages" in text


def test_no_url_is_written_into_the_script() -> None:
    text = render(SCRIPT)
    assert "://" not in text, "where AWS is comes from the image, and packages from the distribution's own source"
    assert "source /etc/environment" in text


def test_the_service_is_started_only_after_the_hash_was_checked() -> None:
    text = render(SCRIPT)
    order = [text.rindex(step) for step in ("retry install_packages", "retry fetch_agent", "systemctl enable --now")]
    assert order == sorted(order)


def test_user_data_that_ec2_would_refuse_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 16384"):
        render(replace(SCRIPT, agent_config={"labels": {"x": "y" * 20_000}}))


def test_a_template_that_names_what_it_is_not_given_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "user_data.sh.j2").write_text("{{ token }}")
    monkeypatch.setattr(user_data._ENVIRONMENT, "loader", jinja2.FileSystemLoader(tmp_path))
    user_data._ENVIRONMENT.cache.clear()
    with pytest.raises(jinja2.UndefinedError):
        render(SCRIPT)
    user_data._ENVIRONMENT.cache.clear()


def run_function(body: str, path: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run one function of the rendered script with only ``path`` on PATH (and bash's own commands)."""
    functions = script[: script.rindex("\n\nretry install_packages" if "install_packages" in script else "\n\nrequire")]
    return subprocess.run(
        ["/bin/bash", "-c", f"{functions}\n{body}"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(path)},
    )


def programs(place: Path, **scripts: str) -> Path:
    place.mkdir()
    for name, body in scripts.items():
        (place / name).write_text(f"#!/bin/sh\n{body}\n")
        (place / name).chmod(0o755)
    return place


def test_only_what_is_missing_is_named(tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", dockerd="", python3="exit 1", openssl="")
    done = run_function("missing_packages", path, render(SCRIPT))
    assert done.stdout.split() == ["python3-boto3", "iptables"], done.stderr


def test_an_image_that_lacks_what_it_was_said_to_hold_stops_with_the_names(tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", dockerd="", python3="exit 1", openssl="")
    done = run_function("require_packages", path, render(replace(SCRIPT, preinstalled=True)))
    assert done.returncode != 0
    assert "lacks: python3-boto3 iptables" in done.stderr


def test_a_step_that_fails_is_tried_again_and_said(tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", sleep="")
    body = "n=0; flaky() { n=$((n + 1)); ((n > 2)); }; retry flaky && echo done after ${n}"
    done = run_function(body, path, render(SCRIPT))
    assert done.stdout == "done after 3\n"
    assert done.stderr.count("flaky failed, trying again") == 2
