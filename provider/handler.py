"""What each resource of the provider says about itself; the plumbing around it is in ``provider.timonel``."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from provider.properties import UNKNOWN, Plain


@dataclass(frozen=True)
class Input:
    """One input of a resource."""

    kind: type
    """Python type of the plain value."""
    required: bool = True
    """Whether it must be given."""
    replaces: bool = False
    """Whether a change makes a new resource."""
    minimum: int | None = None
    """The smallest value, for numbers."""
    choices: tuple[str, ...] = ()
    """The values that there are; any when empty."""


ACCESS: Mapping[str, Input] = {
    "region": Input(str),
    "profile": Input(str, required=False),
    "roleArn": Input(str, required=False),
}
"""Inputs that every resource has: how to reach AWS (``provider.aws``)."""


@dataclass(frozen=True)
class Context:
    """What a handler may use of the world."""

    aws: Callable[[str], Any]
    """boto3 client by service name, for the resource's own region and credentials."""
    now: Callable[[], datetime]
    """The time, in UTC."""
    log: Callable[[str], None]
    """Tell the user something about this resource while it is being worked on."""
    stop: threading.Event
    """Set when the engine wants everything to end."""


class Handler(ABC):
    """One kind of resource. All calls run in a thread of their own, so they may block."""

    inputs: ClassVar[Mapping[str, Input]]
    outputs: ClassVar[tuple[str, ...]] = ()
    secrets: ClassVar[tuple[str, ...]] = ()

    def due(self, state: Plain, inputs: Plain, now: datetime) -> str | None:
        """Name of the output that must be renewed though no input changed, or None."""
        del state, inputs, now
        return None

    @abstractmethod
    def create(self, inputs: Plain, context: Context) -> tuple[str, Plain]:
        """Make it; return its id and outputs."""

    def update(self, state: Plain, inputs: Plain, context: Context) -> Plain:
        """Bring it to ``inputs``; return its outputs. Default: nothing outside the state depends on the inputs."""
        del inputs, context
        return {name: state[name] for name in self.outputs if name in state}

    def read(self, state: Plain, context: Context) -> Plain | None:
        """Its outputs as they are now, or None when it is gone. Default: it exists in the state only."""
        del context
        return {name: state[name] for name in self.outputs if name in state}

    def delete(self, state: Plain, context: Context) -> None:  # noqa: B027 (doing nothing is a right answer)
        """Remove it. Default: it exists in the state only."""


def problems(handler: Handler, inputs: Plain, hidden: Set[str] = frozenset()) -> list[tuple[str, str]]:
    """(input, what is wrong with it) for each input that cannot work; values of those in ``hidden`` are not shown."""
    found = [(name, "is not an input of this resource") for name in inputs.keys() - handler.inputs.keys()]
    for name, wanted in handler.inputs.items():
        got = inputs.get(name)
        shown = "a secret" if name in hidden else repr(got)
        if got is UNKNOWN:
            continue
        if got is None:
            if wanted.required:
                found.append((name, "must be given; it has no sensible default"))
        elif not isinstance(got, wanted.kind) or (isinstance(got, bool) and wanted.kind is not bool):
            found.append((name, f"got {shown}, but it must be a {wanted.kind.__name__}"))
        elif got == "":
            found.append((name, "must not be empty"))
        elif wanted.choices and got not in wanted.choices:
            found.append((name, f"got {shown}, but it must be one of {', '.join(wanted.choices)}"))
        elif wanted.minimum is not None and isinstance(got, int) and got < wanted.minimum:
            found.append((name, f"got {shown}, but it must be at least {wanted.minimum}"))
    return sorted(found)
