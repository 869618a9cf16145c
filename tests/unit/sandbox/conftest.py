"""The API process for tests that speak to it by boto3: the sandbox without engine and machines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.rig import Sandbox


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One API process for the session."""
    running = Sandbox(tmp_path_factory.mktemp("api"))
    running.up()
    yield running
    running.down()


@pytest.fixture
def aws(api: Sandbox) -> Sandbox:
    """The API with an empty account, and quick."""
    api.reset()
    api.control(
        "PUT", "settings", {"transition": 0.1, "hook": 0.2, "health_check": 0.3, "warmup": 0.2, "launch_retry": 0.3}
    )
    return api
