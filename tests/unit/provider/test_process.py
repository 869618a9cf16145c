"""The provider as the engine meets it: a process that prints its port and speaks Pulumi's protocol."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

FOLDER = Path(__file__).parents[3] / "provider"
URN = "urn:pulumi:dev::timonel::timonel:index:ReadyCluster::ready"


class FakeEngine(engine_pb2_grpc.EngineServicer):
    """Keeps what the provider logs."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def Log(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802 (the protocol's name)
        self.said.append((request.urn, request.message))
        return empty_pb2.Empty()


@pytest.fixture
def fake_engine() -> Iterator[tuple[FakeEngine, str]]:
    engine, server = FakeEngine(), grpc.server(futures.ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield engine, f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def stub(fake_engine: tuple[FakeEngine, str]) -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    # The working directory is the project's, not the checkout's: the provider must find itself.
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_MAX_ATTEMPTS": "1",
    }
    with subprocess.Popen(
        [sys.executable, str(FOLDER), fake_engine[1]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env=environment,
    ) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        assert port.isdigit(), port + process.stdout.read()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
        process.terminate()


def struct(**values: Any) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(values)
    return made


def test_the_process_serves_and_keeps_settings_out_of_its_configuration(
    stub: provider_pb2_grpc.ResourceProviderStub,
) -> None:
    assert stub.GetPluginInfo(empty_pb2.Empty()).version == "0.1.0"
    news = struct(network='{"zones": 3}')
    answer = stub.CheckConfig(provider_pb2.CheckRequest(urn="urn:pulumi:a::b::pulumi:providers:timonel::x", news=news))
    assert dict(answer.inputs) == {}, "the project's settings share the namespace; a changed one is no changed provider"


def test_a_program_can_ask_whether_the_provider_starts(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
    answer = stub.Invoke(provider_pb2.InvokeRequest(tok="timonel:index:getVersion"))
    assert dict(getattr(answer, "return")) == {"version": "0.1.0"}
    with pytest.raises(grpc.RpcError, match="getOther is not a function of the timonel provider"):
        stub.Invoke(provider_pb2.InvokeRequest(tok="timonel:index:getOther"))


def test_an_error_reaches_the_engine_with_its_reason_and_without_a_stack_trace(
    stub: provider_pb2_grpc.ResourceProviderStub,
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.Read(provider_pb2.ReadRequest(id="x", urn=URN))
    assert caught.value.details() == (
        "timonel:index:ReadyCluster ready: import is not supported; declare it and run up."
    )


def test_the_gate_speaks_through_the_engine_s_log_and_ends_when_cancelled(
    stub: provider_pb2_grpc.ResourceProviderStub, fake_engine: tuple[FakeEngine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens on the discard port: AWS does not answer, which is waited for.
    inputs = struct(
        region="us-east-1",
        bucket="b",
        managerGroups=["g"],
        workerGroups=[],
        managers=1,
        triggers={},
        timeoutSeconds=600,
        consecutive=1,
        intervalSeconds=60,
    )
    waiting = stub.Create.future(provider_pb2.CreateRequest(urn=URN, properties=inputs))
    deadline = time.monotonic() + 60
    while not fake_engine[0].said and time.monotonic() < deadline:
        time.sleep(0.1)
    assert fake_engine[0].said, "a silent wait looks like a hang"
    urn, sentence = fake_engine[0].said[0]
    assert urn == URN
    assert sentence.startswith("waiting for 1 managers in g")
    stub.Cancel(empty_pb2.Empty())
    with pytest.raises(grpc.RpcError, match="cancelled"):
        waiting.result(timeout=60)


def test_the_plugin_runs_in_the_program_s_own_environment() -> None:
    options = yaml.safe_load((FOLDER / "PulumiPlugin.yaml").read_text())["runtime"]["options"]
    project = yaml.safe_load((FOLDER.parent / "Pulumi.yaml").read_text())["runtime"]["options"]
    assert options["toolchain"] == project["toolchain"]
    assert (FOLDER / options["virtualenv"]).resolve() == (FOLDER.parent / project["virtualenv"]).resolve(), (
        "the language host takes it relative to the plugin's folder and never installs a path provider"
    )
