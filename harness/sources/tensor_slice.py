"""Slices of partitioned tensors: how a graph asks for one, how a checkpoint files one."""

from __future__ import annotations

from typing import NamedTuple

_FULL = -1


class Extent(NamedTuple):
    """One dimension of a slice; ``length`` is -1 for the whole dimension."""

    start: int = 0
    length: int = _FULL

    def bounds(self, size: int) -> tuple[int, int]:
        """First and last (exclusive) index in a dimension of ``size``."""
        return (0, size) if self.length == _FULL else (self.start, self.start + self.length)


TensorSlice = tuple[Extent, ...]


def parse_shape_and_slice(text: str) -> tuple[tuple[int, ...], TensorSlice] | None:
    """A restore op's ``"10 4 0,5:-"``: the whole tensor's shape and the slice; None for the empty string.

    ``ValueError`` when the text is neither.
    """
    if not text.strip():
        return None
    *sizes, spec = text.split()
    extents = []
    for part in spec.split(":"):
        if part == "-":
            extents.append(Extent())
        else:
            start, length = part.split(",")
            extents.append(Extent(int(start), int(length)))
    shape = tuple(int(size) for size in sizes)
    if len(shape) != len(extents):
        raise ValueError(f"{text!r} has {len(shape)} sizes and {len(extents)} slices")
    return shape, tuple(extents)


def slice_key(name: str, extents: TensorSlice) -> bytes:
    """The key under which a checkpoint's index files one slice of the tensor ``name``."""
    # The format escapes bytes 0 and 255, which tensor names in UTF-8 don't have.
    key = _unsigned(0) + name.encode() + b"\x00\x01" + _unsigned(len(extents))
    return key + b"".join(_signed(extent.start) + _signed(extent.length) for extent in extents)


def _unsigned(value: int) -> bytes:
    """A number in bytes that sort as it does: how many bytes, then the bytes, the highest first."""
    digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(digits)]) + digits


def _signed(value: int) -> bytes:
    """Likewise for a number that may be negative: the leading bits say sign and length, seven bits a byte are left."""
    magnitude = ~value if value < 0 else value
    length = max(1, magnitude.bit_length() // 7 + 1)
    # For n bytes, the n highest bits are ones and the next is zero; a negative number has all of it inverted.
    header = ((1 << length) - 1) << (7 * length)
    code = header | magnitude
    if value < 0:
        code ^= (1 << (8 * length)) - 1
    return code.to_bytes(length, "big")
