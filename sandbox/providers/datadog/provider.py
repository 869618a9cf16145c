"""The provider: its settings, its way to the sandbox's Datadog, and two kinds of JSON documents."""

import json
import os
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests

from sandbox.datadog.account import is_datadog
from sandbox.providers import serve, values
from sandbox.providers.aws.checking import Failure
from sandbox.providers.plain import Call, Kind, PlainProvider, Values
from sandbox.providers.schema import Package
from sandbox.providers.serve import ProviderError

API_URL = "https://api.datadoghq.com/"
"""The genuine provider's default of `apiUrl`."""
OURS = frozenset({"id", "created", "created_at", "modified", "modified_at", "overall_state", "url", "author_handle"})
"""What Datadog adds to a document."""


class Api:
    """Calls to the sandbox's Datadog: its process answers for Datadog's host names at the AWS endpoint's address."""

    def __init__(self, settings: Values) -> None:
        """Take the provider's settings, which may be unknown in a preview."""
        self._settings = settings

    def call(self, method: str, path: str, content: Any = None) -> Any:
        """Call the API; None when it has no such object.

        Raises:
            ProviderError: settings are missing or no answer of success came.
        """
        host = urlsplit(self._settings.get("apiUrl") or API_URL).hostname or ""
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        if not is_datadog(host):
            raise ProviderError(f"apiUrl: {host!r} is none of Datadog's sites")
        if not endpoint:
            raise ProviderError("the stand-in reaches the sandbox's Datadog only: run it by `python -m sandbox exec`")
        headers = {"Host": host}
        for name, header, variable in (
            ("apiKey", "DD-API-KEY", "DD_API_KEY"),
            ("appKey", "DD-APPLICATION-KEY", "DD_APP_KEY"),
        ):
            key = self._settings.get(name) or os.environ.get(variable) or ""
            if not key or values.is_unknown(key):
                raise ProviderError(f"datadog:{name} is {'not known yet' if key else 'missing'}")
            headers[header] = key
        try:
            answer = requests.request(method, f"{endpoint}/api/v1/{path}", json=content, headers=headers, timeout=60)
        except requests.RequestException as error:
            raise ProviderError(f"no answer: {type(error).__name__}") from None
        if answer.status_code == 404 and method in ("GET", "DELETE"):
            return None
        if not answer.ok:
            reasons = "; ".join(answer.json().get("errors", []))
            hint = " (apiKey or appKey is not one of the sandbox's)" if answer.status_code == 403 else ""
            raise ProviderError(f"{answer.status_code} {reasons}{hint}")
        return answer.json()


class _Document(Kind):
    """A JSON document under one path of the API."""

    path: ClassVar[str]
    field: ClassVar[str]

    def canonical(self, path: str, value: Any) -> Any:
        """Documents are equal by meaning."""
        try:
            return json.loads(value) if path == self.field and isinstance(value, str) else value
        except ValueError:
            return value

    def failures(self, inputs: Values) -> list[Failure]:
        """The document is a JSON object."""
        text = inputs.get(self.field)
        if text is None or values.is_unknown(text):
            return []
        if not isinstance(self.canonical(self.field, text), dict):
            return [(self.field, f"{self.token}: {self.field} must be a JSON object")]
        return []

    def replaces(self, path: str, old: Any, new: Any) -> bool:
        """Never."""
        return False

    def computed(self, inputs: Values, state: Values) -> set[str]:
        """What Datadog gives."""
        return {"url"}

    def _state(self, call: Call, document: Any) -> Values:
        return {self.field: call.inputs[self.field], "url": document.get("url") or f"/{self.path}s/{document['id']}"}

    def create(self, call: Call) -> tuple[str, Values]:
        """Make it."""
        made = call.client.call("POST", self.path, json.loads(call.inputs[self.field]))
        return str(made["id"]), self._state(call, made)

    def read(self, call: Call) -> tuple[Values, Values] | None:
        """Read it; the program's text stays where it means what is there."""
        found = call.client.call("GET", f"{self.path}/{call.id}")
        if found is None:
            return None
        own = {name: value for name, value in found.items() if name not in OURS}
        text = call.inputs.get(self.field)
        given = json.loads(text) if text else {}
        inputs = dict(call.inputs)
        if {name: value for name, value in given.items() if name not in OURS} != own:
            inputs[self.field] = json.dumps(own, sort_keys=True)
        call.inputs = inputs
        return inputs, self._state(call, found)

    def update(self, call: Call) -> Values:
        """Change it in place."""
        return self._state(call, call.client.call("PUT", f"{self.path}/{call.id}", json.loads(call.inputs[self.field])))

    def delete(self, call: Call) -> None:
        """Remove it."""
        call.client.call("DELETE", f"{self.path}/{call.id}")


class MonitorJson(_Document):
    """A monitor."""

    token = "datadog:index/monitorJson:MonitorJson"  # noqa: S105
    supported = frozenset({"monitor"})
    path = field = "monitor"

    def replaces(self, path: str, old: Any, new: Any) -> bool:
        """Its type cannot be changed."""
        types = [json.loads(text).get("type") for text in (old, new) if isinstance(text, str) and text[:1] == "{"]
        return len(set(types)) > 1


class DashboardJson(_Document):
    """A dashboard."""

    token = "datadog:index/dashboardJson:DashboardJson"  # noqa: S105
    supported = frozenset({"dashboard"})
    path = field = "dashboard"


class DatadogProvider(PlainProvider):
    """Pulumi's Datadog provider, as far as two documents go."""

    title = "Datadog"
    followed = frozenset({"apiKey", "appKey", "apiUrl"})
    harmless = PlainProvider.harmless | {"validate"}

    def __init__(self, package: Package, log: serve.EngineLog | None = None) -> None:
        """Hold the parts."""
        super().__init__(package, [MonitorJson(), DashboardJson()], log)

    def connect(self, settings: Values) -> Any:
        """The way to the sandbox's Datadog."""
        return Api({name: value for name, value in settings.items() if name in self.followed})
