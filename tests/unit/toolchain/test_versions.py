"""Versions: reading them out of programs' answers and comparing them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain import build, paths, versions

NUMBERS = st.lists(st.integers(0, 999), min_size=2, max_size=4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v3.259.0", (3, 259, 0)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("3.260.0-alpha.1+dirty", (3, 260, 0)),
        ("uv 0.13.9 (x86_64-unknown-linux-gnu)", (0, 13, 9)),
    ],
)
def test_a_version_is_read_out_of_what_programs_print(text, expected):
    assert versions.parse(text) == expected


def test_a_text_without_a_version_is_refused_with_the_text():
    with pytest.raises(ValueError, match="'unknown'"):
        versions.parse("unknown")


@pytest.mark.parametrize(
    ("got", "minimum", "enough"),
    [
        ("3.259.0", "3.259.0", True),
        ("3.300.0", "3.259.9", True),
        ("3.99.0", "3.259.0", False),
        ("4.0", "3.259.0", True),
        ("3.258.99", "3.259.0", False),
        ("1.26", "1.26.0", True),
    ],
)
def test_versions_are_compared_by_number_not_by_letter(got, minimum, enough):
    assert versions.at_least(got, minimum) is enough


@given(NUMBERS, NUMBERS)
def test_of_two_versions_one_is_at_least_the_other(one, other):
    first, second = ".".join(map(str, one)), ".".join(map(str, other))
    assert versions.at_least(first, second) or versions.at_least(second, first)


def test_go_mod_names_go_and_its_modules():
    text = "module x\n\ngo 1.26\n\nrequire a.example/b v1.2.3\n\nrequire (\n\ta.example/b/v3 v3.4.5 // indirect\n)\n"
    assert versions.go_mod_version(text) == "1.26"
    assert versions.go_mod_version(text, "a.example/b") == "v1.2.3"
    assert versions.go_mod_version(text, "a.example/b/v3") == "v3.4.5"
    with pytest.raises(ValueError, match=r"a\.example/c"):
        versions.go_mod_version(text, "a.example/c")


def test_the_engine_that_is_built_is_one_that_would_be_accepted_on_path():
    assert versions.at_least(build.version(), versions.ENGINE_MINIMUM)


def test_the_installers_engine_is_the_version_of_the_locked_sdk():
    sdk = versions.pinned(paths.LOCK.read_text(), "pulumi")
    assert sdk == versions.ENGINE_INSTALL, "engine and SDK are released together; change versions.py with the lock"
