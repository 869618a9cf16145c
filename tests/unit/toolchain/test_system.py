"""Programs of the operating system: what is missing, and what is done about it."""

import pytest

from toolchain import steps, system
from toolchain.errors import ToolchainError


@pytest.fixture
def ran(monkeypatch):
    """The commands that would have run."""
    commands: list[list[str]] = []
    monkeypatch.setattr(steps, "run", lambda _, command, **__: commands.append([str(word) for word in command]))
    return commands


@pytest.fixture
def groups(monkeypatch):
    there = system.SystemProgram("coreutils", "sh", "is on every system")
    absent = system.SystemProgram("absent-package", "no-such-program", "is needed by this test")
    monkeypatch.setattr(system, "groups", lambda: {"whole": [there], "holed": [there, absent]})


def test_every_program_of_the_list_has_a_package_and_a_reason():
    for name, programs in system.groups().items():
        assert programs, f"group {name} is empty"
        for program in programs:
            assert program.package, f"a program of {name} has no package"
            assert program.why, f"{program.package} is asked for without a reason"


@pytest.mark.parametrize(
    ("program", "there"),
    [
        ("sh", True),
        ("/bin/sh", True),
        ("module json", True),
        ("no-such", False),
        ("/no/such", False),
        ("module no_such", False),
    ],
)
def test_a_program_is_a_command_a_path_or_a_module_of_python(program, there):
    assert system.SystemProgram("package", program, "is needed by this test").is_there() is there


@pytest.mark.usefixtures("groups")
def test_only_what_is_missing_is_named():
    assert [program.package for program in system.missing(["whole", "holed"])] == ["absent-package"]


@pytest.mark.usefixtures("groups")
def test_a_group_that_does_not_exist_is_refused_with_the_ones_that_do():
    with pytest.raises(ToolchainError, match="'hole' is not one of whole, holed"):
        system.missing(["hole"])


@pytest.mark.usefixtures("groups")
def test_nothing_runs_when_nothing_is_missing(ran):
    assert system.ensure(["whole"], required=True) == []
    assert ran == [], "the second setup must cost nothing"


@pytest.mark.usefixtures("groups")
def test_root_on_debian_installs_what_is_missing_and_updates_empty_lists_first(ran, monkeypatch, tmp_path):
    monkeypatch.setattr(system, "why_not_apt", lambda: None)
    monkeypatch.setattr(system, "APT_LISTS", tmp_path)
    system.ensure(["holed"], required=True)
    assert [command[:2] for command in ran] == [["apt-get", "update"], ["apt-get", "install"]]
    assert ran[1][-1] == "absent-package"
    ran.clear()
    (tmp_path / "some_mirror_dists_stable_main_binary-amd64_Packages.lz4").write_text("")
    system.ensure(["holed"], required=True)
    assert [command[:2] for command in ran] == [["apt-get", "install"]], "lists that are there are used"


@pytest.mark.usefixtures("groups")
def test_elsewhere_what_is_required_is_an_error_that_names_package_and_reason(ran, monkeypatch):
    monkeypatch.setattr(system, "why_not_apt", lambda: "this is not root")
    with pytest.raises(ToolchainError, match="absent-package: is needed by this test"):
        system.ensure(["holed"], required=True)
    assert ran == [], "nothing is installed without the right to"


@pytest.mark.usefixtures("groups")
def test_elsewhere_what_is_not_required_is_only_said(ran, monkeypatch, capsys):
    monkeypatch.setattr(system, "why_not_apt", lambda: "this is not Debian or Ubuntu")
    assert [program.package for program in system.ensure(["holed"], required=False)] == ["absent-package"]
    assert "absent-package" in capsys.readouterr().err
    assert ran == []
