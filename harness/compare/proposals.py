"""Proposals: boxes with scores and no class, compared as sets by the same rules as detections (PRO-1)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.compare.decoding import decode_boxes
from harness.compare.detections import EXPLAINED_SHARE, compare_detections
from harness.compare.geometry import clip_to_window
from harness.compare.matching import assign
from harness.compare.noise import TOLERANCE_FACTOR, Noise, required
from harness.errors import UsageError
from harness.observation.detections import Answer, Detections, Heads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.compare.comparison import Comparison
    from harness.compare.suppression import Suppression


@dataclasses.dataclass(frozen=True)
class Proposals:
    """The proposals of one image: ``boxes`` float32 ``[R, 4]`` (YXYX, normalised), without padding.

    ``scores`` float32 ``[R]``, or None where an output does not show them (a Proposal's second output is not
    terminated and cannot be trusted past the end).
    """

    boxes: np.ndarray
    scores: np.ndarray | None = None


def compare_proposals(
    reference: Sequence[Proposals],
    observed: Sequence[Proposals],
    noise: Noise,
    suppression: Suppression | None = None,
    *,
    heads: Heads | None = None,
    factor: float = TOLERANCE_FACTOR,
    explained_share: float = EXPLAINED_SHARE,
) -> Comparison:
    """Compare the proposals of a batch as sets, image by image.

    ``heads`` are the reference's first-stage heads, with two columns of scores (background, object). Where the
    observed scores are not known, each observed box borrows the score of the reference's box nearest to it: the set
    of boxes is then all that is proven.

    Raises:
        UsageError: when the reference's own scores are missing.
        CaseError: as :func:`harness.compare.detections.compare_detections` does.

    """
    for index, image in enumerate(reference):
        if image.scores is None:
            raise UsageError(
                "Proposals cannot be compared: the reference's have no scores.",
                where=f"image {index} of the reference",
                advice="Ask TensorFlow for the proposals' scores as well.",
            )
    ours = Answer(tuple(_as_detections(image.boxes, image.scores) for image in reference), heads or Heads())
    theirs = []
    for index, image in enumerate(observed):
        scores = image.scores
        if scores is None and index < len(ours.images):
            tolerance = factor * required(noise.boxes, "boxes").magnitude
            scores = _borrowed(image.boxes, *_known(ours, index, suppression), tolerance)
        theirs.append(_as_detections(image.boxes, scores))
    comparison = compare_detections(
        ours, Answer(tuple(theirs)), noise, suppression, factor=factor, explained_share=explained_share
    )
    return dataclasses.replace(comparison, subject="proposals")


def _as_detections(boxes: np.ndarray, scores: np.ndarray | None) -> Detections:
    shown = np.full(boxes.shape[0], np.nan, np.float32) if scores is None else scores.astype(np.float32)
    return Detections(boxes.astype(np.float32), shown, np.ones(boxes.shape[0], np.int64))


def _known(answer: Answer, image: int, suppression: Suppression | None) -> tuple[np.ndarray, np.ndarray]:
    """All boxes of the reference whose score is known: its own proposals first, then the others, best score first."""
    own, heads = answer.images[image], answer.heads
    if heads.box_encodings is None or heads.class_scores is None or heads.anchors is None or heads.variances is None:
        return own.boxes, own.scores
    anchors = heads.anchors if heads.anchors.ndim == 2 else heads.anchors[image : image + 1]
    boxes = decode_boxes(heads.box_encodings[image : image + 1], anchors, heads.variances)[0, :, 0]
    if suppression is not None and suppression.clip != "none":
        boxes = clip_to_window(boxes, suppression.window)
    scores = heads.class_scores[image][:, 1]
    best = np.argsort(-scores, kind="stable")
    return np.concatenate([own.boxes, boxes[best]]), np.concatenate([own.scores, scores[best]])


def _borrowed(boxes: np.ndarray, known: np.ndarray, scores: np.ndarray, tolerance: float) -> np.ndarray:
    """For each box the score of the nearest known one, none used twice.

    Of those within tolerance the first known counts: the reference's own proposals, then the best score, since that
    is the one that suppression would have kept.
    """
    borrowed = np.zeros(boxes.shape[0], np.float32)
    if not boxes.shape[0] or not known.shape[0]:
        return borrowed
    far = np.abs(boxes.astype(np.float64)[:, None] - known.astype(np.float64)[None]).max(axis=2)
    rank = np.arange(known.shape[0]) / known.shape[0]
    cost = np.where(far <= tolerance, 0.0, far) + min(tolerance, 1.0e-6) * rank[None]
    for first, second in assign(cost, np.isfinite(cost)).pairs:
        borrowed[first] = scores[second]
    return borrowed
