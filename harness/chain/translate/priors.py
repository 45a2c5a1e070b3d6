"""Prior boxes in DetectionOutput's layout ``[1, 2, 4 P]``: XYXY values, then variances (PRI-1, PRI-2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from openvino import opset13 as opset
from openvino.utils.node_factory import NodeFactory

from harness.chain.translate.ops import concat, ints, named, reshape, spatial

if TYPE_CHECKING:
    from collections.abc import Sequence


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
