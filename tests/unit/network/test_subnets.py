"""The layout of subnets: it may never move, since a moved subnet is a replaced one, with all that lives in it."""

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import cidr
from components.errors import InputError
from components.network import subnets

private_networks = st.builds(
    lambda outer, address, prefix: IPv4Network(
        (int(outer.network_address) + address % outer.num_addresses, max(prefix, outer.prefixlen)), strict=False
    ),
    st.sampled_from(cidr.PRIVATE),
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=subnets.LARGEST_VPC, max_value=subnets.SMALLEST_VPC),
)


@given(vpc=private_networks, data=st.data())
def test_subnets_lie_inside_the_vpc_apart_from_each_other_and_are_subnets_that_aws_makes(
    vpc: IPv4Network, data: st.DataObject
) -> None:
    zones = data.draw(st.integers(1, subnets.most_zones(vpc)))
    layout = subnets.lay_out("cidr", vpc, zones)
    assert len(layout) == zones
    every = [network for zone in layout for network in (zone.private, zone.public)]
    assert all(cidr.contains(vpc, network) for network in every), "a subnet outside of its VPC"
    assert not any(one.overlaps(other) for one, other in combinations(every, 2)), "two subnets share addresses"
    assert all(16 <= network.prefixlen <= 28 for network in every), "a subnet that AWS would refuse"
    assert all(zone.private.num_addresses >= 2 * zone.public.num_addresses for zone in layout), "nodes need the room"


@given(vpc=private_networks, data=st.data())
def test_a_zone_more_moves_no_subnet(vpc: IPv4Network, data: st.DataObject) -> None:
    most = subnets.most_zones(vpc)
    fewer, more = sorted(data.draw(st.tuples(st.integers(1, most), st.integers(1, most))))
    assert subnets.lay_out("cidr", vpc, more)[:fewer] == subnets.lay_out("cidr", vpc, fewer)


def test_a_16_lays_out_where_deployed_stacks_already_have_their_subnets() -> None:
    layout = subnets.lay_out("cidr", IPv4Network("10.20.0.0/16"), 6)
    assert [(str(zone.private), str(zone.public)) for zone in layout] == [
        ("10.20.0.0/19", "10.20.192.0/21"),
        ("10.20.32.0/19", "10.20.200.0/21"),
        ("10.20.64.0/19", "10.20.208.0/21"),
        ("10.20.96.0/19", "10.20.216.0/21"),
        ("10.20.128.0/19", "10.20.224.0/21"),
        ("10.20.160.0/19", "10.20.232.0/21"),
    ]


def test_a_24_lays_out_where_deployed_stacks_already_have_their_subnets() -> None:
    layout = subnets.lay_out("cidr", IPv4Network("10.20.30.0/24"), 4)
    assert [(str(zone.private), str(zone.public)) for zone in layout] == [
        ("10.20.30.0/27", "10.20.30.192/28"),
        ("10.20.30.32/27", "10.20.30.208/28"),
        ("10.20.30.64/27", "10.20.30.224/28"),
        ("10.20.30.96/27", "10.20.30.240/28"),
    ]


@pytest.mark.parametrize("zones", [5, 6])
def test_a_range_too_small_for_its_zones_is_refused_with_what_would_do(zones: int) -> None:
    with pytest.raises(InputError) as refused:
        subnets.lay_out("network.cidr", IPv4Network("10.20.30.0/24"), zones)
    assert str(refused.value) == (
        f"network.cidr: got '10.20.30.0/24', but it must be at least a /23 for {zones} zones. A /24 has room for the "
        "public subnets of 4 zones: AWS has no subnet smaller than a /28."
    )


@pytest.mark.parametrize("text", ["10.0.0.0/15", "10.0.0.0/25", "10.0.0.0/28"])
def test_a_vpc_larger_or_smaller_than_we_lay_out_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="be between a /16 and a /24"):
        subnets.lay_out("cidr", IPv4Network(text), 1)


@pytest.mark.parametrize("text", ["8.8.0.0/16", "172.32.0.0/16", "169.254.0.0/16", "127.0.0.0/16"])
def test_a_range_of_the_internet_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="lie in one of"):
        subnets.lay_out("cidr", IPv4Network(text), 1)
