"""Every box that a detector could have answered for one image, with how sure its score and corners are."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.compare.decoding import decode_boxes, decoded_tolerance
from harness.compare.geometry import area_bounds, clip_to_window
from harness.compare.noise import Noise, required
from harness.errors import CaseError

if TYPE_CHECKING:
    from harness.compare.suppression import Suppression
    from harness.observation.detections import Detections, Heads


@dataclasses.dataclass(frozen=True)
class Candidates:
    """The candidates of one image.

    ``boxes`` float64 ``[P, Q, 4]`` as they enter suppression (already clipped when that comes first), with
    ``box_tolerance`` of the same shape; Q is 1 when the classes share them. ``scores`` float64 ``[P, C]`` without
    background, with ``score_tolerance``; -inf where a box is no candidate for a class.
    """

    boxes: np.ndarray
    box_tolerance: np.ndarray
    scores: np.ndarray
    score_tolerance: np.ndarray

    def box_interval(self, anchors: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest corners ``[n, 4]`` of these anchors' boxes for a class."""
        column = 0 if self.boxes.shape[1] == 1 else label - 1
        boxes, tolerance = self.boxes[anchors, column], self.box_tolerance[anchors, column]
        return boxes - tolerance, boxes + tolerance

    def answer_interval(
        self, anchors: np.ndarray, label: int, suppression: Suppression | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest corners as they would be answered: clipped, when the answer is."""
        low, high = self.box_interval(anchors, label)
        if suppression is None or suppression.clip == "none":
            return low, high
        return clip_to_window(low, suppression.window), clip_to_window(high, suppression.window)

    def may_be_empty(self, anchors: np.ndarray, label: int, suppression: Suppression) -> np.ndarray:
        """Which of these anchors' boxes clipping may leave without area, so that TensorFlow drops them."""
        if suppression.clip == "none":
            return np.zeros(np.shape(anchors), bool)
        low, high = self.answer_interval(anchors, label, suppression)
        empty: np.ndarray = area_bounds(low, high)[0] <= 0.0
        return empty


def candidates_from_heads(
    heads: Heads, image: int, noise: Noise, suppression: Suppression, factor: float
) -> Candidates | None:
    """The candidates of one image of the reference's heads, or None when heads or their noise are incomplete.

    Raises:
        CaseError: when the reference's heads are not finite.

    """
    if heads.box_encodings is None or heads.class_scores is None or heads.anchors is None or heads.variances is None:
        return None
    if noise.encodings is None or noise.scores is None or noise.anchors is None:
        return None
    encodings = heads.box_encodings[image : image + 1]
    anchors = heads.anchors if heads.anchors.ndim == 2 else heads.anchors[image : image + 1]
    scores = heads.class_scores[image][:, 1:]
    boxes = decode_boxes(encodings, anchors, heads.variances)[0].astype(np.float64)
    tolerance = decoded_tolerance(
        encodings,
        anchors,
        heads.variances,
        encoding_noise=noise.encodings,
        anchor_noise=noise.anchors,
        factor=factor,
    )[0]
    if not (np.isfinite(encodings).all() and np.isfinite(scores).all() and np.isfinite(anchors).all()):
        raise CaseError(
            "The reference's raw heads are not finite.",
            where=f"heads of image {image}",
            advice="A reference that is not finite proves nothing: give the case other weights or inputs.",
        )
    if suppression.clip == "before":
        # Clipping moves no two values further apart, so the tolerance holds behind it as well.
        boxes = clip_to_window(boxes, suppression.window)
    # An encoding that overflows the exponential leaves its box anywhere, and is treated as that.
    unbounded = ~(np.isfinite(boxes) & np.isfinite(tolerance))
    boxes, tolerance = np.where(unbounded, 0.0, boxes), np.where(unbounded, np.inf, tolerance)
    return Candidates(boxes, tolerance, scores.astype(np.float64), factor * noise.scores.at(scores))


def candidates_from_detections(detections: Detections, num_classes: int, noise: Noise, factor: float) -> Candidates:
    """The detections of one side as the only candidates that are known, for references that show no heads.

    Row p is detection p; it is a candidate of its own class alone (its score for every other class is -inf).
    """
    box_noise, score_noise = required(noise.boxes, "boxes"), required(noise.detection_scores, "detection_scores")
    count = len(detections)
    scores = np.full((count, num_classes), -np.inf)
    tolerance = np.zeros((count, num_classes))
    rows = np.arange(count)
    scores[rows, detections.classes - 1] = detections.scores
    tolerance[rows, detections.classes - 1] = factor * score_noise.at(detections.scores)
    boxes = detections.boxes.astype(np.float64)
    return Candidates(
        boxes=boxes[:, None],
        box_tolerance=(factor * box_noise.at(boxes))[:, None],
        scores=scores,
        score_tolerance=tolerance,
    )
