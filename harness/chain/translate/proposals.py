"""The first stage in OpenVINO's operations: Proposal, or DetectionOutput over the anchors' priors (PRO-1 to PRO-7).

Both give regions ``[N * K, 5]`` (image, xmin, ymin, xmax, ymax; normalised) and which of them are real: TensorFlow
pads with empty boxes to K as well, and drops what has no area inside of the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13 as opset

from harness.chain.translate import priors as prior_boxes
from harness.chain.translate.capping import cap_per_class
from harness.chain.translate.ops import columns, concat, index, ints, named, number, reshape, spatial
from harness.chain.translate.pruning import decode

_NO_MINIMUM = 1e-30
"""Proposal drops boxes that are narrower than min_size times the image's scale. TensorFlow drops empty ones only."""


def translate_proposals(node: Any) -> list[Any]:
    """Outputs: regions ``[N * K, 5]``; 1.0 for each real one and 0.0 for padding, ``[N, K]``."""
    regions, scores = (_detection_output if node.get_attribute("operation") == "DetectionOutput" else _proposal)(node)
    count = int(node.get_attribute("max_proposals"))
    # Padding has the image -1, where a crop would read outside of the feature map.
    regions = named(opset.relu(regions), "proposals/regions").output(0)
    _, xmin, ymin, xmax, ymax = columns(regions, 1, 5)
    wide, high = opset.greater(xmax, xmin), opset.greater(ymax, ymin)
    scored = opset.greater(scores, number(float(node.get_attribute("score_threshold"))))
    real = opset.logical_and(opset.logical_and(wide, high), scored)
    valid = opset.convert(reshape(real, -1, count), "f32")
    return [regions, named(valid, "proposals/valid").output(0)]


def _softmax_scores(node: Any) -> tuple[Any, Any]:
    """Class predictions as ``[N, 2A, h, w]`` logits, and their softmax as ``[N, A, 2, h * w]``."""
    logits = opset.transpose(node.get_input(1), ints(0, 3, 1, 2)).output(0)
    per_cell = int(node.get_attribute("anchors_per_cell"))
    scores = opset.softmax(reshape(logits, 0, per_cell, 2, -1), 2).output(0)
    return logits, scores


def _proposal(node: Any) -> tuple[Any, Any]:
    logits, scores = _softmax_scores(node)
    ordered = opset.transpose(scores, ints(0, 2, 1, 3))  # all backgrounds, then all objects
    probabilities = opset.reshape(ordered, opset.shape_of(logits, "i64"), special_zero=False)
    encodings = opset.transpose(node.get_input(0), ints(0, 3, 1, 2))
    if node.get_input_size() > 3:
        given = reshape(node.get_input(3), -1)
        size = opset.gather(given, ints(0, 1), index(0)).output(0)
    else:
        size = opset.convert(spatial(node.get_input(2)), "f32").output(0)
    information = concat([size, opset.constant(np.array([_NO_MINIMUM], np.float32))], 0)
    proposal = opset.proposal(
        named(probabilities, "proposals/probabilities"),
        named(encodings, "proposals/encodings"),
        information,
        {
            "framework": "tensorflow",
            "base_size": np.uint64(int(node.get_attribute("base_height"))),
            "feat_stride": np.uint64(int(node.get_attribute("stride_height"))),
            "ratio": np.array(node.get_attribute("aspect_ratios"), np.float32),
            "scale": np.array(node.get_attribute("scales"), np.float32),
            "min_size": np.uint64(1),
            "pre_nms_topn": np.uint64(2**31 - 1),
            "post_nms_topn": np.uint64(int(node.get_attribute("max_proposals"))),
            "nms_thresh": np.float32(node.get_attribute("nms_threshold")),
            "box_coordinate_scale": np.float32(node.get_attribute("coordinate_scale_y")),
            "box_size_scale": np.float32(node.get_attribute("size_scale_height")),
            "clip_before_nms": bool(node.get_attribute("clip_before_nms")),
            "clip_after_nms": bool(node.get_attribute("clip_after_nms")),
            "normalize": True,
        },
    )
    named(proposal, "proposals")
    # In its TensorFlow form the operation takes and gives the vertical coordinate first.
    regions = opset.gather(proposal.output(0), ints(0, 2, 1, 4, 3), index(1)).output(0)
    return regions, proposal.output(1)


def _detection_output(node: Any) -> tuple[Any, Any]:
    encodings_map, image = node.get_input(0), node.get_input(2)
    count = int(node.get_attribute("max_proposals"))
    variances = [
        1.0 / float(node.get_attribute(name))
        for name in ("coordinate_scale_x", "coordinate_scale_y", "size_scale_width", "size_scale_height")
    ]
    threshold = float(node.get_attribute("score_threshold"))
    nms_threshold = float(node.get_attribute("nms_threshold"))
    clip_before = bool(node.get_attribute("clip_before_nms"))
    priors = _priors(node, encodings_map, image, variances)
    # The front end's YXHW order, made XYWH by picking columns.
    encodings = opset.gather(reshape(encodings_map, 0, -1, 4), ints(1, 0, 3, 2), index(2)).output(0)
    scores = opset.softmax(reshape(node.get_input(1), 0, -1, 2), 2).output(0)
    corners = decode(encodings, priors, variances, clip=clip_before)
    if clip_before:
        # What the clipping empties must not take the place of a proposal.
        xmin, ymin, xmax, ymax = corners
        area = opset.logical_and(opset.greater(xmax, xmin), opset.greater(ymax, ymin))
        scores = opset.select(opset.unsqueeze(area, ints(2)), scores, number(0.0)).output(0)
    scores = cap_per_class(
        scores,
        corners,
        classes=1,
        background=True,
        threshold=threshold,
        per_class=count,
        nms_threshold=nms_threshold,
    )
    detection_output = opset.detection_output(
        reshape(encodings, 0, -1),
        reshape(scores, 0, -1),
        priors,
        {
            "background_label_id": 0,
            "top_k": -1,
            "keep_top_k": [count],
            "code_type": "caffe.PriorBoxParameter.CENTER_SIZE",
            "share_location": True,
            "variance_encoded_in_target": False,
            "nms_threshold": nms_threshold,
            "confidence_threshold": threshold,
            "clip_before_nms": clip_before,
            "clip_after_nms": bool(node.get_attribute("clip_after_nms")),
            "normalized": True,
        },
    )
    rows = reshape(named(detection_output, "proposals"), -1, 7)
    image_id, _, score, *box = columns(rows, 1, 7)
    return _by_image(image_id, score, box, count, encodings)


def _by_image(image_id: Any, score: Any, box: list[Any], count: int, encodings: Any) -> tuple[Any, Any]:
    """Rows so that image n has rows n * K to n * K + K - 1; DetectionOutput pads once, behind the last image's rows."""
    kept = opset.greater(score, number(0.0))
    images = opset.gather(opset.shape_of(encodings, "i64"), index(0), index(0))
    every = opset.range(index(0), images, index(1), "i64")
    ids = opset.convert(image_id, "i64")
    belongs = opset.logical_and(opset.equal(opset.unsqueeze(ids, ints(1)), every), opset.unsqueeze(kept, ints(1)))
    rows_of = opset.reduce_sum(opset.convert(belongs, "i64"), ints(0), keep_dims=False)
    start = opset.cum_sum(rows_of, index(0), exclusive=True)
    known = opset.relu(ids)
    rank = opset.subtract(
        opset.range(index(0), opset.gather(opset.shape_of(ids, "i64"), index(0), index(0)), index(1), "i64"),
        opset.gather(start, known, index(0)),
    )
    total = opset.multiply(images, index(count))
    place = opset.select(kept, opset.add(opset.multiply(known, index(count)), rank), total)
    values = concat([opset.unsqueeze(side, ints(1)).output(0) for side in (image_id, *box, score)], 1)
    empty = opset.broadcast(number(0.0), opset.concat([reshape(opset.add(total, index(1)), 1), ints(6)], 0))
    spread = opset.scatter_nd_update(empty, opset.unsqueeze(place, ints(1)), values)
    columns_of = columns(spread, 1, 6)
    everywhere = opset.range(index(0), total, index(1), "i64")
    image_id, *box, score = (opset.gather(column, everywhere, index(0)).output(0) for column in columns_of)
    regions = concat([opset.unsqueeze(side, ints(1)).output(0) for side in (image_id, *box)], 1)
    return regions, score


def _priors(node: Any, encodings_map: Any, image: Any, variances: list[float]) -> Any:
    """The anchors, clipped to the image as TensorFlow does it before decoding."""
    stride = (float(node.get_attribute("stride_height")), float(node.get_attribute("stride_width")))
    clustered = prior_boxes.clustered(
        encodings_map,
        spatial(image),
        widths=node.get_attribute("widths"),
        heights=node.get_attribute("heights"),
        stride=stride,
        offset=float(node.get_attribute("offset")),
        variances=variances,
        name="proposals/PriorBoxClustered",
        clip=True,
    )
    return prior_boxes.in_one([clustered.output(0)])
