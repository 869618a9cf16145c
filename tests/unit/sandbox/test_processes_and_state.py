"""Process identity, the state folder, the mirror and the salt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.engine import mirror, salt
from sandbox.engine.repair import Lock, holder_lives
from sandbox.engine.shim import _absolute, _without_folder
from sandbox.processes import ProcessId, end, with_marker
from sandbox.state import State, read_json, write_json

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_reused_pid_is_another_process() -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None and own.alive()
    assert not ProcessId(own.pid, "1").alive(), "same pid, other start time: another process"


def test_a_zombie_counts_as_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    time.sleep(0.5)
    assert ProcessId.of(child.pid) is None
    child.wait()


def test_processes_are_found_by_the_marker_in_their_environment_and_ended() -> None:
    child = subprocess.Popen(SLEEP, env={**os.environ, "TIMONEL_RUN": "test-marker-1"})
    found: dict[str, list[ProcessId]] = {}
    deadline = time.monotonic() + 5
    while not found and time.monotonic() < deadline:
        found = with_marker("TIMONEL_RUN", ["test-marker-1", "test-marker-2"])
    assert [p.pid for p in found["test-marker-1"]] == [child.pid]
    assert [p.pid for p in end(found["test-marker-1"])] == [child.pid]
    assert child.wait(5) == -signal.SIGTERM


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    identity = ProcessId.of(child.pid)
    assert identity is not None
    end([identity], grace=0.2)
    assert not identity.alive()


def test_a_file_cut_short_by_a_kill_reads_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"pid": 1')
    assert read_json(tmp_path / "x.json") == {}
    write_json(tmp_path / "x.json", {"pid": 2})
    assert read_json(tmp_path / "x.json") == {"pid": 2}
    assert (tmp_path / "x.json").stat().st_mode & 0o077 == 0, "records hold credentials' neighbours: owner only"


def _state(tmp_path: Path) -> State:
    state = State(tmp_path / "state")
    state.prepare()
    state.salt.write_text("v1:salt")
    return state


def test_the_mirror_links_everything_and_copies_stack_files_with_the_sandboxes_salt(tmp_path: Path) -> None:
    state, project = _state(tmp_path), tmp_path / "project"
    (project / "components").mkdir(parents=True)
    (project / ".git").mkdir()
    (project / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    text = "secretsprovider: awskms://x\nencryptedkey: abc\nconfig:\n  p:a: b\n"
    (project / "Pulumi.dev.yaml").write_text(text)
    folder = mirror.refresh(state, project)
    assert (folder / "components").readlink() == project / "components"
    assert not (folder / ".git").exists()
    assert (folder / "Pulumi.dev.yaml").read_text() == "encryptionsalt: v1:salt\nconfig:\n  p:a: b\n"
    assert (project / "Pulumi.dev.yaml").read_text() == text, "the project's own file is never touched"
    (folder / "Pulumi.dev.yaml").write_text("changed by pulumi config set\n")
    mirror.refresh(state, project)
    assert (folder / "Pulumi.dev.yaml").read_text() == "changed by pulumi config set\n", (
        "kept while the source is the same"
    )
    (project / "Pulumi.dev.yaml").write_text("config: {}\n")
    (project / "components").rmdir()
    mirror.refresh(state, project)
    assert "config: {}" in (folder / "Pulumi.dev.yaml").read_text()
    assert not (folder / "components").is_symlink(), "what is gone from the project is gone from the mirror"


def test_two_projects_have_two_mirrors(tmp_path: Path) -> None:
    state = _state(tmp_path)
    folders = []
    for parent in ("one", "two"):
        project = tmp_path / parent / "same-name"
        project.mkdir(parents=True)
        folders.append(mirror.refresh(state, project))
    assert folders[0] != folders[1]


def test_an_encrypted_value_is_refused_naming_the_file(tmp_path: Path) -> None:
    state, project = _state(tmp_path), tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.dev.yaml").write_text("config:\n  p:a:\n    secure: v1:x\n")
    with pytest.raises(ValueError, match=r"Pulumi\.dev\.yaml"):
        mirror.refresh(state, project)


def test_the_salt_proves_its_passphrase() -> None:
    line = salt.encryption_salt("correct horse")
    version, salted, inner, nonce, proof = line.split(":")
    assert (version, inner) == ("v1", "v1")
    key = salt.hashlib.pbkdf2_hmac("sha256", b"correct horse", b64decode(salted), salt.ROUNDS, 32)
    assert AESGCM(key).decrypt(b64decode(nonce), b64decode(proof), None) == b"pulumi"


def test_paths_of_options_keep_their_meaning_in_the_mirror() -> None:
    here = Path("/here")
    assert _absolute(["stack", "export", "--file", "x.json"], here) == ["stack", "export", "--file", "/here/x.json"]
    assert _absolute(["up", "--plan=p", "-s", "dev"], here) == ["up", "--plan=/here/p", "-s", "dev"]
    assert _without_folder(["-C", "dir", "up", "--cwd=other"]) == (["up"], "other")


def test_a_locks_holder_lives_only_while_that_very_process_does(tmp_path: Path) -> None:
    import socket
    from datetime import UTC, datetime

    state = _state(tmp_path)
    now = datetime.now(UTC).isoformat()
    mine = Lock(tmp_path, os.getpid(), "u", socket.gethostname(), now)
    assert holder_lives(state, mine), "this process is older than the lock and lives"
    assert not holder_lives(state, Lock(tmp_path, 2**22 - 7, "u", socket.gethostname(), now)), "no such process"
    old = Lock(tmp_path, os.getpid(), "u", socket.gethostname(), "2020-01-01T00:00:00+00:00")
    assert not holder_lives(state, old), "the pid was reused: this process is younger than the lock"
    assert holder_lives(state, Lock(tmp_path, 1, "u", "elsewhere", now)), (
        "another host's process cannot be told: careful"
    )
    dead = {"run": "r", "pid": os.getpid(), "start_time": "1"}
    write_json(state.runs / "r.json", dead)
    assert not holder_lives(state, mine), "the recorded run with this pid was another process"
