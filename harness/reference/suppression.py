"""Decoding and suppression as the exported Postprocessor does it, by TensorFlow's own operations.

Runs in a worker: this imports TensorFlow. For sizes that the graph's own Postprocessor does not take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from harness.errors import ReferenceFailure
from harness.observation.detections import Detections

if TYPE_CHECKING:
    from harness.pipeline.post_processing import PostProcessing


def check_supported(settings: PostProcessing, where: str) -> None:
    """Raise ReferenceFailure for kinds of suppression that are not repeated here."""
    unusual = {
        "calibration_config": settings.calibrated,
        "use_class_agnostic_nms": settings.use_class_agnostic_nms,
        "soft_nms_sigma": settings.soft_nms_sigma > 0,
        "use_partitioned_nms": settings.use_partitioned_nms,
        "use_combined_nms": settings.use_combined_nms,
    }
    used = [name for name, given in unusual.items() if given]
    if used:
        raise ReferenceFailure(
            f"Suppression with {', '.join(used)} is not known for another size than the graph's.",
            where=where,
            advice="Check this model at its own size.",
            requirement="RSH-1",
        )


def convert_scores(predictions: np.ndarray, converter: str, logit_scale: float) -> np.ndarray:
    """Scores float32 ``[N, P, columns]`` from class predictions, by ``Sigmoid``, ``Softmax`` or ``Identity``."""
    scaled = tf.constant(predictions) / tf.constant(logit_scale, tf.float32)
    function = {"Sigmoid": tf.sigmoid, "Softmax": tf.nn.softmax, "Identity": tf.identity}[converter]
    result: np.ndarray = function(scaled).numpy()
    return result


def decode(encodings: np.ndarray, anchors: np.ndarray, scales: tuple[float, float, float, float]) -> np.ndarray:
    """Boxes float32 ``[N, P, 4]`` (ymin, xmin, ymax, xmax) of encodings ``[N, P, 4]`` (ty, tx, th, tw)."""
    ymin, xmin, ymax, xmax = tf.unstack(tf.constant(anchors, tf.float32), axis=-1)
    width, height = xmax - xmin, ymax - ymin
    center_y, center_x = ymin + height / 2.0, xmin + width / 2.0
    ty, tx, th, tw = tf.unstack(tf.constant(encodings, tf.float32), axis=-1)
    ty, tx, th, tw = ty / scales[0], tx / scales[1], th / scales[2], tw / scales[3]
    w, h = tf.exp(tw) * width, tf.exp(th) * height
    y, x = ty * height + center_y, tx * width + center_x
    boxes: np.ndarray = tf.stack([y - h / 2.0, x - w / 2.0, y + h / 2.0, x + w / 2.0], axis=-1).numpy()
    return boxes


def suppress(boxes: np.ndarray, scores: np.ndarray, settings: PostProcessing, *, clips_first: bool) -> Detections:
    """The detections of one image, best first.

    ``boxes`` float32 ``[P, 4]``, shared by the classes; ``scores`` float32 ``[P, C]`` without the background. For
    each class: what is over the score threshold, suppressed by overlap, at most so many. Then the best of all
    classes. Boxes are clipped to the image, and those without area dropped: before the suppression with
    ``clips_first``, else after it.
    """
    if clips_first:
        inside = _clip(boxes)
        used = np.flatnonzero(_has_area(inside))
        boxes, scores = inside[used], scores[used]
    kept_boxes, kept_scores, kept_classes = [], [], []
    for column in range(scores.shape[1]):
        over = np.flatnonzero(scores[:, column] > np.float32(settings.score_threshold))
        if not len(over):
            continue
        kept = over[_kept(boxes[over], scores[over, column], settings)]
        kept_boxes.append(boxes[kept])
        kept_scores.append(scores[kept, column])
        kept_classes.append(np.full(len(kept), column + 1, np.int64))
    if not kept_boxes:
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    all_boxes, all_scores, all_classes = (np.concatenate(part) for part in (kept_boxes, kept_scores, kept_classes))
    order = np.argsort(-all_scores, kind="stable")  # as top_k: of equal scores the first one first
    if not clips_first:
        all_boxes = _clip(all_boxes)
        order = order[_has_area(all_boxes[order])]
    order = order[: settings.max_total_detections]
    return Detections(all_boxes[order], all_scores[order], all_classes[order])


def _clip(boxes: np.ndarray) -> np.ndarray:
    clipped: np.ndarray = np.clip(boxes, np.float32(0), np.float32(1))
    return clipped


def _has_area(boxes: np.ndarray) -> np.ndarray:
    found: np.ndarray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) > 0
    return found


def _kept(boxes: np.ndarray, scores: np.ndarray, settings: PostProcessing) -> Any:
    return tf.image.non_max_suppression(
        tf.constant(boxes),
        tf.constant(scores),
        max_output_size=min(settings.max_detections_per_class, len(scores)),
        iou_threshold=settings.iou_threshold,
    ).numpy()
