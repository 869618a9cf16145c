"""IPv4 ranges: read, compared and cut, with no Pulumi in it."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from components.errors import InputError

PRIVATE = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
)
"""Ranges that nobody on the internet answers from. Source: RFC 1918, RFC 6598, RFC 2544."""


def parse(path: str, text: str) -> IPv4Network:
    """Read a range in CIDR notation.

    Args:
        path: dotted path of the argument, for the error.
        text: for example ``10.20.0.0/16``.

    Raises:
        InputError: not an IPv4 range, no prefix length, or an address inside the range in place of its first.
    """
    rule = "be an IPv4 range such as 10.20.0.0/16"
    if "/" not in text:
        raise InputError(path, text, rule, "Without a prefix length it would mean a single address.")
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise InputError(path, text, rule, f"{str(error).capitalize()}.") from error


def contains(outer: IPv4Network, inner: IPv4Network) -> bool:
    """Whether every address of ``inner`` is one of ``outer``."""
    return inner.subnet_of(outer)


def first_overlap(network: IPv4Network, others: Mapping[str, IPv4Network]) -> str | None:
    """Name of the first of ``others`` that shares an address with ``network``; None when none does."""
    return next((name for name, other in others.items() if network.overlaps(other)), None)


def cut(outer: IPv4Network, prefix: int, index: int) -> IPv4Network:
    """The range number ``index``, counted from 0, of those with length ``prefix`` that ``outer`` divides into.

    Raises:
        ValueError: ``outer`` has no such range.
    """
    if prefix < outer.prefixlen or prefix > outer.max_prefixlen or not 0 <= index < 2 ** (prefix - outer.prefixlen):
        raise ValueError(f"{outer} has no /{prefix} number {index}")
    return IPv4Network((int(outer.network_address) + index * 2 ** (outer.max_prefixlen - prefix), prefix))


def first_free(candidates: Iterable[IPv4Network], taken: Iterable[IPv4Network], prefix: int) -> IPv4Network | None:
    """The first range of length ``prefix`` inside ``candidates``, in their order, that overlaps none of ``taken``.

    Blocks that are taken are jumped over, not walked through, so a large candidate costs no more than a small one.

    Returns:
        None when everything is taken or no candidate is large enough.
    """
    blocked = sorted(taken, key=lambda network: int(network.broadcast_address))
    size = 2 ** (IPv4Network("0.0.0.0/0").max_prefixlen - prefix)
    for candidate in candidates:
        start = int(candidate.network_address)
        while start + size - 1 <= int(candidate.broadcast_address):
            found = IPv4Network((start, prefix))
            obstacle = next((network for network in reversed(blocked) if network.overlaps(found)), None)
            if obstacle is None:
                return found
            start += size * ((int(obstacle.broadcast_address) - start) // size + 1)
    return None
