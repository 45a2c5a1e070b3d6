"""TensorFlow's multi-class non-max suppression: its parameters, and what it makes of raw heads."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from harness.compare.decoding import decode_boxes
from harness.compare.geometry import areas, clip_to_window, iou_matrix
from harness.errors import UsageError
from harness.observation.detections import Detections, Heads


@dataclasses.dataclass(frozen=True)
class Suppression:
    """The numbers of the post-processing, as pipeline.config's ``batch_non_max_suppression`` means them.

    A box needs a score over ``score_threshold`` and goes when its IoU with a better kept one of its class is over
    ``iou_threshold``. ``clip`` says when boxes are clipped to ``window`` (YXYX): "before" suppression (exporters up
    to 1.13), "after" it (later ones), or never; TensorFlow drops boxes that clipping leaves without area.
    """

    score_threshold: float
    iou_threshold: float
    max_detections_per_class: int
    max_total_detections: int
    clip: Literal["before", "after", "none"] = "after"
    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.max_detections_per_class < 1 or self.max_total_detections < 1 or not 0.0 <= self.iou_threshold <= 1.0:
            raise UsageError(
                f"These suppression parameters keep nothing or mean nothing: {self}.",
                where="batch_non_max_suppression",
                advice="Caps are at least 1 and the IoU threshold lies in [0, 1].",
            )


def suppress(heads: Heads, suppression: Suppression) -> tuple[Detections, ...]:
    """What TensorFlow's post-processing answers for these heads, image by image, best score first.

    A faithful float32 re-implementation: greedy per class, equal scores in the order of anchors, then all classes
    sorted by score (equal ones in the order of classes) and cut at ``max_total_detections``.

    Raises:
        UsageError: when the heads lack one of encodings, class scores, anchors, variances.

    """
    if heads.box_encodings is None or heads.class_scores is None or heads.anchors is None or heads.variances is None:
        lacking = [field.name for field in dataclasses.fields(heads) if getattr(heads, field.name) is None]
        raise UsageError(
            f"Suppression needs all four heads; {', '.join(lacking)} are missing.",
            where="heads",
            advice="Read encodings, class scores, anchors and variances from the same run.",
        )
    boxes = decode_boxes(heads.box_encodings, heads.anchors, heads.variances)
    scores = heads.class_scores[..., 1:].astype(np.float32)
    return tuple(_suppress_image(boxes[image], scores[image], suppression) for image in range(boxes.shape[0]))


def _suppress_image(boxes: np.ndarray, scores: np.ndarray, suppression: Suppression) -> Detections:
    chosen_boxes, chosen_scores, chosen_classes = [], [], []
    for column in range(scores.shape[1]):
        own = boxes[:, min(column, boxes.shape[1] - 1)]
        passing = scores[:, column] > np.float32(suppression.score_threshold)
        if suppression.clip == "before":
            own = clip_to_window(own, suppression.window)
            passing &= areas(own) > 0.0
        indices = np.flatnonzero(passing)
        kept = indices[_greedy(own[indices], scores[indices, column], suppression)]
        chosen_boxes.append(own[kept])
        chosen_scores.append(scores[kept, column])
        chosen_classes.append(np.full(kept.shape, column + 1, np.int64))
    found = Detections(np.concatenate(chosen_boxes), np.concatenate(chosen_scores), np.concatenate(chosen_classes))
    order = np.argsort(-found.scores, kind="stable")
    sorted_boxes = found.boxes[order]
    if suppression.clip == "after":
        sorted_boxes = clip_to_window(sorted_boxes, suppression.window)
        solid = areas(sorted_boxes) > 0.0
        order, sorted_boxes = order[solid], sorted_boxes[solid]
    top = slice(None, suppression.max_total_detections)
    return Detections(sorted_boxes[top], found.scores[order][top], found.classes[order][top])


def _greedy(boxes: np.ndarray, scores: np.ndarray, suppression: Suppression) -> np.ndarray:
    order = np.argsort(-scores, kind="stable")
    alive = np.ones(order.shape[0], bool)
    kept: list[int] = []
    for position, index in enumerate(order):
        if len(kept) == suppression.max_detections_per_class:
            break
        if not alive[position]:
            continue
        kept.append(int(index))
        rest = order[position + 1 :]
        overlap = iou_matrix(boxes[index : index + 1], boxes[rest])[0]
        alive[position + 1 :] &= ~(overlap > np.float32(suppression.iou_threshold))
    return np.asarray(kept, np.int64)
