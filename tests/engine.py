"""A recording engine: runs a Pulumi program with no engine, no provider and no network, and keeps what it asked for.

    def test_the_vpc_resolves_names(engine):
        network = engine.run(lambda: Network("net", {}))
        assert engine.one("aws:ec2/vpc:Vpc").inputs["enableDnsHostnames"] is True, "private DNS of endpoints needs it"
        assert engine.value(network.vpc_id) == engine.one("aws:ec2/vpc:Vpc").id

Inputs are in the provider's spelling (camelCase). ``run`` ends when every registration has ended, so absence may be
asserted after it. Everything a program can do is either answered by a table below, by ``engine.answers`` /
``engine.computed``, or is an error: nothing is made up for a lookup that no test thought of.
"""

import asyncio
import contextvars
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pulumi
from pulumi.runtime import mocks, rpc, settings, stack
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import callback_pb2
from pulumi.runtime.sync_await import _sync_await

Value = TypeVar("Value")
Json = dict[str, Any]

REGION = "us-east-1"
ACCOUNT = "123456789012"
STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Recorded:
    """A resource that the program registered (or read, when ``read`` is true)."""

    typ: str
    name: str
    inputs: Json
    urn: str
    """As the real engine spells it, with the whole chain of parents' types."""
    parent: str
    """URN of the parent; the stack's when there is no other."""
    id: str
    custom: bool
    provider: str
    """``URN::ID`` of an explicit provider; empty when the default provider would serve it."""
    outputs: Json = field(default_factory=dict)
    read: bool = False
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    deleted_with: str = ""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    secret_outputs: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    """URNs, those that come from inputs included."""
    aliases: tuple[str, ...] = ()
    """Old names, types or URNs, as text."""
    transforms: tuple[pulumi.ResourceTransform, ...] = ()
    """Of its options; nothing applies them here."""


@dataclass(frozen=True)
class Invoked:
    """A lookup that the program made."""

    token: str
    args: Json
    provider: str


class RefusedError(Exception):
    """Raised by an answer: the provider says no, with these words, as for an id that does not exist."""


Answer = Json | Callable[[Json], Json]


def _zones(engine: "Engine") -> Answer:
    def answer(args: Json) -> Json:
        return {
            "id": engine.region,
            "names": list(engine.zones),
            "zoneIds": [f"use1-az{index + 1}" for index in range(len(engine.zones))],
            "groupNames": [engine.region],
            "region": engine.region,
            **args,
        }

    return answer


def _instance_type(args: Json) -> Json:
    """Graviton families end in ``g`` before the letters for disk and network: t4g, m7gd, c6gn."""
    family = args["instanceType"].split(".")[0]
    is_arm = "g" in family.lstrip("abcdefghijklmnopqrstuvwxyz").lstrip("0123456789") or family == "a1"
    return {
        "id": args["instanceType"],
        "instanceType": args["instanceType"],
        "supportedArchitectures": ["arm64" if is_arm else "x86_64"],
        "currentGeneration": True,
        "defaultVcpus": 2,
        "memorySize": 2048,
        "region": REGION,
    }


def _default_answers(engine: "Engine") -> dict[str, Answer]:
    region, account = engine.region, engine.account
    return {
        "aws:index/getAvailabilityZones:getAvailabilityZones": _zones(engine),
        "aws:index/getRegion:getRegion": {"id": region, "name": region, "region": region, "description": "mock"},
        "aws:index/getCallerIdentity:getCallerIdentity": {
            "id": account,
            "accountId": account,
            "arn": f"arn:aws:iam::{account}:user/tester",
            "userId": "AIDATESTER",
        },
        "aws:index/getPartition:getPartition": {
            "id": "aws",
            "partition": "aws",
            "dnsSuffix": "amazonaws.com",
            "reverseDnsPrefix": "com.amazonaws",
        },
        "aws:ec2/getInstanceType:getInstanceType": _instance_type,
        "timonel:index:getVersion": {"version": "0.1.0"},
        "aws:eks/getClusters:getClusters": {"names": []},
        "aws:ec2/getAmi:getAmi": lambda args: {
            "id": args.get("filters", [{}])[0].get("values", ["ami-0123456789abcdef0"])[0],
            "imageId": "ami-0123456789abcdef0",
            "architecture": "x86_64",
            "rootDeviceName": "/dev/sda1",
        },
    }


class _Monitor(mocks.MockMonitor):
    """Pulumi's mock monitor, with the options kept that it throws away, and URNs as the real engine makes them."""

    def __init__(self, engine: "Engine") -> None:
        super().__init__(engine)
        self.engine = engine

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        kind = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if kind == STACK_TYPE else f"{kind}${type_}"
        return f"urn:pulumi:{self.engine.stack}::{self.engine.project}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        response = super().RegisterResource(request)
        if request.type != STACK_TYPE:
            self.engine.resources.append(
                Recorded(
                    typ=request.type,
                    name=request.name,
                    inputs=rpc.deserialize_properties(request.object),
                    urn=response.urn,
                    parent=request.parent,
                    id=response.id,
                    custom=request.custom,
                    provider=request.provider,
                    outputs=rpc.deserialize_properties(response.object),
                    protect=request.protect,
                    retain_on_delete=request.retainOnDelete,
                    delete_before_replace=request.deleteBeforeReplace,
                    deleted_with=request.deletedWith,
                    ignore_changes=tuple(request.ignoreChanges),
                    replace_on_changes=tuple(request.replaceOnChanges),
                    secret_outputs=tuple(request.additionalSecretOutputs),
                    depends_on=tuple(sorted(request.dependencies)),
                    aliases=tuple(str(alias).strip() for alias in request.aliases),
                    transforms=tuple(self.engine.transforms[each.token] for each in request.transforms),
                )
            )
        return response

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        response = super().ReadResource(request)
        self.engine.resources.append(
            Recorded(
                typ=request.type,
                name=request.name,
                inputs=rpc.deserialize_properties(request.properties),
                urn=response.urn,
                parent=request.parent,
                id=request.id,
                custom=True,
                provider=request.provider,
                outputs=rpc.deserialize_properties(response.properties),
                read=True,
            )
        )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        self.engine.registered_outputs[request.urn] = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)


class _Callbacks:
    """What the SDK registers the program's transforms with, in place of the server that the engine calls back."""

    def __init__(self, transforms: dict[str, pulumi.ResourceTransform]) -> None:
        self.transforms = transforms

    def register_transform(self, transform: pulumi.ResourceTransform) -> callback_pb2.Callback:
        token = str(len(self.transforms))
        self.transforms[token] = transform
        return callback_pb2.Callback(target="", token=token)


class _Messages(logging.Handler):
    def __init__(self, engine: "Engine") -> None:
        super().__init__()
        self.engine = engine

    def emit(self, record: logging.LogRecord) -> None:
        self.engine.messages.append((record.levelname.lower(), record.getMessage()))


class Engine(mocks.Mocks):
    """One program run: set the world up, ``run``, then ask what was recorded."""

    def __init__(self) -> None:
        self.project = "timonel"
        self.stack = "test"
        self.region = REGION
        self.account = ACCOUNT
        self.zones: list[str] = [f"{REGION}{letter}" for letter in "abc"]
        """Zones that the region answers with."""
        self.answers: dict[str, Answer] = {}
        """Lookup token -> answer, or a function of the arguments. Goes before the defaults."""
        self.computed: dict[str, Answer] = {}
        """Resource type -> outputs that the provider computes, or a function of the inputs. Goes over the defaults."""
        self.resources: list[Recorded] = []
        self.invokes: list[Invoked] = []
        self.registered_outputs: dict[str, Json] = {}
        """URN of a component or of the stack -> what it gave to ``register_outputs``."""
        self.messages: list[tuple[str, str]] = []
        """What the program said by ``pulumi.log``: ("warning", text)."""
        self.transforms: dict[str, pulumi.ResourceTransform] = {}
        """Every transform that the program registered, by its token."""
        self._is_preview = False
        self._context = contextvars.Context()
        self._loop = asyncio.new_event_loop()

    def run(
        self,
        program: Callable[[], Value],
        *,
        config: Mapping[str, Any] | None = None,
        secret_config: Sequence[str] = (),
        preview: bool = False,
    ) -> Value:
        """Run ``program`` in a stack and wait for all of it; what it raises is raised here.

        Args:
            program: the whole Pulumi program; its return value is passed on.
            config: full keys (``timonel:zones``) to values; anything but text is written as JSON.
            secret_config: those keys of ``config`` that are secret.
            preview: outputs of resources are unknown, as in the first ``pulumi preview``.
        """
        result: list[Value] = []

        self._is_preview = preview

        def start() -> None:
            asyncio.set_event_loop(self._loop)
            logger = logging.Logger("pulumi-test", logging.DEBUG)
            logger.addHandler(_Messages(self))
            settings.ROOT.set(None)
            mocks.set_mocks(self, self.project, self.stack, preview=preview, logger=logger, monitor=_Monitor(self))
            # A real one is a gRPC server, and those do not outlive the event loop of the first test.
            settings.SETTINGS.callbacks = _Callbacks(self.transforms)
            settings.ROOT.set(None)  # set_mocks makes a stack of its own; run_in_stack makes the one that counts
            texts = {
                key: value if isinstance(value, str) else json.dumps(value) for key, value in (config or {}).items()
            }
            set_all_config(texts, list(secret_config))
            _sync_await(stack.run_in_stack(lambda: result.append(program())))

        self._context.run(start)
        return result[0]

    def value(self, output: pulumi.Input[Value]) -> Value:
        """What an output of the last run resolved to; None when it is unknown."""
        return self._context.run(lambda: _sync_await(pulumi.Output.from_input(output).future()))  # type: ignore[return-value]

    def is_secret(self, output: pulumi.Output[Any]) -> bool:
        """Whether an output of the last run is secret."""
        return self._context.run(lambda: _sync_await(output.is_secret()))

    def close(self) -> None:
        """Free the event loop; the fixture calls it."""
        self._loop.close()

    # What was recorded

    def of(self, typ: str) -> list[Recorded]:
        """Every resource of a type, by name; registration order is not fixed."""
        return sorted((found for found in self.resources if found.typ == typ), key=lambda found: found.name)

    def one(self, typ: str, name: str | None = None) -> Recorded:
        """The only resource of a type, or the only one with that name."""
        found = [resource for resource in self.of(typ) if name in (None, resource.name)]
        assert len(found) == 1, f"expected one {typ} {name or ''}, got {[resource.name for resource in found]}"
        return found[0]

    def children(self, parent: str) -> list[Recorded]:
        """Direct children of a URN, by URN."""
        return sorted((found for found in self.resources if found.parent == parent), key=lambda found: found.urn)

    def descendants(self, ancestor: str) -> list[Recorded]:
        """Children, their children and so on, by URN."""
        direct = self.children(ancestor)
        return sorted(
            [*direct, *(deep for child in direct for deep in self.descendants(child.urn))], key=lambda r: r.urn
        )

    def urns(self) -> list[str]:
        """Every URN, sorted: the golden of a stack's names."""
        return sorted(resource.urn for resource in self.resources)

    def invoked(self, token: str) -> list[Invoked]:
        """Every call of a lookup."""
        return [call for call in self.invokes if call.token == token]

    @property
    def stack_outputs(self) -> Json:
        """What the program exported."""
        return next((outputs for urn, outputs in self.registered_outputs.items() if f"::{STACK_TYPE}::" in urn), {})

    @property
    def warnings(self) -> list[str]:
        """What the program warned of."""
        return [text for level, text in self.messages if level == "warning"]

    # What Pulumi's mock monitor calls

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, Json]:
        is_read = bool(args.resource_id)  # also true for an import
        if not args.custom and not is_read:
            # A component of another package has outputs that this program does not make; in a preview, unknown ones.
            made = {} if self._is_preview else self.computed.get(args.typ, {})
            return "", {**args.inputs, **(made(args.inputs) if callable(made) else made)}
        if self._is_preview and not is_read and not args.typ.startswith("pulumi:providers:"):
            return "", dict(args.inputs)  # no id: the SDK takes it and every output that is no input as unknown
        service = args.typ.split(":")[1].split("/")[0]
        defaults = {
            "arn": f"arn:aws:{service}:{self.region}:{self.account}:{args.name}",
            "name": args.inputs.get("namePrefix", args.name),
            "dnsName": f"{args.name}.{service}.{self.region}.amazonaws.com",
            "keyId": f"{args.name}-key-id",
            "latestVersion": 1,
        }
        known = self.computed.get(args.typ, {})
        return args.resource_id or f"{args.name}-id", {
            **defaults,
            **args.inputs,
            **(known(args.inputs) if callable(known) else known),
        }

    def call(self, args: mocks.MockCallArgs) -> tuple[Json, list[tuple[str, str]]]:  # type: ignore[override]
        self.invokes.append(Invoked(args.token, dict(args.args), args.provider))
        answer = self.answers.get(args.token) or _default_answers(self).get(args.token)
        if answer is None:
            raise AssertionError(f"no answer for the lookup {args.token} with {args.args}: set engine.answers")
        try:
            return (answer(dict(args.args)) if callable(answer) else dict(answer)), []
        except RefusedError as refused:
            return {}, [("id", str(refused))]
