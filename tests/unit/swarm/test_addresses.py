"""Overlay networks beside the VPC."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.swarm import addresses


@given(prefix=st.integers(16, 28), address=st.integers(0, 2**32 - 1))
def test_the_default_pool_meets_neither_the_vpc_nor_dockers_bridges(prefix: int, address: int) -> None:
    vpc = ipaddress.IPv4Network((address, prefix), strict=False)
    (pool,) = addresses.default_pools(str(vpc))
    assert not ipaddress.IPv4Network(pool).overlaps(vpc)
    assert not any(ipaddress.IPv4Network(pool).overlaps(local) for local in addresses.LOCAL_RANGES.values())


def test_the_default_pool_of_the_default_vpc_stays() -> None:
    assert addresses.default_pools("10.20.0.0/16") == ["10.128.0.0/12"], "another one would replace every manager"


@pytest.mark.parametrize(
    ("cidr", "is_public"),
    [
        ("10.1.0.0/16", False),
        ("192.168.1.0/24", False),
        ("100.64.0.0/10", False),
        ("203.0.113.0/24", True),
        ("0.0.0.0/0", True),
    ],
)
def test_who_comes_over_the_internet(cidr: str, is_public: bool) -> None:
    assert addresses.is_public(cidr) is is_public
