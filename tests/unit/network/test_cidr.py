"""IPv4 ranges: reading, cutting, finding free ones."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import cidr
from components.errors import InputError

networks = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False),
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=8, max_value=28),
)


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.1/16", "10.0.0.0/33", "banana/8", "::/0", "10.0.0/8", ""])
def test_what_is_no_ipv4_range_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match=r"^network\.cidr: got .* must be an IPv4 range such as") as refused:
        cidr.parse("network.cidr", text)
    assert refused.value.got == text


def test_a_range_is_read_as_it_stands() -> None:
    assert cidr.parse("cidr", "10.20.0.0/16") == IPv4Network("10.20.0.0/16")


@given(outer=networks, extra=st.integers(min_value=0, max_value=4), data=st.data())
def test_a_cut_is_the_one_that_ipaddress_would_list(outer: IPv4Network, extra: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(min_value=0, max_value=2**extra - 1))
    assert cidr.cut(outer, outer.prefixlen + extra, index) == list(outer.subnets(prefixlen_diff=extra))[index]


@pytest.mark.parametrize(("prefix", "index"), [(15, 0), (33, 0), (17, 2), (17, -1)])
def test_a_cut_outside_of_the_range_is_refused(prefix: int, index: int) -> None:
    with pytest.raises(ValueError, match="has no"):
        cidr.cut(IPv4Network("10.0.0.0/16"), prefix, index)


@given(candidates=st.lists(networks, max_size=3), taken=st.lists(networks, max_size=6), prefix=st.integers(8, 28))
def test_a_free_range_is_free_and_inside_a_candidate(
    candidates: list[IPv4Network], taken: list[IPv4Network], prefix: int
) -> None:
    found = cidr.first_free(candidates, taken, prefix)
    if found is None:
        return
    assert found.prefixlen == prefix
    assert any(cidr.contains(candidate, found) for candidate in candidates)
    assert not any(found.overlaps(network) for network in taken)


@given(taken=st.lists(st.integers(0, 15), max_size=16), prefix=st.integers(20, 24))
def test_the_first_free_range_is_found_whenever_there_is_one(taken: list[int], prefix: int) -> None:
    candidate = IPv4Network("10.0.0.0/16")
    blocks = [cidr.cut(candidate, 20, index) for index in taken]
    expected = next((n for n in candidate.subnets(new_prefix=prefix) if not any(n.overlaps(b) for b in blocks)), None)
    assert cidr.first_free([candidate], blocks, prefix) == expected


def test_candidates_are_tried_in_their_order() -> None:
    candidates = [IPv4Network("10.128.0.0/12"), IPv4Network("10.0.0.0/8")]
    assert cidr.first_free(candidates, [IPv4Network("10.128.0.0/9")], 12) == IPv4Network("10.0.0.0/12")
    assert cidr.first_free(candidates, [IPv4Network("10.0.0.0/8")], 12) is None


def test_an_overlap_is_named() -> None:
    others = {"docker0": IPv4Network("172.17.0.0/16"), "the VPC": IPv4Network("10.20.0.0/16")}
    assert cidr.first_overlap(IPv4Network("10.20.30.0/24"), others) == "the VPC"
    assert cidr.first_overlap(IPv4Network("10.21.0.0/24"), others) is None
