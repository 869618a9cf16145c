"""An AWS API (moto) in this process, for the provider's tests."""

from collections.abc import Iterator

import pytest
import requests
from moto.server import ThreadedMotoServer

from tests.unit.providers.driver import Driver


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def driver(moto_endpoint: str) -> Driver:
    requests.post(f"{moto_endpoint}/moto-api/reset", timeout=10)
    return Driver(moto_endpoint)
