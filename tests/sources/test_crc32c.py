from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

from harness.sources.crc32c import crc32c, masked_crc32c


class TestCrc32c:
    def test_check_value(self):
        """The check value of the CRC catalogue comes out."""
        assert crc32c(b"123456789") == 0xE3069283

    @given(st.binary(max_size=200))
    def test_small(self, data):
        """Short data of any length agrees with a byte-wise implementation."""
        assert masked_crc32c(data) == pywrap_tensorflow.masked_crc32c(data)

    @pytest.mark.parametrize("extra", [-5, -4, -1, 0, 1, 3, 4, 1000])
    def test_blocks(self, extra):
        """Data around the size of a block, where remainders are handed on, agrees too."""
        data = bytes(range(251)) * ((1 << 20) // 251 + 10)
        data = data[: (1 << 20) + extra]

        assert masked_crc32c(data) == pywrap_tensorflow.masked_crc32c(data)

    @given(st.binary(min_size=1, max_size=200), st.data())
    def test_one_bit(self, data, draw):
        """A single bit that changed changes the checksum."""
        position = draw.draw(st.integers(0, len(data) - 1))
        bit = draw.draw(st.integers(0, 7))
        damaged = bytearray(data)
        damaged[position] ^= 1 << bit

        assert crc32c(data) != crc32c(bytes(damaged))
