"""Detections as a table, as regions to crop, and their masks (MSK-1 to MSK-3)."""

from __future__ import annotations

from typing import Any

from openvino import opset13 as opset

from harness.chain.translate.ops import columns, concat, ints, named, reshape
from harness.errors import ConversionError


def translate_detection_rows(node: Any) -> list[Any]:
    """DetectionOutput's ``[1, 1, N * K, 7]`` as ``[N * K, 7]``."""
    return [named(reshape(node.get_input(0), -1, 7).get_node(), "reshape_do_2d").output(0)]


def translate_detection_regions(node: Any) -> list[Any]:
    """Regions ``[N * K, 5]`` (image, xmin, ymin, xmax, ymax) of rows ``[N * K, 7]``.

    The row that ends the detections has the image -1, and a crop would stop there or read outside of the features: it
    becomes image 0 with an empty box, like the rows after it.
    """
    image, _, _, *box = columns(node.get_input(0), 1, 7)
    sides = [opset.relu(image).output(0), *box]
    return [
        named(concat([opset.unsqueeze(side, ints(1)).output(0) for side in sides], 1).get_node(), "reshape_do").output(
            0
        )
    ]


def translate_masks(node: Any) -> list[Any]:
    """Masks ``[R, C, h, w]`` in 0 to 1 of predictions ``[R, h, w, C]``; one mask for all classes stands for each."""
    classes = int(node.get_attribute("num_classes"))
    logits = opset.transpose(node.get_input(0), ints(0, 3, 1, 2))
    channels = logits.get_output_partial_shape(0)[1]
    if channels.is_static and channels.get_length() not in {1, classes}:
        raise ConversionError(
            f"The mask head gives {channels.get_length()} masks a detection, for {classes} classes.",
            where="the predictions that the node 'masks' reads",
            advice="Give the pipeline.config that this model was exported with.",
            requirement="CFG-11",
        )
    masks = opset.sigmoid(logits)
    if channels.is_static and channels.get_length() == 1 < classes:
        masks = opset.tile(masks, ints(1, classes, 1, 1))
    return [named(masks, "masks").output(0)]
