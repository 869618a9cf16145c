"""Long steps: progress, failures, the lock between two setups, and nothing half-made."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolchain import paths, steps
from toolchain.errors import ToolchainError


def test_a_step_says_what_runs_and_how_long_it_took(capfd):
    steps.run("making nothing", ["true"])
    assert capfd.readouterr().err.splitlines() == ["making nothing ...", "making nothing: done in 0 s"]


def test_a_long_step_says_so_again_and_again(capfd, monkeypatch):
    monkeypatch.setattr(steps, "QUIET_LINE_SECONDS", 0.1)
    steps.run("sleeping", ["sleep", "0.35"])
    lines = capfd.readouterr().err.splitlines()
    assert lines.count("sleeping ... 0 s") >= 2, f"a line at every interval, so that nobody thinks it hangs: {lines}"


def test_a_failed_step_shows_its_command_and_last_lines():
    with pytest.raises(ToolchainError) as caught:
        steps.run("failing", ["sh", "-c", "seq 1 100; echo the reason >&2; exit 4"])
    said = str(caught.value)
    assert "failing: `sh -c" in said
    assert "ended with 4" in said
    assert "the reason" in said, "what a program says on stderr is why it failed"
    assert "\n    50\n" not in said, "the end is enough"


def test_a_program_that_is_missing_is_named():
    with pytest.raises(ToolchainError, match="cannot start no-such-program"):
        steps.run("starting", ["no-such-program"])


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "made"
    with pytest.raises(RuntimeError), steps.made_whole(target) as folder:
        (folder / "first").write_text("1")
        raise RuntimeError("interrupted")
    assert not [*tmp_path.iterdir()], "neither the folder nor remains of it"
    with steps.made_whole(target) as folder:
        (folder / "first").write_text("1")
        assert not target.exists(), "it is not to be seen before it is whole"
    assert (target / "first").read_text() == "1"


def test_remains_of_a_killed_setup_are_removed_by_the_next(tmp_path):
    program = (
        "import pathlib, time\nfrom toolchain import steps\n"
        f"with steps.made_whole(pathlib.Path({str(tmp_path / 'made')!r})):\n"
        "    print('in', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=paths.CHECKOUT) as killed:
        killed.stdout.readline()
        killed.kill()
    assert [path for path in tmp_path.iterdir() if path.name != "made"], "kill -9 leaves the folder that was filled"
    with steps.made_whole(tmp_path / "made"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_two_setups_wait_for_each_other_and_the_second_says_for_whom(tmp_path):
    lock = tmp_path / "engine.lock"
    program = (
        "import pathlib\nfrom toolchain import steps\n"
        f"with steps.only_one(pathlib.Path({str(lock)!r})):\n    print('got it', flush=True)\n"
    )
    with steps.only_one(lock):
        waiting = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=paths.CHECKOUT,
        )
        assert f"waiting for another setup (process {os.getpid()})" in waiting.stderr.readline()
        assert waiting.poll() is None, "it waits as long as this one holds the lock"
    assert waiting.communicate(timeout=10)[0] == "got it\n", "and goes on when it is free"


def test_a_lock_whose_holder_was_killed_is_free(tmp_path):
    lock = tmp_path / "engine.lock"
    program = (
        "import pathlib, time\nfrom toolchain import steps\n"
        f"with steps.only_one(pathlib.Path({str(lock)!r})):\n    print('got it', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=paths.CHECKOUT) as holder:
        holder.stdout.readline()
        holder.kill()
    started = time.monotonic()
    with steps.only_one(lock):
        assert time.monotonic() - started < 5


def test_an_interrupt_ends_what_the_step_started(tmp_path):
    mark = tmp_path / "pid"
    # A shell starts background jobs with interrupts ignored, and that is inherited.
    listen = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program = (
        f"{listen}from toolchain import steps\nsteps.run('long', ['sh', '-c', 'echo $$ > {mark}; sleep 60 & wait'])\n"
    )
    setup = subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.DEVNULL, cwd=paths.CHECKOUT, start_new_session=True
    )
    deadline = time.monotonic() + 10
    while not (mark.exists() and mark.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    group = int(mark.read_text())
    setup.send_signal(signal.SIGINT)
    setup.wait(10)
    deadline = time.monotonic() + 5
    while alive_in(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive_in(group), "compilers that go on would take the machine from its user"


def alive_in(group: int) -> list[int]:
    """The processes of a group that run; one that ended and waits for its parent does not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = stat.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found
