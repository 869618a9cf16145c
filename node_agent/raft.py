"""Where a raft log on disk ends, read from its files: docker's API does not say, least of all without a leader.

Swarm keeps etcd's write-ahead log and encrypts only the entries' payload, so term and index stand in the clear
(go.etcd.io/etcd wal/walpb: 8-byte little-endian frame length with padding bits above bit 56, then a protobuf Record
of type, crc and data; type 2 is an Entry with term = field 2, index = field 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ENTRY = 2


def last_entry(wal: Path) -> tuple[int, int]:
    """(term, index) of the newest entry in a WAL folder; (0, 0) when there is none."""
    best = (0, 0)
    for segment in sorted(wal.glob("*.wal"))[-2:]:
        for data in _records(segment.read_bytes()):
            fields = dict(_varints(data))
            best = max(best, (fields.get(2, 0), fields.get(3, 0)))
    return best


def _records(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(raw):
        field = int.from_bytes(raw[at : at + 8], "little")
        if field == 0:
            return  # preallocated, not written yet
        length = field & ((1 << 56) - 1)
        padding = (field >> 56) & 7 if field >> 63 else 0
        record = raw[at + 8 : at + 8 + length]
        if len(record) < length:
            return
        at += 8 + length + padding
        kind, data = 0, b""
        for number, value in _fields(record):
            if number == 1 and isinstance(value, int):
                kind = value
            elif number == 3 and isinstance(value, bytes):
                data = value
        if kind == ENTRY:
            yield data


def _varints(data: bytes) -> Iterator[tuple[int, int]]:
    for number, value in _fields(data):
        if isinstance(value, int):
            yield number, value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Protobuf fields of wire types 0 (varint) and 2 (bytes): all that these records have."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif key & 7 == 2:
            length, at = _varint(data, at)
            yield key >> 3, data[at : at + length]
            at += length
        else:
            return


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
        shift += 7
    return value, at
