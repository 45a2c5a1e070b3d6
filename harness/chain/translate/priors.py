"""Prior boxes in DetectionOutput's layout ``[1, 2, 4 P]``: XYXY values, then variances (PRI-1, PRI-2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from openvino import opset13 as opset
from openvino.utils.node_factory import NodeFactory

from harness.chain.translate.ops import concat, index, ints, named, number, reshape, spatial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.chain.ssd.anchors import AnchorGrid


def clustered(
    feature_map: Any,
    image_size: Any,
    *,
    widths: Sequence[float],
    heights: Sequence[float],
    stride: tuple[float, float],
    offset: float,
    variances: Sequence[float],
    name: str,
    clip: bool = False,
) -> Any:
    """One feature map's priors as PriorBoxClustered ``[2, 4 P]``, clipped to the image where asked for.

    ``stride`` (height, width) in pixels; zero lets the operation divide the image evenly. Sizes are in pixels of the
    image that ``image_size`` (height, width) describes.
    """
    attributes = {
        "width": [float(width) for width in widths],
        "height": [float(height) for height in heights],
        "clip": clip,
        "step_h": float(stride[0]),
        "step_w": float(stride[1]),
        "offset": float(offset),
        "variance": [float(variance) for variance in variances],
    }
    # The opset's own function refuses an offset of zero, which the operation takes.
    created = NodeFactory("opset1").create("PriorBoxClustered", [spatial(feature_map), image_size], attributes)
    return named(created, name)


def on_grid(
    feature_map: Any,
    image_size: Any,
    grid: AnchorGrid,
    *,
    trained: Any | None = None,
    variances: Sequence[float],
    name: str,
) -> Any:
    """One feature map's priors ``[2, 4 P]``: PriorBoxClustered, and behind it what it has no attribute for.

    ``image_size`` and ``trained`` are (height, width), int64 ``[2]``. Anchors keep their pixels; where ``trained`` is
    given they keep their share of an image of that size instead, and their centres go with the cells either way.
    """
    vertical, horizontal = grid.offset
    # The operation has one offset for both sides, whatever the image's size.
    plain = vertical == horizontal and not grid.fills
    priors = clustered(
        feature_map,
        image_size if trained is None else trained,
        widths=grid.widths,
        heights=grid.heights,
        stride=grid.stride,
        offset=horizontal if plain else 0.0,
        variances=variances,
        name=name,
    ).output(0)
    stretch = None
    if trained is not None and grid.stride != (0.0, 0.0):  # strides are pixels of the image that is fed
        stretch = opset.divide(opset.convert(trained, "f32"), opset.convert(image_size, "f32"))
    if plain and stretch is None:
        return priors
    return _moved(priors, None if plain else _first_centre(image_size, grid), stretch)


def _first_centre(image_size: Any, grid: AnchorGrid) -> Any:
    """Where the first cell's centre lies, (y, x) in shares of the image, float32 ``[2]``."""
    centre = opset.constant(np.array(grid.offset, np.float32) * np.array(grid.stride, np.float32))
    if grid.fills:
        strides = opset.constant(np.array(grid.stride, np.int64))
        divides = opset.equal(opset.mod(image_size, strides), index(0))
        single = opset.equal(image_size, index(1))
        centre = opset.multiply(centre, opset.convert(opset.logical_or(divides, single), "f32"))
    return opset.divide(centre, opset.convert(image_size, "f32"))


def _moved(priors: Any, shift: Any | None, stretch: Any | None) -> Any:
    """Priors whose centres are multiplied by ``stretch`` and then moved by ``shift``, each (y, x); sizes stay."""
    rows = opset.split(priors, index(0), 2)
    boxes = opset.reshape(rows.output(0), ints(-1, 4), special_zero=False)
    both = ints(1, 0, 1, 0)
    if stretch is not None:
        opposite = opset.gather(boxes, ints(2, 3, 0, 1), index(1))
        centres = opset.multiply(opset.add(boxes, opposite), number(0.5))
        growth = opset.subtract(opset.gather(stretch, both, index(0)), number(1.0))
        boxes = opset.add(boxes, opset.multiply(centres, growth))
    if shift is not None:
        boxes = opset.add(boxes, opset.gather(shift, both, index(0)))
    flat = opset.reshape(boxes, ints(1, -1), special_zero=False)
    return opset.concat([flat, rows.output(1)], 0).output(0)


def in_one(parts: Sequence[Any]) -> Any:
    """All feature maps' priors as one tensor ``[1, 2, 4 P]``."""
    return reshape(concat(list(parts), 1), 1, 2, -1)


def from_anchors(anchors: Any, variances: Sequence[float]) -> Any:
    """Priors from TensorFlow's anchors ``[P, 4]`` (YXYX, normalised) where they are no known grid (PRI-2)."""
    order = ints(1, 0, 3, 2)
    boxes = opset.gather(anchors, order, opset.constant(np.int64(1)))
    values = reshape(boxes, 1, -1)
    spread = opset.broadcast(opset.constant(np.array(variances, np.float32)), opset.shape_of(boxes, "i64"))
    both = concat([values, reshape(spread, 1, -1)], 0)
    return opset.unsqueeze(both, ints(0)).output(0)
