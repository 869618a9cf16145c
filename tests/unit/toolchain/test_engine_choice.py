"""Where the engine comes from: the order of preference, and what is said when nothing works."""

import pytest

from toolchain import build, engine, golang, installer, paths, steps
from toolchain.errors import ToolchainError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    build.folder.cache_clear()
    yield
    build.folder.cache_clear()


def fake_engine(folder, version: str = "3.300.0", without: str = ""):
    folder.mkdir(parents=True, exist_ok=True)
    for name in engine.PROGRAMS:
        if name != without:
            (folder / name).write_text(f"#!/bin/sh\necho v{version}\n")
            (folder / name).chmod(0o755)
    return folder


def environ(*folders, **more: str) -> dict[str, str]:
    return {"PATH": ":".join([*map(str, folders), "/usr/bin", "/bin"]), **more}


def unreachable(_):
    raise ToolchainError("it cannot be reached")


def test_a_recent_engine_on_path_comes_before_a_cached_one(tmp_path):
    fake_engine(build.folder())
    found = engine.find(environ(fake_engine(tmp_path / "path")))
    assert found == engine.Engine("path", tmp_path / "path", "3.300.0")


def test_an_engine_on_path_that_is_too_old_is_passed_over_with_both_versions_named(tmp_path):
    old = fake_engine(tmp_path / "path", version="3.100.0")
    assert engine.find(environ(old)) is None
    _, reason = engine.on_path(environ(old)["PATH"])
    assert "3.100.0" in reason
    assert "3.259.0" in reason


def test_an_engine_on_path_without_its_language_host_is_passed_over_and_says_what_it_lacks(tmp_path):
    bare = fake_engine(tmp_path / "path", without="pulumi-language-python")
    assert engine.find(environ(bare)) is None
    assert "lacks pulumi-language-python beside it" in engine.on_path(environ(bare)["PATH"])[1]


@pytest.mark.parametrize("script", ["echo unknown", "echo broken >&2; exit 1"])
def test_a_pulumi_on_path_that_does_not_say_its_version_is_passed_over(tmp_path, script):
    broken = fake_engine(tmp_path / "path")
    (broken / "pulumi").write_text(f"#!/bin/sh\n{script}\n")
    assert engine.find(environ(broken)) is None, "someone else's broken program must not stop a setup"
    assert "does not say its version" in engine.on_path(environ(broken)["PATH"])[1]


def test_a_cached_engine_on_path_still_counts_as_what_it_is():
    made = fake_engine(build.folder())
    found = engine.find(environ(made))
    assert found is not None
    assert found.way == "built", "`env` puts the cache on PATH, and that must not make it another engine"


def test_the_installers_engine_comes_before_a_built_one():
    fake_engine(build.folder())
    fake_engine(installer.folder())
    assert engine.find(environ()).way == "official"


def test_a_cached_engine_that_lost_a_program_is_not_ready():
    fake_engine(build.folder(), without="pulumi-language-python-exec")
    assert engine.find(environ()) is None


def test_a_choice_that_does_not_exist_is_refused_with_the_ones_that_do():
    with pytest.raises(ToolchainError, match="'brew' is not one of auto, path, official, built"):
        engine.find(environ(TIMONEL_ENGINE="brew"))


def test_a_named_way_is_the_only_one_tried(tmp_path):
    fake_engine(build.folder())
    assert engine.find(environ(fake_engine(tmp_path / "path"), TIMONEL_ENGINE="built")).way == "built"
    assert engine.find(environ(TIMONEL_ENGINE="official")) is None


def test_an_unreachable_installer_is_followed_by_the_build(monkeypatch):
    monkeypatch.setattr(installer, "install", unreachable)
    monkeypatch.setattr(build, "build", fake_engine)
    assert engine.ensure(environ()).way == "built"


def test_when_nothing_works_every_way_is_named_with_its_reason_and_nothing_half_made_stays(monkeypatch):
    def half(folder):
        fake_engine(folder)
        raise ToolchainError("the compiler ended with 1")

    monkeypatch.setattr(installer, "install", unreachable)
    monkeypatch.setattr(build, "build", half)
    with pytest.raises(ToolchainError) as caught:
        engine.ensure(environ())
    for part in ("there is no pulumi on PATH", "official: it cannot be reached", "built: the compiler ended with 1"):
        assert part in str(caught.value)
    assert "Install Pulumi 3.259.0 or newer" in str(caught.value), "it ends with what the user can do"
    assert not [*(paths.cache() / "engine").iterdir()], "a half-made engine must not be found by the next run"


def test_a_second_setup_takes_what_the_first_one_made_while_it_waited(monkeypatch):
    monkeypatch.setattr(engine, "_make", lambda _: pytest.fail("it was made already"))
    lock = steps.only_one

    def other_setup_ends(path):
        fake_engine(build.folder())
        return lock(path)

    monkeypatch.setattr(steps, "only_one", other_setup_ends)
    assert engine.ensure(environ()).way == "built"


def test_another_source_of_the_language_host_is_another_folder(monkeypatch, tmp_path):
    before = build.folder()
    copy = tmp_path / "engine"
    copy.mkdir()
    for path in paths.ENGINE_SOURCE.glob("go.*"):
        (copy / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(paths, "ENGINE_SOURCE", copy)
    build.folder.cache_clear()
    assert build.folder() != before, "an old host must never be taken for the new one"


def test_an_old_go_on_path_is_passed_over(tmp_path, monkeypatch):
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go version go1.19.4 linux/amd64\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert golang.on_path("1.26") is None
    assert golang.on_path("1.19") == go
