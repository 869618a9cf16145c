"""A protected stack refuses to go until its setting is changed; then it goes without flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.state import CHECKOUT
from tests.sandbox.rig import Sandbox, Stack, clone

pytestmark = pytest.mark.sandbox


def test_prod_refuses_destroy_by_the_settings_name_and_goes_once_an_up_released_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.reset()
    config: dict[str, Any] = yaml.safe_load((CHECKOUT / "Pulumi.prod.yaml").read_text())["config"]
    assert config["timonel:protection"] is True
    config["timonel:cluster"]["readiness"] = {"enabled": False}  # nothing boots here: a gate would wait in vain
    folder = clone(tmp_path / "clone")
    stack = Stack(sandbox, folder, "prod")

    def configure() -> None:
        (folder / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))

    configure()
    stack.up().ok()
    before = {r["urn"] for r in stack.resources()}
    refused = stack.destroy().finished.failed()
    assert "timonel:protection" in refused.text, "the refusal names the setting"
    assert {r["urn"] for r in stack.resources()} == before, "nothing was deleted"

    config["timonel:protection"] = False
    configure()
    stack.up().ok()
    stack.destroy().ok()
    report = json.loads(sandbox.cli("leaks", "--stack", "timonel/prod", "--json").out)
    assert report["left_behind"] == [], report["left_behind"]
