"""The way to a swarm's managers: the docker SDK, TLS material that never lies in a file, patience for elections."""

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import docker  # type: ignore[import-untyped]
import requests
from docker.errors import APIError, DockerException, NotFound  # type: ignore[import-untyped]
from docker.tls import TLSConfig  # type: ignore[import-untyped]

from sandbox.providers import values
from sandbox.providers.serve import ProviderError

T = TypeVar("T")
PASSING = (
    "not have a leader",
    "lost leader",
    "deadlineexceeded",
    "deadline exceeded",
    "unavailable",
    "no elected primary",
)
"""What managers say while they elect a leader, or when the one that was asked is going."""
PATIENCE_SECONDS = 90.0
"""A lost leader is replaced in 11 to 20 s here; a manager that is replaced takes its connections with it."""
OUT_OF_SEQUENCE = "update out of sequence"
MATERIAL = {
    "caMaterial": "certificate of the CA",
    "certMaterial": "client's certificate",
    "keyMaterial": "client's key",
}


def _memory_file(name: str, text: str) -> str:
    """A path to a text that lies in memory only and ends with this process."""
    number = os.memfd_create(name)
    os.write(number, text.encode())
    return f"/proc/{os.getpid()}/fd/{number}"


class Docker:
    """Calls to the API of one swarm. Connections are made when first needed."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Take the provider's settings, which may be unknown in a preview."""
        self._settings = settings
        self._api: Any = None

    @property
    def api(self) -> Any:
        """The docker SDK's low-level client.

        Raises:
            ProviderError: settings are unknown, incomplete or unusable, or nobody answers.
        """
        if self._api is None:
            self._api = self._connected()
        return self._api

    def _connected(self) -> Any:
        unknown = sorted(name for name, value in self._settings.items() if values.is_unknown(value))
        if unknown:
            raise ProviderError(f"the provider's settings {', '.join(unknown)} are not known yet")
        host = self._settings.get("host") or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        given = [name for name in MATERIAL if self._settings.get(name)]
        missing = [f"{name} ({MATERIAL[name]})" for name in MATERIAL if name not in given]
        if given and missing:
            raise ProviderError(f"TLS needs all three of its settings, missing: {', '.join(missing)}")
        tls: Any = False
        try:
            if given:
                ca, certificate, key = (_memory_file(name, self._settings[name]) for name in MATERIAL)
                for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
                    os.environ.pop(name, None)  # requests prefers them to the session's own CA
                tls = TLSConfig(client_cert=(certificate, key), ca_cert=ca, verify=True)
            return self._patiently(lambda: docker.APIClient(base_url=host, tls=tls, version="auto", timeout=60))
        except (DockerException, requests.RequestException, OSError) as error:
            raise ProviderError(f"no Docker API at {host}: {error}") from None

    def call(self, act: Callable[[Any], T]) -> T:
        """Call the API; waits through an election and broken connections, so `act` must bear being repeated.

        Raises:
            ProviderError: what the API said.
            NotFound: there is no such object.
        """
        api = self.api
        try:
            return self._patiently(lambda: act(api))
        except NotFound:
            raise
        except APIError as error:
            raise ProviderError(str(error.explanation or error)) from None
        except (DockerException, requests.RequestException) as error:
            raise ProviderError(f"no answer from {api.base_url}: {error}") from None

    @staticmethod
    def _patiently(act: Callable[[], T]) -> T:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return act()
            except (DockerException, requests.RequestException) as error:
                told = str(error).lower()
                cut = isinstance(error, requests.ConnectionError) or "connection aborted" in told
                refused = "refused" in told or "certificate" in told or "filenotfound" in told
                passing = (cut and not refused) or any(words in told for words in PASSING)
                if not passing or time.monotonic() > deadline:
                    raise
            time.sleep(1)

    def create(self, find: Callable[[Any], str | None], make: Callable[[Any], str]) -> str:
        """Make an object once, although its call may be repeated after a broken connection: then look for it first."""
        tried = False

        def act(api: Any) -> str:
            nonlocal tried
            found = find(api) if tried else None
            tried = True
            return found or make(api)

        return self.call(act)
