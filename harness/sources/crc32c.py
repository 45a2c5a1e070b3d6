"""CRC-32C (Castagnoli) of large buffers with NumPy, as checkpoints store it.

A CRC is linear: the remainder of two neighbouring blocks is the left one's, moved past the right one, plus the right
one's. So remainders of single words are combined pairwise, level by level, with two table look-ups a pair, which is
fast enough (hundreds of megabytes a second) to check every tensor of a checkpoint.
"""

from __future__ import annotations

import functools

import numpy as np

_POLYNOMIAL = 0x82F63B78  # reflected
_ONES = 0xFFFFFFFF
_WORDS = 1 << 18  # words combined in one go: 1 MiB, which stays in the processor's cache
_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes | memoryview) -> int:
    """The CRC-32C of the data."""
    view = memoryview(data).cast("B")
    remainder = _ONES
    position = 0
    while position < len(view):
        block = view[position : position + 4 * _WORDS]
        # The running remainder is what would have come before: it adds to the block's first four bytes.
        remainder = _block(remainder, block)
        position += len(block)
    return remainder ^ _ONES


def masked_crc32c(data: bytes | memoryview) -> int:
    """The CRC-32C in the masked form in which it is written beside the data that it covers."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ONES


def _block(remainder: int, block: memoryview) -> int:
    if len(block) < 4:
        for byte in block:
            remainder = remainder >> 8 ^ int(_byte_table()[(remainder ^ byte) & 0xFF])
        return remainder
    count = -(-len(block) // 4)
    size = 1 << (count - 1).bit_length()
    # Zeros in front change nothing, once the remainder has been added to the data itself.
    padded = np.zeros(4 * size, np.uint8)
    start = 4 * size - len(block)
    padded[start:] = np.frombuffer(block, np.uint8)
    padded[start : start + 4] ^= np.frombuffer(remainder.to_bytes(4, "little"), np.uint8)
    words = padded.view("<u4")
    level = 0
    while len(words) > 1:
        words = _shift(words[0::2], level) ^ words[1::2]
        level += 1
    return int(_shift(words, 0)[0])


def _shift(words: np.ndarray, level: int) -> np.ndarray:
    """Remainders moved past ``4 * 2**level`` zero bytes."""
    low, high = _tables(level)
    moved: np.ndarray = low[words & 0xFFFF] ^ high[words >> 16]
    return moved


@functools.cache
def _tables(level: int) -> tuple[np.ndarray, np.ndarray]:
    basis = _basis(level)
    return _span(basis[:16]), _span(basis[16:])


@functools.cache
def _basis(level: int) -> tuple[int, ...]:
    """Where each single bit goes when it is moved past ``4 * 2**level`` zero bytes."""
    if level == 0:
        images = []
        for bit in range(32):
            value = 1 << bit
            for _ in range(32):
                value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
            images.append(value)
        return tuple(images)
    half = _basis(level - 1)
    return tuple(_apply(half, image) for image in half)


def _apply(basis: tuple[int, ...], value: int) -> int:
    result = 0
    for bit, image in enumerate(basis):
        if value >> bit & 1:
            result ^= image
    return result


def _span(basis: tuple[int, ...]) -> np.ndarray:
    table = np.zeros(1, np.uint32)
    for image in basis:
        table = np.concatenate([table, table ^ np.uint32(image)])
    return table


@functools.cache
def _byte_table() -> np.ndarray:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901 - the remainder takes its place
        table.append(value)
    return np.array(table, np.uint32)
