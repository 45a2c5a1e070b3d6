"""Which height and width the converted model gets: what the caller asks for, seen through the image resizer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.errors import UsageError
from harness.pipeline.image_resizer import (
    ConditionalShapeResizer,
    FixedShapeResizer,
    ImageResizer,
    KeepAspectRatioResizer,
    PadToMultipleResizer,
)


def expected_input_size(resizer: ImageResizer, requested_shape: Sequence[int] | None) -> tuple[int, int]:
    """(height, width) in pixels of the model's input after the resizer was cut out (SHP-1 to SHP-5).

    ``requested_shape`` is ``[N, H, W, 3]`` or None. A resizer that keeps the aspect ratio scales the requested size,
    and pads it where it says so; one that leaves the size open needs a requested shape. A shape that makes no sense,
    or is missing where it is needed, is a :class:`UsageError`.
    """
    size = None if requested_shape is None else _spatial(requested_shape)
    if isinstance(resizer, FixedShapeResizer):
        return size or (resizer.height, resizer.width)
    if isinstance(resizer, KeepAspectRatioResizer):
        if resizer.pad_to_max_dimension:
            return resizer.max_dimension, resizer.max_dimension
        if size is None:
            return resizer.min_dimension, resizer.min_dimension
        return _positive(keep_aspect_ratio(*size, resizer.min_dimension, resizer.max_dimension), size)
    if size is None:
        raise UsageError(
            f"The model's resizer ({type(resizer).__name__}) leaves the input size open.",
            advice="Give the input shape, for example [1,480,640,3].",
            requirement="CLS-2",
        )
    if isinstance(resizer, ConditionalShapeResizer):
        return _positive(_conditional(resizer, *size), size)
    if isinstance(resizer, PadToMultipleResizer):
        step = resizer.multiple
        return -(-size[0] // step) * step, -(-size[1] // step) * step
    return size


def keep_aspect_ratio(height: int, width: int, min_dimension: int, max_dimension: int) -> tuple[int, int]:
    """Both sides scaled until the short one is ``min_dimension`` or the long one ``max_dimension`` (SHP-4)."""
    ratio = min(min_dimension / min(height, width), max_dimension / max(height, width))
    return round(height * ratio), round(width * ratio)


def _conditional(resizer: ConditionalShapeResizer, height: int, width: int) -> tuple[int, int]:
    if resizer.condition == "GREATER":
        longest = max(height, width)
        ratio = min(longest, resizer.size_threshold) / longest
    else:
        shortest = min(height, width)
        ratio = max(shortest, resizer.size_threshold) / shortest
    # This resizer truncates where the other rounds; a quotient that should be whole may fall a hair short of it.
    return math.floor(height * ratio + 1e-6), math.floor(width * ratio + 1e-6)


def _spatial(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) != 4 or any(int(side) != side or side < 1 for side in shape) or shape[3] not in (1, 3):
        raise UsageError(
            f"The input shape {list(shape)} is not [N, H, W, 3] with positive sizes.",
            advice="Give the shape in TensorFlow's order, for example [1,300,300,3].",
            requirement="SHP-6",
        )
    return int(shape[1]), int(shape[2])


def _positive(size: tuple[int, int], requested: tuple[int, int]) -> tuple[int, int]:
    if min(size) < 1:
        raise UsageError(
            f"An input of {requested[0]} x {requested[1]} would be scaled to {size[0]} x {size[1]}.",
            advice="Give a shape whose sides differ less.",
            requirement="SHP-6",
        )
    return size
