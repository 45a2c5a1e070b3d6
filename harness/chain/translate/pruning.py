"""Leaving out scores that cannot reach the answer, so that suppression is exact *and* cheap (SSD-5).

TensorFlow suppresses within a class and keeps at most ``max_detections_per_class`` of what survives. DetectionOutput's
``top_k`` cuts *before* suppression, so a small one loses detections in a crowd, and none at all lets every anchor of
every class compete: 1917 anchors of 90 classes with a score threshold of 1e-8 take 240 ms instead of 4.

What makes the exact answer cheap: only ``keep_top_k`` detections are kept in all, so no score under that of the
``keep_top_k``-th detection matters. A lower bound of it is known before suppression: among the few best candidates of
each class, one that overlaps none of its betters by more than the threshold survives for certain. With enough such
survivors, everything below the last of them is set to zero, and DetectionOutput sees a few hundred candidates. With
too few, nothing is left out. Either way the result is the same as without.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from openvino import opset13 as opset

from harness.chain.translate.ops import columns, index, ints, number, reshape

SCORE_THRESHOLD = 0.1
"""Scores under this make most anchors candidates; over it so few are left that suppression needs no help."""

_COORDINATES = 4

# Candidates of each class at most, and survivors over what is needed, where anchors are dense.
_MOST, _SPARE = 640, 16


def prune_scores(
    scores: Any,
    boxes: list[Any],
    *,
    classes: int,
    background: bool,
    keep_top_k: int,
    nms_threshold: float,
    dense: bool = False,
) -> Any:
    """``scores`` ``[N, P, C]`` with zeros where they cannot reach the answer.

    ``boxes`` are the decoded corners xmin, ymin, xmax, ymax, each ``[N, P]``, clipped if suppression clips first.
    ``dense`` is for pyramids, whose anchors overlap so much that few candidates overlap none of their betters: the
    candidates of each class are more, and suppressed as they will be. What survives that is kept for certain, but for
    overlaps within rounding of the threshold; some survivors more than needed make up for those.
    """
    foreground = scores
    if background:
        picked = ints(*range(1, classes + 1))
        foreground = opset.gather(scores, picked, index(2)).output(0)
    # A reshaped model may have fewer anchors than that.
    anchors = opset.gather(opset.shape_of(scores, "i64"), index(1), index(0))
    most = min(_MOST, math.ceil(16 * keep_top_k / classes)) if dense else math.ceil(4 * keep_top_k / classes)
    best = opset.minimum(index(max(8, most)), anchors)
    by_class = opset.transpose(foreground, ints(0, 2, 1))
    top = opset.topk(by_class, best, 2, "max", "value", "i32")
    values, where = top.output(0), top.output(1)  # [N, C, best]

    def candidates(side: Any) -> Any:
        return opset.gather(side, where, index(1), 1).output(0)

    xmin, ymin, xmax, ymax = (candidates(side) for side in boxes)
    if dense:
        needed = keep_top_k + _SPARE
        certain = _survivors(values, [ymin, xmin, ymax, xmax], most=needed, nms_threshold=nms_threshold)
        return _over_the_last(scores, certain, needed)
    overlap = opset.multiply(_common(xmin, xmax), _common(ymin, ymax))
    area = opset.multiply(opset.subtract(xmax, xmin), opset.subtract(ymax, ymin))
    union = opset.subtract(opset.add(_of_first(area), _of_second(area)), overlap)
    # Positive where the second of a pair, which scores higher, suppresses the first; ties in overlap count as such,
    # which can only make the bound more careful.
    excess = opset.subtract(overlap, opset.multiply(union, number(nms_threshold * (1.0 - 1e-5))))
    rank = opset.range(index(0), best, index(1), "i64")
    better = opset.convert(opset.greater(opset.unsqueeze(rank, ints(1)), opset.unsqueeze(rank, ints(0))), "f32")
    suppressed = opset.reduce_max(opset.multiply(opset.relu(excess), better), ints(3), keep_dims=False)
    certain = opset.select(opset.equal(suppressed, number(0.0)), values, number(0.0))
    return _over_the_last(scores, certain, keep_top_k)


def _survivors(values: Any, corners: list[Any], *, most: int, nms_threshold: float) -> Any:
    """``values`` ``[N, C, best]`` with zeros for what its betters suppress; ``corners`` are of the same shape."""
    shape = opset.shape_of(values, "i64")
    count = opset.gather(shape, ints(2), index(0))
    rows = opset.concat([ints(-1), count], 0)  # an image's class a row
    sides = [opset.unsqueeze(opset.reshape(side, rows, special_zero=False), ints(2)) for side in corners]
    flat = opset.reshape(values, rows, special_zero=False)
    kept = opset.non_max_suppression(
        opset.concat(sides, 2),
        opset.unsqueeze(flat, ints(1)),
        opset.constant(np.int64(most)),
        number(nms_threshold),
        number(0.0),
        box_encoding="corner",
        sort_result_descending=False,
        output_type="i64",
    ).output(0)  # [kept, 3]: row, 0, candidate
    places = opset.gather(kept, ints(0, 2), index(1))
    zeros = opset.multiply(flat, number(0.0))
    chosen = opset.scatter_nd_update(zeros, places, opset.gather_nd(flat, places))
    return opset.reshape(chosen, shape, special_zero=False)


def _over_the_last(scores: Any, certain: Any, keep_top_k: int) -> Any:
    """``scores`` with zeros under the ``keep_top_k``-th of those ``certain`` ``[N, C, best]`` to be kept."""
    # With too few survivors the last of them is one of these zeros, and nothing is left out.
    images = opset.gather(opset.shape_of(scores, "i64"), ints(0), index(0))
    nothing = opset.broadcast(number(0.0), opset.concat([images, ints(keep_top_k)], 0))
    survivors = opset.concat([reshape(certain, 0, -1), nothing], 1)
    last = opset.topk(survivors, index(keep_top_k), 1, "max", "value", "i32")
    bound = opset.reduce_min(last.output(0), ints(1), keep_dims=True)  # [N, 1]
    return opset.select(opset.greater_equal(scores, opset.unsqueeze(bound, ints(2))), scores, number(0.0)).output(0)


def drop_invisible(scores: Any, boxes: list[Any]) -> Any:
    """``scores`` ``[N, P, C]`` with zeros for boxes that lie wholly outside of the image.

    TensorFlow drops what clipping left without area *after* suppression; such a box could still have suppressed one
    that shows by less than ``1 - nms_threshold`` of itself. Boxes are corners xmin, ymin, xmax, ymax, each ``[N, P]``.
    """
    xmin, ymin, xmax, ymax = (opset.clamp(side, 0.0, 1.0) for side in boxes)
    area = opset.multiply(opset.subtract(xmax, xmin), opset.subtract(ymax, ymin))
    visible = opset.unsqueeze(opset.greater(area, number(0.0)), ints(2))
    return opset.select(visible, scores, number(0.0)).output(0)


def _of_first(value: Any) -> Any:
    return opset.unsqueeze(value, ints(3)).output(0)


def _of_second(value: Any) -> Any:
    return opset.unsqueeze(value, ints(2)).output(0)


def _common(low: Any, high: Any) -> Any:
    """The overlap of intervals of every pair of a class's candidates, ``[N, C, best, best]``."""
    end = opset.minimum(_of_first(high), _of_second(high))
    start = opset.maximum(_of_first(low), _of_second(low))
    return opset.relu(opset.subtract(end, start)).output(0)


def decode(encodings: Any, priors: Any, variances: list[float], *, clip: bool) -> list[Any]:
    """Corners xmin, ymin, xmax, ymax, each ``[N, P]``, of encodings ``[N, P, 4]`` (XYWH) and priors ``[1, 2, 4P]``."""
    values = opset.split(priors, index(1), 2).output(0)
    prior = columns(reshape(values, 1, -1, _COORDINATES), 2, _COORDINATES)  # each [1, P]
    tx, ty, tw, th = columns(encodings, 2, _COORDINATES)
    corners = []
    for low, high, shift, size, shift_variance, size_variance in (
        (prior[0], prior[2], tx, tw, variances[0], variances[2]),
        (prior[1], prior[3], ty, th, variances[1], variances[3]),
    ):
        side = opset.subtract(high, low)
        centre = opset.multiply(opset.add(low, high), number(0.5))
        moved = opset.add(opset.multiply(opset.multiply(shift, number(shift_variance)), side), centre)
        half = opset.multiply(opset.multiply(opset.exp(opset.multiply(size, number(size_variance))), side), number(0.5))
        pair = [opset.subtract(moved, half), opset.add(moved, half)]
        if clip:
            pair = [opset.clamp(end, 0.0, 1.0) for end in pair]
        corners.append([end.output(0) for end in pair])
    (xmin, xmax), (ymin, ymax) = corners
    return [xmin, ymin, xmax, ymax]
