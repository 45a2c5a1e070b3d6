"""The sorted string table that holds a checkpoint's index: keys and values in blocks, each with a checksum."""

from __future__ import annotations

from collections.abc import Iterator

from harness.sources.crc32c import masked_crc32c

MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_TRAILER = 5  # one byte of compression type, four of checksum
# Keys share prefixes, so a small damaged file could ask for any amount of memory.
_LONGEST_KEY = 1 << 16
_ALL_KEYS = 1 << 28


class TableError(Exception):
    """The table is damaged; the message says how."""


def is_table(data: bytes) -> bool:
    """Whether the data ends as a table does."""
    return len(data) >= _FOOTER and int.from_bytes(data[-8:], "little") == MAGIC


def read_table(data: bytes) -> dict[bytes, bytes]:
    """All entries of the table, in its order; :class:`TableError` when it is truncated or damaged."""
    if len(data) < _FOOTER:
        raise TableError(f"it has {len(data)} bytes, fewer than the {_FOOTER} of a footer")
    if not is_table(data):
        raise TableError("its footer has no table's magic number, so it was truncated or is something else")
    _, _, position = _handle(data, len(data) - _FOOTER)
    offset, size, _ = _handle(data, position)
    entries: dict[bytes, bytes] = {}
    total = 0
    for _, value in _entries(_block(data, offset, size)):
        block_offset, block_size, _ = _handle(value, 0)
        for key, content in _entries(_block(data, block_offset, block_size)):
            total += len(key)
            if total > _ALL_KEYS:
                raise TableError("its keys are longer than any checkpoint's")
            entries[key] = content
    return entries


def _handle(data: bytes, position: int) -> tuple[int, int, int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return offset, size, position


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER > len(data) - _FOOTER:
        raise TableError(f"a block of {size} bytes at {offset} lies outside of the file")
    if data[end] != 0:
        raise TableError(f"the block at {offset} is compressed (type {data[end]}), which checkpoints are not")
    if int.from_bytes(data[end + 1 : end + _TRAILER], "little") != masked_crc32c(data[offset : end + 1]):
        raise TableError(f"the block at {offset} does not match its checksum")
    return data[offset:end]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    restarts = int.from_bytes(block[-4:], "little") if len(block) >= 4 else 0
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise TableError("a block has more restart points than bytes")
    key = b""
    position = 0
    while position < end:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + fresh + length > end or shared + fresh > _LONGEST_KEY:
            raise TableError("an entry reaches beyond its block")
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise TableError("a number does not end")
