"""Component names that AWS would refuse are refused at preview."""

import pytest

from components.errors import InputError
from components.naming import check_component_name, is_pool_name


@pytest.mark.parametrize("name", ["swarm", "a", "swarm-2", "abcdefghijklmnopq"])
def test_a_name_that_fits_every_resource_is_taken(name: str) -> None:
    check_component_name(name)
    longest = f"{name}-p65535-1234567"
    assert len(longest) <= 32, "a target group's name has 32 characters at most"


@pytest.mark.parametrize("name", ["", "Swarm", "2swarm", "swarm-", "sw--arm", "swarm_1", "abcdefghijklmnopqr"])
def test_a_name_that_fits_not_every_resource_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=r"^name: got"):
        check_component_name(name)


@pytest.mark.parametrize(
    ("name", "is_name"),
    [("web", True), ("1", True), ("web-1", True), ("", False), ("Web", False), ("web-", False), ("w" * 33, False)],
)
def test_pool_names_are_lower_case_words(name: str, is_name: bool) -> None:
    assert is_pool_name(name) is is_name
