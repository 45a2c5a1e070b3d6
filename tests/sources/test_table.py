from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sources.crc32c import masked_crc32c
from harness.sources.table import MAGIC, TableError, read_table


def _varint(value):
    result = b""
    while value > 0x7F:
        result += bytes([value & 0x7F | 0x80])
        value >>= 7
    return result + bytes([value])


def _entry(shared, key, value):
    return _varint(shared) + _varint(len(key)) + _varint(len(value)) + key + value


def _block(*entries, kind=0):
    content = b"".join(entries) + (0).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes([kind])
    return content + masked_crc32c(content).to_bytes(4, "little")


def _handle(offset, block):
    return _varint(offset) + _varint(len(block) - 5)


def _table(*blocks):
    data, handles = b"", []
    for block in blocks:
        handles.append(_entry(0, b"\xff", _handle(len(data), block)))
        data += block
    meta, index = _block(), _block(*handles)
    footer = _handle(len(data), meta) + _handle(len(data) + len(meta), index)
    return data + meta + index + footer.ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


class TestReadTable:
    def test_shared_prefixes(self):
        """Keys are put together from the prefix that they share with the last one."""
        table = _table(_block(_entry(0, b"box/bias", b"1"), _entry(4, b"weights", b"2")), _block(_entry(0, b"z", b"")))

        assert read_table(table) == {b"box/bias": b"1", b"box/weights": b"2", b"z": b""}

    @pytest.mark.parametrize("cut", [1, 8, 47, 48, 49])
    def test_truncated(self, cut):
        """A table that lost its end is an error."""
        with pytest.raises(TableError):
            read_table(_table(_block(_entry(0, b"a", b"1")))[:-cut])

    def test_flipped(self):
        """A block that changed by a bit does not match its checksum."""
        table = bytearray(_table(_block(_entry(0, b"abc", b"1"))))
        table[4] ^= 1

        with pytest.raises(TableError, match="checksum"):
            read_table(bytes(table))

    def test_compressed(self):
        """A compressed block is named as such."""
        with pytest.raises(TableError, match="compressed"):
            read_table(_table(_block(_entry(0, b"a", b"1"), kind=1)))

    @pytest.mark.parametrize(
        "entry",
        [
            _entry(3, b"a", b""),  # shares more than there is
            _varint(0) + _varint(1 << 40) + _varint(0) + b"a",
            _varint(0) + _varint(1) + _varint(1 << 60) + b"a",
            b"\xff" * 20,
            _entry(0, b"a" * ((1 << 16) + 1), b""),
        ],
    )
    def test_outside(self, entry):
        """Entries that claim what is not there are errors."""
        with pytest.raises(TableError):
            read_table(_table(_block(_entry(0, b"a", b"1"), entry)))

    def test_swollen(self):
        """Prefixes cannot make a small file into more memory than any checkpoint's index needs."""
        entries = [_entry(0, b"k" * 60000, b""), *[_entry(60000, b"", b"") for _ in range(5000)]]

        with pytest.raises(TableError, match="longer than any"):
            read_table(_table(_block(*entries)))

    @given(st.binary(max_size=300))
    @settings(max_examples=300)
    def test_any_bytes(self, data):
        """Any bytes are a table or a TableError, also with a proper footer."""
        for candidate in (data, data + MAGIC.to_bytes(8, "little")):
            with contextlib.suppress(TableError):
                read_table(candidate)

    @given(st.binary(max_size=60))
    def test_any_block(self, content):
        """Any bytes with a right checksum are entries or a TableError."""
        block = content + b"\0"
        block += masked_crc32c(block).to_bytes(4, "little")

        with contextlib.suppress(TableError):
            read_table(_table(block))
