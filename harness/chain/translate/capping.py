"""A cap on each class *after* suppression that is smaller than the cap on all of them (SSD-5).

DetectionOutput has no such cap. NonMaxSuppression does: what it selects keeps its score, everything else gets zero,
and DetectionOutput, which suppresses none of what survived already, sorts out the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import opset13 as opset

from harness.chain.translate.ops import index, ints, number


def cap_per_class(
    scores: Any,
    boxes: list[Any],
    *,
    classes: int,
    background: bool,
    threshold: float,
    per_class: int,
    nms_threshold: float,
) -> Any:
    """``scores`` ``[N, P, C]`` with zeros for what suppression drops or the cap on its class leaves out.

    ``boxes`` are the decoded corners xmin, ymin, xmax, ymax, each ``[N, P]``.
    """
    xmin, ymin, xmax, ymax = (opset.unsqueeze(side, ints(2)).output(0) for side in boxes)
    corners = opset.concat([ymin, xmin, ymax, xmax], 2)
    first = 1 if background else 0
    foreground = opset.gather(scores, ints(*range(first, first + classes)), index(2))
    by_class = opset.transpose(foreground, ints(0, 2, 1))  # [N, C, P]
    selected = opset.non_max_suppression(
        corners,
        by_class,
        opset.constant(np.int64(per_class)),
        number(nms_threshold),
        number(threshold),
        box_encoding="corner",
        sort_result_descending=False,
        output_type="i64",
    ).output(0)  # [selected, 3]: image, class, anchor
    image, label, anchor = (opset.gather(selected, ints(column), index(1)).output(0) for column in range(3))
    places = opset.concat([image, anchor, opset.add(label, ints(first))], 1)
    kept = opset.gather_nd(scores, places)
    zeros = opset.multiply(scores, number(0.0))
    return opset.scatter_nd_update(zeros, places, kept).output(0)
