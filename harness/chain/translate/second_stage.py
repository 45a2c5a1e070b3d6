"""The second stage's detections in OpenVINO's operations: one DetectionOutput over the proposals (DET-1 to DET-5).

TensorFlow suppresses each class on its own, keeps at most so many of each, drops what has no area inside of the image
and then keeps the best of all. DetectionOutput knows neither the second nor the third of these, and is slow where
every proposal competes in every class. So NonMaxSuppression first selects what TensorFlow selects, everything that
cannot be among the best gets the score zero, and DetectionOutput sorts out the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13 as opset

from harness.chain.translate.ops import columns, concat, index, ints, named, number, reshape


def translate_second_stage(node: Any) -> list[Any]:
    """DetectionOutput's ``[1, 1, N * keep_top_k, 7]``.

    Inputs: box encodings ``[N * K, 4 * C]`` (or 4 for all classes together), class predictions ``[N * K, C + 1]`` in
    any shape of these sizes, boxes of proposals ``[N, K, 4]`` (XYXY), and 1.0 for each real one ``[N, K]``.
    """
    count = int(node.get_attribute("max_proposals"))
    classes = int(node.get_attribute("num_classes"))
    shared = bool(node.get_attribute("share_location"))
    proposals, valid = node.get_input(2), node.get_input(3)
    threshold = float(node.get_attribute("confidence_threshold"))
    nms_threshold = float(node.get_attribute("nms_threshold"))
    keep_top_k = int(node.get_attribute("keep_top_k"))
    clip_before = bool(node.get_attribute("clip_before_nms"))

    encodings = reshape(node.get_input(0), -1, count, 1 if shared else classes, 4)
    if node.get_attribute("swap_coordinates"):
        encodings = opset.gather(encodings, ints(1, 0, 3, 2), index(3)).output(0)
    variances = np.array(node.get_attribute("variances"), np.float32)
    scaled = opset.multiply(encodings, opset.constant(variances)).output(0)
    scores = _convert(reshape(node.get_input(1), -1, count, classes + 1), str(node.get_attribute("score_converter")))
    corners = _decode(scaled, proposals, clip=clip_before)
    scores = _select(
        scores,
        corners,
        valid,
        classes=classes,
        threshold=threshold,
        nms_threshold=nms_threshold,
        per_class=int(node.get_attribute("max_detections_per_class")),
        keep_top_k=keep_top_k,
        clip_before=clip_before,
    )
    locations = scaled
    if not shared:
        background = opset.multiply(opset.gather(scaled, ints(0), index(2)), number(0.0)).output(0)
        locations = concat([background, scaled], 2)
    detection_output = opset.detection_output(
        named(reshape(locations, 0, -1).get_node(), "detection_output/locations"),
        named(reshape(scores, 0, -1).get_node(), "detection_output/confidences"),
        named(reshape(proposals, 0, 1, -1).get_node(), "detection_output/proposals"),
        {
            "background_label_id": 0,
            "top_k": -1,
            "keep_top_k": [keep_top_k],
            "code_type": "caffe.PriorBoxParameter.CENTER_SIZE",
            "share_location": shared,
            "variance_encoded_in_target": True,
            "nms_threshold": nms_threshold,
            "confidence_threshold": threshold,
            "clip_before_nms": clip_before,
            "clip_after_nms": bool(node.get_attribute("clip_after_nms")),
            "decrease_label_id": False,
            "normalized": True,
        },
    )
    return [named(detection_output, "detection_output").output(0)]


def _convert(logits: Any, converter: str) -> Any:
    if converter == "SOFTMAX":
        return opset.softmax(logits, 2).output(0)
    return opset.sigmoid(logits).output(0) if converter == "SIGMOID" else logits


def _decode(encodings: Any, proposals: Any, *, clip: bool) -> list[Any]:
    """Corners xmin, ymin, xmax, ymax, each ``[N, K, C]``, of encodings ``[N, K, C, 4]`` that variances have scaled."""
    tx, ty, tw, th = columns(encodings, 3, 4)
    xmin, ymin, xmax, ymax = (opset.unsqueeze(side, ints(2)).output(0) for side in columns(proposals, 2, 4))
    corners = []
    for low, high, shift, size in ((xmin, xmax, tx, tw), (ymin, ymax, ty, th)):
        side = opset.subtract(high, low)
        centre = opset.add(opset.multiply(shift, side), opset.multiply(opset.add(low, high), number(0.5)))
        half = opset.multiply(opset.multiply(opset.exp(size), side), number(0.5))
        pair = [opset.subtract(centre, half), opset.add(centre, half)]
        corners.append([(opset.clamp(end, 0.0, 1.0) if clip else end).output(0) for end in pair])
    (left, right), (top, bottom) = corners
    return [left, top, right, bottom]


def _select(
    scores: Any,
    corners: list[Any],
    valid: Any,
    *,
    classes: int,
    threshold: float,
    nms_threshold: float,
    per_class: int,
    keep_top_k: int,
    clip_before: bool,
) -> Any:
    """``scores`` ``[N, K, C + 1]`` with zeros for everything that is not among TensorFlow's detections."""
    proposals = int(scores.get_partial_shape()[1].get_length())
    shared = corners[0].get_partial_shape()[2].get_length() == 1 != classes
    foreground = opset.gather(scores, ints(*range(1, classes + 1)), index(2))
    real = opset.multiply(foreground, opset.unsqueeze(valid, ints(2))).output(0)
    inside = [opset.clamp(side, 0.0, 1.0).output(0) for side in corners]
    area = opset.logical_and(opset.greater(inside[2], inside[0]), opset.greater(inside[3], inside[1])).output(0)
    if clip_before:
        real = opset.select(area, real, number(0.0)).output(0)
    by_class = opset.transpose(real, ints(0, 2, 1)).output(0)  # [N, C, K]
    xmin, ymin, xmax, ymax = (opset.transpose(side, ints(0, 2, 1)).output(0) for side in corners)
    boxes = concat([opset.unsqueeze(side, ints(3)).output(0) for side in (ymin, xmin, ymax, xmax)], 3)
    flat = reshape(by_class, -1)
    selected = opset.non_max_suppression(
        reshape(boxes, -1, proposals, 4),
        by_class if shared else reshape(by_class, -1, 1, proposals),
        index(per_class),
        number(nms_threshold),
        number(threshold),
        box_encoding="corner",
        sort_result_descending=False,
        output_type="i64",
    ).output(0)
    batch, label, place = columns(selected, 1, 3)
    if shared:
        batch = opset.add(opset.multiply(batch, index(classes)), label).output(0)
    places = opset.add(opset.multiply(batch, index(proposals)), place).output(0)
    kept = opset.scatter_elements_update(
        opset.multiply(flat, number(0.0)), places, opset.gather(flat, places, index(0)), index(0)
    ).output(0)
    kept = opset.transpose(reshape(kept, -1, classes, proposals), ints(0, 2, 1)).output(0)
    if not clip_before:
        kept = opset.select(area, kept, number(0.0)).output(0)
    if classes * proposals > keep_top_k:
        best = opset.topk(reshape(kept, 0, -1), index(keep_top_k), 1, "max", "value", "i32")
        bound = opset.reduce_min(best.output(0), ints(1), keep_dims=True)
        enough = opset.greater_equal(kept, opset.unsqueeze(bound, ints(2)))
        kept = opset.select(enough, kept, number(0.0)).output(0)
    background = opset.multiply(opset.gather(scores, ints(0), index(2)), number(0.0)).output(0)
    return concat([background, kept], 2)
