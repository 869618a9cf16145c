"""The agent's artefact: the same bytes from any clone."""

import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from components.hosts.artefact import build

FILES = {
    "__init__.py": "",
    "__main__.py": "import sys\nfrom node_agent.words import greeting\nprint(greeting(), *sys.argv[1:])\n",
    "words.py": "def greeting():\n    return 'the agent runs'\n",
    "deep/__init__.py": "",
    "deep/b.py": "B = 1\n",
}


def clone(place: Path, *, names: list[str], mode: int, time: int, umask: int) -> Path:
    old = os.umask(umask)
    try:
        for name in names:
            path = place / "node_agent" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(FILES[name])
            path.chmod(mode)
            os.utime(path, (time, time))
        cache = place / "node_agent" / "__pycache__"
        cache.mkdir()
        (cache / "words.cpython-311.pyc").write_bytes(os.urandom(8))
        (place / "node_agent" / "notes.txt~").write_text(str(time))
    finally:
        os.umask(old)
    return place / "node_agent"


def test_two_clones_with_other_times_modes_and_order_give_the_same_bytes(tmp_path: Path) -> None:
    names = list(FILES)
    first = build(clone(tmp_path / "a", names=names, mode=0o644, time=1_000_000_000, umask=0o022))
    second = build(clone(tmp_path / "b", names=names[::-1], mode=0o600, time=1_700_000_000, umask=0o077))
    assert first == second, "the hash names the artefact: it must not depend on who packed it"


def test_nothing_but_python_files_is_packed_and_nothing_is_compressed(tmp_path: Path) -> None:
    source = clone(tmp_path, names=list(FILES), mode=0o644, time=0, umask=0o022)
    with zipfile.ZipFile(BytesIO(build(source).content)) as archive:
        names = [entry.filename for entry in archive.infolist()]
        assert names == ["__main__.py", *sorted(f"node_agent/{name}" for name in FILES)]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}, "zlib versions differ"
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_change_of_one_byte_changes_the_key(tmp_path: Path) -> None:
    source = clone(tmp_path, names=list(FILES), mode=0o644, time=0, umask=0o022)
    before = build(source)
    (source / "words.py").write_text("def greeting():\n    return 'the agent Runs'\n")
    after = build(source)
    assert before.key != after.key
    assert after.key == f"artefacts/agent-{after.sha256}.pyz"


def test_the_artefact_runs_alone_with_its_arguments(tmp_path: Path) -> None:
    source = clone(tmp_path, names=list(FILES), mode=0o644, time=0, umask=0o022)
    artefact = tmp_path / "agent.pyz"
    artefact.write_bytes(build(source).content)
    done = subprocess.run(
        [sys.executable, "-I", str(artefact), "run"], cwd="/", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the agent runs run\n"), done.stderr


def test_a_folder_that_is_not_the_agent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"__main__\.py"):
        build(tmp_path)


def test_the_real_agent_starts_from_its_artefact_alone(tmp_path: Path) -> None:
    artefact = tmp_path / "agent.pyz"
    artefact.write_bytes(build().content)
    done = subprocess.run(
        [sys.executable, "-I", str(artefact), "--help"], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "recover" in done.stdout, "the human's commands and the service are the same file"
