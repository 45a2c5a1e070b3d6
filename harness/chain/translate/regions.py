"""Crops of regions in OpenVINO's operations: ROIPooling and PSROIPooling with TensorFlow's sampling (MSK-1, PSR-1).

TensorFlow's CropAndResize samples ``(H - 1)`` rows from a box's first edge to its last, as ROIPooling's bilinear method
does with normalised coordinates; what falls outside of the feature map is zero in both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13 as opset

from harness.chain.translate.ops import columns, concat, index, ints, named, number, reshape


def translate_crop_proposals(node: Any) -> list[Any]:
    """Regions ``[N * K, 5]`` as boxes ``[N, K, 4]``, in XYXY order as OpenVINO has it (PRO-3)."""
    count = int(node.get_attribute("max_proposals"))
    sides = columns(node.get_input(0), 1, 5)[1:]
    boxes = concat([reshape(side, -1, count, 1) for side in sides], 2)
    return [
        named(opset.reshape(boxes, ints(0, 0, 4), special_zero=True), str(node.get_attribute("name_in_model"))).output(
            0
        )
    ]


def translate_swap_boxes(node: Any) -> list[Any]:
    """Boxes ``[N, K, 4]`` in TensorFlow's YXYX order, for TensorFlow's operations that follow (PRO-3)."""
    return [opset.gather(node.get_input(0), ints(1, 0, 3, 2), index(2)).output(0)]


def translate_roi_pooling(node: Any) -> list[Any]:
    """Crops ``[R, h, w, C]`` of features ``[N, H, W, C]`` along regions ``[R, 5]``."""
    features, regions = node.get_input(0), node.get_input(1)
    height, width = int(node.get_attribute("crop_height")), int(node.get_attribute("crop_width"))
    channels_first = opset.transpose(features, ints(0, 3, 1, 2))
    pooled = opset.roi_pooling(
        channels_first,
        _over_the_edge(regions, features, (height, width)),
        np.array([height, width], np.int64),
        np.float32(1.0),
        "bilinear",
    )
    named(pooled, str(node.get_attribute("pooling_name")))
    return [opset.transpose(pooled, ints(0, 2, 3, 1)).output(0)]


def translate_psroi_pooling(node: Any) -> list[Any]:
    """The means of position-sensitive crops of score maps ``[N, H, W, bins * C]`` along regions ``[R, 5]``.

    ``[N, K, 1, 1, C]`` with ``per_image`` = K, or ``[R, 1, 1, C]``: what TensorFlow's mean leaves.
    """
    channels, per_image = int(node.get_attribute("output_dim")), int(node.get_attribute("per_image"))
    pooled = opset.psroi_pooling(
        opset.transpose(node.get_input(0), ints(0, 3, 1, 2)),
        node.get_input(1),
        channels,
        int(node.get_attribute("group_size")),
        1.0,
        int(node.get_attribute("bins_x")),
        int(node.get_attribute("bins_y")),
        "bilinear",
    )
    mean = opset.reduce_mean(pooled, ints(2, 3), keep_dims=False)
    shape = (-1, per_image, 1, 1, channels) if per_image else (-1, 1, 1, channels)
    return [reshape(mean, *shape)]


def _over_the_edge(regions: Any, features: Any, crop: tuple[int, int]) -> Any:
    """Regions whose far edge lies as far beyond the image's as TensorFlow's rounding puts it.

    TensorFlow adds up steps to get the last row, and for some sizes of map and crop the sum of a box over the whole
    image is a hair too much: then its last row is outside, and zero. ROIPooling takes the far edge itself.
    """
    image, xmin, ymin, xmax, ymax = columns(regions, 1, 5)
    size = opset.shape_of(features, "i64")
    ends = []
    for low, high, axis, steps in ((xmin, xmax, 2, crop[1] - 1), (ymin, ymax, 1, crop[0] - 1)):
        if steps < 1:
            ends.append(high)
            continue
        last = opset.subtract(opset.convert(opset.gather(size, index(axis), index(0)), "f32"), number(1.0))
        summed = opset.multiply(opset.divide(last, number(float(steps))), number(float(steps)))
        whole = opset.logical_and(opset.equal(low, number(0.0)), opset.equal(high, number(1.0)))
        beyond = number(float(np.nextafter(np.float32(1.0), np.float32(2.0))))
        ends.append(opset.select(opset.logical_and(whole, opset.greater(summed, last)), beyond, high).output(0))
    return concat([opset.unsqueeze(side, ints(1)).output(0) for side in (image, xmin, ymin, ends[0], ends[1])], 1)
