"""The sandbox's AWS API in a process of its own, for the provider's tests."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.providers.driver import Driver


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if "TIMONEL_TEST_ENDPOINT" in os.environ:  # a server that runs already, while one writes a row
        yield os.environ["TIMONEL_TEST_ENDPOINT"]
        return
    folder = tmp_path_factory.mktemp("aws")
    process = subprocess.Popen([sys.executable, "-m", "sandbox.aws", str(folder), "0", "us-east-1"])
    try:
        yield _endpoint(folder / "sandbox.json", process)
    finally:
        process.terminate()
        process.wait(30)


def _endpoint(record: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if record.exists():
            return str(json.loads(record.read_text())["endpoint"])
        time.sleep(0.1)
    raise TimeoutError(f"the sandbox's API did not start (exit code {process.poll()})")


@pytest.fixture
def driver(endpoint: str) -> Driver:
    return Driver(endpoint)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the API, so that the quick tests leave it out."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and "endpoint" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.sandbox)
