"""The Python language host as the engine sees it: a process that prints a port and answers gRPC."""

import subprocess
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from toolchain import engine


def program() -> Path:
    """The language host of the engine in use."""
    ready = engine.find()
    assert ready is not None, "no Pulumi engine is ready: run `make setup` (every make target does)"
    return ready.folder / "pulumi-language-python"


@contextmanager
def running(
    engine_address: str = "127.0.0.1:1",
) -> Iterator[tuple[language_pb2_grpc.LanguageRuntimeStub, subprocess.Popen]]:
    """A running host and its client; the host is ended with the block. Its output can be read from the process."""
    process = subprocess.Popen(
        [program(), engine_address], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield language_pb2_grpc.LanguageRuntimeStub(channel), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@dataclass
class RecordingEngine(resource_pb2_grpc.ResourceMonitorServicer, engine_pb2_grpc.EngineServicer):
    """Stands in for the engine's services as far as a program without resources calls them; the rest is refused."""

    outputs: dict = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)

    def GetDeploymentInfo(self, request, context):  # noqa: N802 - gRPC's name
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "older engines have none, and the SDK does without")

    def SupportsFeature(self, request, context):  # noqa: N802 - gRPC's name
        return resource_pb2.SupportsFeatureResponse(hasSupport=False)

    def RegisterResource(self, request, context):  # noqa: N802 - gRPC's name
        return resource_pb2.RegisterResourceResponse(urn=f"urn:pulumi:dev::tiny::{request.type}::{request.name}")

    def RegisterResourceOutputs(self, request, context):  # noqa: N802 - gRPC's name
        self.outputs.update(request.outputs)
        return empty_pb2.Empty()

    def SetRootResource(self, request, context):  # noqa: N802 - gRPC's name
        return engine_pb2.SetRootResourceResponse()

    def GetRootResource(self, request, context):  # noqa: N802 - gRPC's name
        return engine_pb2.GetRootResourceResponse()

    def Log(self, request, context):  # noqa: N802 - gRPC's name
        self.logs.append(request.message)
        return empty_pb2.Empty()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of both services."""
        server = grpc.server(futures.ThreadPoolExecutor(4))
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self, server)
        engine_pb2_grpc.add_EngineServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def info(folder: Path, **options: str) -> language_pb2.ProgramInfo:
    """A program in ``folder`` with ``runtime.options``."""
    found = language_pb2.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")
    found.options.update(options)
    return found
