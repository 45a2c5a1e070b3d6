"""An SSD's post-processing in OpenVINO's operations: flattened heads, priors, score converter, DetectionOutput."""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13 as opset

from harness.chain.ssd.anchors import AnchorGrid
from harness.chain.translate import priors as prior_boxes
from harness.chain.translate.capping import cap_per_class
from harness.chain.translate.ops import concat, index, ints, named, number, reshape, spatial
from harness.chain.translate.pruning import SCORE_THRESHOLD, decode, drop_invisible, prune_scores


def translate_ssd(node: Any) -> list[Any]:
    """The outputs of one SsdDetectionOutput node: DetectionOutput's ``[1, 1, N * keep_top_k, 7]`` (SSD-1, SSD-2)."""
    levels = int(node.get_attribute("levels"))
    boxes = [node.get_input(position) for position in range(levels)]
    classes = [node.get_input(levels + position) for position in range(levels)]
    image = node.get_input(2 * levels)
    columns = int(node.get_attribute("columns"))
    variances = [float(value) for value in node.get_attribute("variances")]

    encodings = concat([reshape(level, 0, -1, 4) for level in boxes], 1)
    logits = concat([reshape(level, 0, -1, columns) for level in classes], 1)
    scores = _convert(logits, node)
    if node.get_attribute("constant_priors"):
        priors = prior_boxes.from_anchors(node.get_input(2 * levels + 1), variances)
    else:
        priors = _clustered(node, boxes, image, variances)

    num_classes = int(node.get_attribute("num_classes"))
    threshold = float(node.get_attribute("confidence_threshold"))
    keep_top_k = int(node.get_attribute("keep_top_k"))
    per_class = int(node.get_attribute("max_detections_per_class"))
    nms_threshold = float(node.get_attribute("nms_threshold"))
    clip_before = bool(node.get_attribute("clip_before_nms"))
    common: dict[str, Any] = {"classes": num_classes, "background": columns > num_classes}
    drops_invisible = bool(node.get_attribute("drops_invisible"))
    if drops_invisible or per_class < keep_top_k or threshold < SCORE_THRESHOLD:
        corners = decode(encodings, priors, variances, clip=clip_before)
    if drops_invisible:
        scores = drop_invisible(scores, corners)
    if per_class < keep_top_k:
        scores = cap_per_class(
            scores, corners, threshold=threshold, per_class=per_class, nms_threshold=nms_threshold, **common
        )
    elif threshold < SCORE_THRESHOLD:
        scores = prune_scores(
            scores, corners, keep_top_k=keep_top_k, nms_threshold=nms_threshold, dense=drops_invisible, **common
        )
    detection_output = opset.detection_output(
        named(reshape(encodings, 0, -1).get_node(), "DetectionOutput/locations"),
        named(reshape(scores, 0, -1).get_node(), "DetectionOutput/confidences"),
        priors,
        {
            "background_label_id": 0 if columns > num_classes else -1,
            "top_k": -1,
            "keep_top_k": [keep_top_k],
            "code_type": "caffe.PriorBoxParameter.CENTER_SIZE",
            "share_location": True,
            "variance_encoded_in_target": False,
            "nms_threshold": nms_threshold,
            "confidence_threshold": threshold,
            "clip_before_nms": clip_before,
            "clip_after_nms": bool(node.get_attribute("clip_after_nms")),
            "decrease_label_id": False,
            "normalized": True,
        },
    )
    rows = named(detection_output, "DetectionOutput").output(0)
    return [rows if columns > num_classes else _labels_from_one(rows)]


def _labels_from_one(rows: Any) -> Any:
    """Rows whose labels count from 1 although there is no background to be 0 (SSD-9); padding stays as it is."""
    score = opset.split(rows, index(3), 7).output(2)
    found = opset.convert(opset.greater(score, number(0.0)), "f32")
    shift = opset.multiply(found, opset.constant(np.array([0, 1, 0, 0, 0, 0, 0], np.float32)))
    return named(opset.add(rows, shift), "DetectionOutput/labels").output(0)


def _convert(logits: Any, node: Any) -> Any:
    """The score converter, on ``[N, P, C]`` (SSD-3)."""
    scale = float(node.get_attribute("logit_scale"))
    if scale != 1.0:
        logits = opset.divide(logits, number(scale)).output(0)
    converter = node.get_attribute("score_converter")
    if converter == "SIGMOID":
        return opset.sigmoid(logits).output(0)
    if converter == "SOFTMAX" and node.get_attribute("converts_foreground_only"):
        classes = int(node.get_attribute("num_classes"))
        foreground = opset.softmax(opset.gather(logits, ints(*range(1, classes + 1)), index(2)), 2)
        background = opset.multiply(opset.gather(logits, ints(0), index(2)), number(0.0))
        return opset.concat([background, foreground], 2).output(0)
    if converter == "SOFTMAX":
        return opset.softmax(logits, 2).output(0)
    return logits


def _clustered(node: Any, boxes: list[Any], image: Any, variances: list[float]) -> Any:
    """PriorBoxClustered for each feature map; anchors keep their pixels, or scale with the image on request (RSH-1)."""
    trained = None
    if node.get_attribute("scale_anchors_with_image"):
        trained = ints(int(node.get_attribute("training_height")), int(node.get_attribute("training_width")))
    grids = [
        AnchorGrid(
            heights=tuple(node.get_attribute(f"heights_{level}")),
            widths=tuple(node.get_attribute(f"widths_{level}")),
            stride=tuple(node.get_attribute(f"layout_{level}")[:2]),
            offset=tuple(node.get_attribute(f"layout_{level}")[2:]),
            fills=bool(node.get_attribute(f"fills_{level}")),
        )
        for level in range(len(boxes))
    ]
    parts = [
        prior_boxes.on_grid(
            box, spatial(image), grid, trained=trained, variances=variances, name=f"PriorBoxClustered_{level}"
        )
        for level, (box, grid) in enumerate(zip(boxes, grids, strict=True))
    ]
    return prior_boxes.in_one(parts)
