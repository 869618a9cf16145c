"""Fixtures of the tests that need the sandbox.

sandbox         one sandbox for the session (stand-in plugins unless TIMONEL_PLUGINS says otherwise, no machines)
account         the same sandbox with an empty account: reset before the test, its faults cleared after it
project         `project(program, config?, name?) -> Stack`: a throw-away Pulumi project
checkout_stack  `checkout_stack(config, name?, folder?) -> Stack`: the real program in a clone, with that config
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox.rig import Project, Sandbox, Stack, clone

_numbers = itertools.count()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox for the session."""
    running = Sandbox(tmp_path_factory.mktemp("sandbox"))
    running.up()
    yield running
    running.down()


@pytest.fixture
def account(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The session's sandbox with an empty account."""
    sandbox.reset()
    yield sandbox
    sandbox.control("PUT", "faults", {})


@pytest.fixture
def project(account: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes throw-away projects, one stack each."""
    made: list[Stack] = []

    def make(program: str, config: dict[str, Any] | None = None, name: str | None = None) -> Stack:
        folder = tmp_path / f"project{len(made)}"
        stack = Project(account, folder, program, name).stack("test", config)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.pulumi("stack", "rm", "-s", stack.name, "--yes", "--force")


@pytest.fixture
def checkout_stack(account: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks of the real program, each in a clone, so that the checkout gets no stack file of a test."""
    made: list[Stack] = []

    def make(config: dict[str, Any], name: str | None = None, folder: Path | None = None) -> Stack:
        folder = folder or clone(tmp_path / f"clone{len(made)}")
        name = name or f"test{next(_numbers)}"
        folder.joinpath(f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": config}))
        stack = Stack(account, folder, name)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.pulumi("stack", "rm", "-s", stack.name, "--yes", "--force")
