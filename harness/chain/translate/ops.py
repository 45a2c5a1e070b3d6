"""Small words over OpenVINO's opset: constants by value, and a box tensor taken apart without Slice or wide Gather.

Two kernels of the CPU plugin (2026.4) read past their buffers on such tensors: Gather along a batch with more than one
element a row, and Slice of a tensor's tail. The helpers keep to forms that were run many times without a fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from openvino import opset13 as opset

if TYPE_CHECKING:
    from collections.abc import Sequence

Output = Any


def ints(*values: int) -> Output:
    return opset.constant(np.array(values, np.int64))


def index(value: int) -> Output:
    return opset.constant(np.int64(value))


def number(value: float) -> Output:
    return opset.constant(np.float32(value))


def reshape(data: Output, *shape: int) -> Output:
    """Reshape in which 0 keeps a dimension and -1 takes what is left, so that the IR keeps its freedom (PRI-5)."""
    return opset.reshape(data, ints(*shape), special_zero=True).output(0)


def concat(parts: Sequence[Output], axis: int) -> Output:
    return parts[0] if len(parts) == 1 else opset.concat(list(parts), axis).output(0)


def columns(data: Output, axis: int, count: int) -> list[Output]:
    """A tensor's entries along an axis, each without that axis."""
    parts = opset.split(data, index(axis), count)
    return [opset.squeeze(parts.output(position), ints(axis)).output(0) for position in range(count)]


def spatial(data: Output) -> Output:
    """``[height, width]`` of an NHWC tensor."""
    return opset.gather(opset.shape_of(data, "i64"), ints(1, 2), index(0)).output(0)


def named(node: Any, name: str) -> Any:
    node.set_friendly_name(name)
    return node
