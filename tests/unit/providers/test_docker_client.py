"""Patience of the Docker stand-in's client, and TLS that never lies in a file."""

import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from docker.errors import APIError, NotFound

from sandbox.providers.docker import client
from sandbox.providers.docker.client import Docker
from sandbox.providers.serve import ProviderError


class Api:
    """Stands where the SDK's client does."""

    base_url = "tcp://managers"


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Docker:
    """A client that is connected, and for which no second passes."""
    monkeypatch.setattr(client.time, "sleep", lambda _: None)
    made = Docker({})
    made._api = Api()
    return made


def failing(*errors: Exception) -> Any:
    """A call that fails so often before it answers."""
    left = list(errors)

    def act(_: Any) -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return act


def api_error(text: str) -> APIError:
    """An error as the API gives it."""
    return APIError("500 Server Error", response=requests.Response(), explanation=text)


@pytest.mark.parametrize(
    "error",
    [
        api_error("rpc error: code = Unknown desc = The swarm does not have a leader"),
        api_error("rpc error: code = DeadlineExceeded desc = context deadline exceeded"),
        requests.ConnectionError("('Connection aborted.', RemoteDisconnected('Remote end closed connection'))"),
        requests.ConnectionError("('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))"),
    ],
)
def test_an_election_and_a_broken_connection_are_waited_through(docker: Docker, error: Exception) -> None:
    assert docker.call(failing(error, error)) == "answer"


@pytest.mark.parametrize(
    "error", [api_error("name conflicts with an existing object"), requests.ConnectionError("Connection refused")]
)
def test_what_does_not_pass_by_itself_is_said_at_once(docker: Docker, error: Exception) -> None:
    with pytest.raises(ProviderError, match=r"name conflicts|no answer from tcp://managers.*refused"):
        docker.call(failing(error))


def test_an_election_without_end_fails_with_the_managers_words(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE_SECONDS", 0)
    with pytest.raises(ProviderError, match="does not have a leader"):
        docker.call(failing(*[api_error("The swarm does not have a leader")] * 5))


def test_a_missing_object_stays_a_missing_object(docker: Docker) -> None:
    with pytest.raises(NotFound):
        docker.call(failing(NotFound("404", response=requests.Response(), explanation="no such service")))


def test_a_create_whose_answer_was_lost_takes_what_it_made(docker: Docker) -> None:
    made: list[str] = []

    def make(_: Any) -> str:
        made.append("id")
        raise requests.ConnectionError("Connection aborted")

    assert docker.create(lambda _: made[0] if made else None, make) == "id"
    assert len(made) == 1, "it is not made twice"


def test_a_name_that_was_taken_before_is_not_adopted(docker: Docker) -> None:
    def make(_: Any) -> str:
        raise api_error("name conflicts with an existing object")

    with pytest.raises(ProviderError, match="name conflicts"):
        docker.create(lambda _: "somebody else's", make)


def certificate(name: str, issuer: Any = None) -> tuple[Any, Any, str, str]:
    """A certificate for 127.0.0.1, its key, and both as PEM; its own issuer without one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made, key, made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


class Daemon(http.server.BaseHTTPRequestHandler):
    """As much of an engine's API as a client asks first."""

    def do_GET(self) -> None:
        """Tell the version; /tasks is empty."""
        content = b'{"ApiVersion": "1.51", "MinAPIVersion": "1.24"}' if "version" in self.path else b"[]"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """An engine that wants a client's certificate, and the settings that it lets in."""
    ca = certificate("ca")
    server, mine = certificate("localhost", ca), certificate("client", ca)
    (tmp_path / "ca").write_text(ca[2])
    (tmp_path / "pair").write_text(server[2] + server[3])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair")
    context.load_verify_locations(tmp_path / "ca")
    context.verify_mode = ssl.CERT_REQUIRED
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Daemon)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    host = f"tcp://localhost:{listening.server_port}"
    yield host, {"caMaterial": ca[2], "certMaterial": mine[2], "keyMaterial": mine[3]}
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_tls_with_a_clients_certificate_leaves_no_file(
    daemon: tuple[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, material = daemon
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("TMPDIR", str(empty))
    assert Docker({"host": host, **material}).call(lambda api: api.tasks()) == []
    assert not list(empty.iterdir()), "the key lies in memory only"


def test_another_ca_than_the_managers_is_refused_at_once(daemon: tuple[str, dict[str, str]]) -> None:
    host, material = daemon
    with pytest.raises(ProviderError, match="certificate verify failed"):
        Docker({"host": host, **material, "caMaterial": certificate("other")[2]}).call(lambda api: api.tasks())
