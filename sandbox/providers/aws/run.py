"""One operation on one resource: the facts that expressions see, and calls with bounded retries and waits."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.providers.aws import expressions
from sandbox.providers.aws.client import Api, ApiError
from sandbox.providers.aws.compare import differences
from sandbox.providers.aws.table import Call, Row
from sandbox.providers.pauses import Pauses
from sandbox.providers.schema import ResourceSchema
from sandbox.providers.serve import ProviderError

RETRY_SECONDS = 120.0
"""How long error codes of a row's ``retry`` are tried again, unless ``customTimeouts`` says otherwise: what was made a
moment ago is known everywhere by then."""
DELETE_SECONDS = 600.0
"""The same for deletes, which wait for other things to go."""


@dataclass
class Run:
    """An operation in progress; hooks get it."""

    api: Api
    row: Row
    schema: ResourceSchema
    inputs: dict[str, Any]
    """The program's inputs after check."""
    state: dict[str, Any] = field(default_factory=dict)
    """What was known of the resource before."""
    old: dict[str, Any] = field(default_factory=dict)
    """Inputs before, on update."""
    changed: frozenset[str] = frozenset()
    """Inputs that differ, on update."""
    id: str = ""
    timeout: float = 0
    """Seconds from ``customTimeouts``; 0 when none."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    status: Callable[[str], None] = lambda _message: None
    extra: dict[str, Any] = field(default_factory=dict)
    """Further facts: answers of the create call, groups of an import id, tags to add."""

    @property
    def region(self) -> str:
        """The resource's region: its own, else the provider's."""
        for source in (self.inputs, self.state):
            if isinstance(source.get("region"), str):
                return str(source["region"])
        return self.api.settings.region

    def facts(self, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Give what expressions see: inputs over state, and the facts, which win over both."""
        identity = self.api.identity()
        return {
            **self._remembered(),
            **self.inputs,
            **self.extra,
            "id": self.id or None,
            "region": self.region,
            "account": identity["account"],
            "partition": identity["partition"],
            "old": self.old,
            "state": self.state,
            "kind": self.row.tag_kind,
            **differences(self.old, self.inputs),
            **(more or {}),
        }

    def _remembered(self) -> dict[str, Any]:
        """Give the state without what the program has stopped giving: that must not come back by the state."""
        if not self.inputs:
            return self.state
        outputs, inputs = self.schema["outputs"], self.schema["inputs"]
        return {
            name: value
            for name, value in self.state.items()
            if name not in inputs or outputs.get(name, {"required": False})["required"]
        }

    def arguments(self, call: Call) -> dict[str, Any]:
        """Make a call's arguments."""
        taken = {name: self.inputs.get(name) for name in call.take}
        return {**taken, **expressions.render(call.args, self.facts())}

    def call(self, operation: str, arguments: Mapping[str, Any], service: str = "") -> dict[str, Any]:
        """Call the API in the resource's region."""
        return self.api.call(service or self.row.service, operation, arguments, self.region, self.row.names)

    def perform(self, call: Call, seconds: float = RETRY_SECONDS) -> dict[str, Any]:
        """Make a call of the row, by its hook when it has one; nothing when its condition is false.

        Error codes in its ``retry`` are tried again for a bounded time.
        """
        if call.when and not expressions.evaluate(call.when, self.facts()):
            return {}
        if call.hook:
            from sandbox.providers.aws import hooks  # noqa: PLC0415 (hooks know Run)

            return hooks.find(call.hook)(self, call) or {}
        return self.send(call, seconds)

    def send(self, call: Call, seconds: float = RETRY_SECONDS) -> dict[str, Any]:
        """Send the request of a call, whatever its hook and its condition."""
        pauses = self.pauses(seconds)
        while True:
            try:
                return self.call(call.op, self.arguments(call), call.service)
            except ApiError as error:
                if not error.among(call.retry):
                    raise
                if not pauses.rest(f"retrying {call.op}: {error.code}"):
                    raise ProviderError(f"gave up after {pauses.elapsed:.0f} s: {error}") from None

    def pauses(self, seconds: float) -> Pauses:
        """Start pauses with a deadline: ``customTimeouts``, else ``seconds``."""
        return Pauses(self.timeout or seconds, self.cancelled, self.status)
