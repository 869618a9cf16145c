"""The official installer, played by a script on a server of this test's own: the real one is not always reachable."""

import http.server
import threading
import time

import pytest

from toolchain import engine, installer
from toolchain.errors import ToolchainError

SCRIPT = """#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in --install-root) root="$2"; shift ;; --version) version="$2"; shift ;; esac
  shift
done
mkdir -p "$root/bin"
for name in pulumi pulumi-language-python pulumi-language-python-exec pulumi-resource-pulumi-python; do
  echo "$version" > "$root/bin/$name"
done
"""


@pytest.fixture
def serve():
    servers = []

    def start(body: str) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_the_installer_brings_lies_in_one_folder_and_nothing_else_stays(serve, tmp_path):
    installer.install(tmp_path, serve(SCRIPT))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(engine.PROGRAMS)
    assert (tmp_path / "pulumi").read_text().strip() == installer.ENGINE_INSTALL, "the pinned version was asked for"


def test_an_installer_that_fails_shows_what_it_said(serve, tmp_path):
    with pytest.raises(ToolchainError, match="no space left on device"):
        installer.install(tmp_path, serve("echo no space left on device; exit 3\n"))


def test_an_installer_that_cannot_be_reached_is_given_up_within_seconds(tmp_path):
    started = time.monotonic()
    with pytest.raises(ToolchainError, match="cannot be reached"):
        installer.install(tmp_path, "http://127.0.0.1:1")
    assert time.monotonic() - started < installer.REACH_SECONDS + 1
