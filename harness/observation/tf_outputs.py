"""From the outputs that an exporter names (``detection_boxes`` and its sisters) to canonical detections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UsageError
from harness.observation.detections import Detections
from harness.observation.violations import LayoutViolation, report

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUIRED = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


def from_tf_outputs(
    outputs: Mapping[str, np.ndarray], *, violations: list[LayoutViolation] | None = None
) -> tuple[Detections, ...]:
    """The detections of each image, in the outputs' order, without the padding past ``num_detections`` (SSD-7, DET-5).

    ``detection_boxes`` ``[N, K, 4]`` (YXYX, normalised), ``detection_scores`` ``[N, K]``, ``detection_classes``
    ``[N, K]``, ``num_detections`` ``[N]``, and optionally ``detection_masks`` ``[N, K, h, w]``, after the sigmoid and
    each of its detection's own class. Names may carry an output index (``detection_boxes:0``). ``row`` of a
    violation counts within its image.

    Raises:
        UsageError: when one of the four outputs is missing.
        LayoutError: when the layout is broken and the caller passes no ``violations`` to collect into.

    """
    named = {name.split(":", maxsplit=1)[0]: np.asarray(value) for name, value in outputs.items()}
    missing = [name for name in _REQUIRED if name not in named]
    if missing:
        raise UsageError(
            f"Detections cannot be read: the outputs lack {', '.join(missing)}.",
            where=f"outputs {', '.join(sorted(outputs)) or '(none)'}",
            advice="Ask the graph for all four detection outputs.",
        )
    boxes, scores, classes = (named[name].astype(np.float64) for name in _REQUIRED[:3])
    counts = named["num_detections"].reshape(-1).astype(np.float64)
    masks = named.get("detection_masks")

    found: list[LayoutViolation] = []
    batch = counts.shape[0]
    slots = scores.shape[1] if scores.ndim == 2 else -1
    wanted = {
        "detection_boxes": (batch, slots, 4),
        "detection_scores": (batch, slots),
        "detection_classes": (batch, slots),
    }
    for name, shape in wanted.items():
        if named[name].shape != shape:
            found.append(LayoutViolation("shape", f"{name} has shape {list(named[name].shape)}, with {batch} counts"))
    if masks is not None and (masks.ndim != 4 or masks.shape[:2] != (batch, slots)):
        found.append(LayoutViolation("mask", f"detection_masks has shape {list(masks.shape)}, for [{batch}, {slots}]"))
        masks = None
    if any(violation.kind == "shape" for violation in found):
        report(found, violations, "detection_boxes")
        return tuple(_empty() for _ in range(batch))

    images = []
    for image in range(batch):
        count = counts[image]
        if not (np.isfinite(count) and count == np.floor(count) and 0 <= count <= slots):
            found.append(LayoutViolation("count", f"num_detections of image {image} is {count}, for {slots} slots"))
            images.append(_empty())
            continue
        kept = []
        for row in range(int(count)):
            values = (float(image), float(classes[image, row]), float(scores[image, row]), *boxes[image, row].tolist())
            if not np.isfinite(values).all():
                found.append(LayoutViolation("non_finite", "a value is not finite", row, values))
            label = classes[image, row]
            if np.isfinite(label) and label == np.floor(label) and label >= 1:
                kept.append(row)
            else:
                what = "the label is no class (classes are the integers from 1)"
                found.append(LayoutViolation("label", what, row, values))
        images.append(
            Detections(
                boxes=boxes[image, kept].astype(np.float32).reshape(-1, 4),
                scores=scores[image, kept].astype(np.float32),
                classes=classes[image, kept].astype(np.int64),
                masks=None if masks is None else masks[image, kept].astype(np.float32),
            )
        )
    report(found, violations, "detection_boxes")
    return tuple(images)


def _empty() -> Detections:
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
