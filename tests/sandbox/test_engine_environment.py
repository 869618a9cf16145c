"""The engine in the sandbox: what it may touch, and that two projects do not meet."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.rig import Project, Sandbox, Stack

pytestmark = pytest.mark.sandbox

PROGRAM = """
import pulumi
config = pulumi.Config()
pulumi.export("greeting", config.require("greeting"))
pulumi.export("hidden", pulumi.Output.secret("plain-text-of-the-secret"))
"""


def test_up_preview_and_destroy_leave_the_projects_folder_byte_for_byte(account: Sandbox, tmp_path) -> None:
    project = Project(account, tmp_path / "p", PROGRAM)
    stack = project.stack("dev", {f"{project.name}:greeting": "hello"})
    before = {p.name: p.read_bytes() for p in project.folder.iterdir()}
    stack.up().ok()
    assert stack.preview("--expect-no-changes").ok().changed == {}
    assert stack.outputs(secrets=True) == {"greeting": "hello", "hidden": "plain-text-of-the-secret"}
    assert "plain-text-of-the-secret" not in str(stack.export()), (
        "the passphrase provider encrypts secrets in the state"
    )
    stack.remove()
    after = {p.name: p.read_bytes() for p in project.folder.iterdir()}
    assert after == before, "the engine writes encryptionsalt into stack files and `stack rm` deletes them: not here"


def test_a_changed_stack_file_reaches_the_next_run(project: Callable[..., Stack], tmp_path) -> None:
    stack = project(PROGRAM, {"greeting": "one"}, name="greeter")
    stack.up().ok()
    (stack.folder / "Pulumi.test.yaml").write_text("config:\n  greeter:greeting: two\n")
    stack.up().ok()
    assert stack.outputs()["greeting"] == "two", "the mirror's copy must follow the project's file"


def test_a_value_encrypted_for_another_provider_is_refused_with_the_file_and_the_reason(
    project: Callable[..., Stack],
) -> None:
    stack = project(PROGRAM, {"greeting": "one"}, name="secretive")
    text = "encryptionsalt: v1:x\nconfig:\n  secretive:greeting:\n    secure: v1:abc\n"
    (stack.folder / "Pulumi.test.yaml").write_text(text)
    finished = stack.pulumi("preview", "-s", "test").failed()
    assert "Pulumi.test.yaml" in finished.text and "secure" in finished.text


def test_two_folders_of_one_project_share_the_state_and_see_no_difference(account: Sandbox, tmp_path) -> None:
    first = Project(account, tmp_path / "one", PROGRAM, "shared")
    stack = first.stack("dev", {"shared:greeting": "hello"})
    stack.up().ok()
    second = Project(account, tmp_path / "two", PROGRAM, "shared").stack("dev", {"shared:greeting": "hello"})
    assert second.preview("--expect-no-changes").ok().changed == {}, "the same preview from a second clone is empty"
    stack.remove()
