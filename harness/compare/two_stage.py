"""Two stages: which proposal is which, what proposals scored, and the noise of either stage.

Suppression orders proposals by score, so two answers that ought to be equal may hold them in another order, and near
ties may exchange some. The second stage is computed proposal by proposal: its heads can be compared element by element
once each proposal has found its counterpart.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.checks.result import Finding
from harness.compare.comparison import Comparison, merge_comparisons
from harness.compare.decoding import decode_boxes
from harness.compare.geometry import clip_to_window
from harness.compare.heads import compare_encodings, compare_scores
from harness.compare.matching import assign
from harness.compare.noise import Noise, measure_noise
from harness.compare.proposals import Proposals
from harness.errors import CaseError
from harness.observation.detections import Answer, Detections, Heads
from harness.observation.two_stage import TwoStageHeads, as_single_stage

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Boxes this close (parts of the image) are the same proposal: float32 moves corners by a hundredth of it, and two
#: proposals that suppression left side by side differ by more than ten times as much.
SAME_PROPOSAL = 1e-3
#: Of TensorFlow's proposals so many must have their counterpart before their heads say anything.
_LEAST_ALIGNED = 0.5


@dataclasses.dataclass(frozen=True)
class TwoStageNoise:
    """``first``: of the first stage's heads and of the proposals (as boxes and detection scores); ``second``: of the
    second stage's heads, with proposals as anchors, and of the detections and masks.
    """

    first: Noise
    second: Noise


def require_two_stages(answer: Answer) -> TwoStageHeads:
    """The heads of both stages of TensorFlow's answer; raises CaseError where they are not visible."""
    heads = answer.two_stage
    if heads is None or heads.proposals is None or heads.num_proposals is None:
        raise CaseError(
            "The stages of the original graph could not be found, so nothing between image and detections can be"
            " compared.",
            where="the reference's heads",
            advice="Give a graph that the Object Detection API exported with TensorFlow 1, frozen or as a MetaGraph.",
        )
    return heads


def proposals_of(heads: TwoStageHeads, scored_by: Heads | None = None) -> list[Proposals]:
    """The true proposals of each image; ``scored_by`` are first-stage heads that lend scores where there are none."""
    assert heads.proposals is not None
    assert heads.num_proposals is not None
    found = []
    for image, count in enumerate(heads.num_proposals):
        boxes = heads.proposals[image, :count]
        scores = None if heads.proposal_scores is None else heads.proposal_scores[image, :count]
        if scores is None and scored_by is not None:
            scores = _scores_of(boxes, scored_by, image)
        found.append(Proposals(boxes, scores))
    return found


def as_first_stage(heads: TwoStageHeads) -> Answer:
    """The first stage as a detector of its own: its proposals are detections of one class."""
    images = []
    for one in proposals_of(heads, heads.first):
        scores = np.zeros(len(one.boxes), np.float32) if one.scores is None else one.scores
        images.append(Detections(one.boxes, scores, np.ones(len(one.boxes), np.int64)))
    return Answer(tuple(images), heads.first)


def measure_two_stage_noise(reference: Answer, repeats: Sequence[Answer]) -> TwoStageNoise:
    """How far either stage of TensorFlow's moves from itself; second stages proposal by proposal."""
    own = require_two_stages(reference)
    others = [require_two_stages(repeat) for repeat in repeats]
    first = measure_noise(as_first_stage(own), [as_first_stage(other) for other in others])
    aligned = [
        Answer(repeat.images, _in_order(own, other).second()) for repeat, other in zip(repeats, others, strict=True)
    ]
    second = measure_noise(as_single_stage(reference), aligned)
    return TwoStageNoise(first, second)


def align(reference: TwoStageHeads, other: TwoStageHeads, least: float = SAME_PROPOSAL) -> list[np.ndarray]:
    """For each image pairs ``[m, 2]`` of rows (reference's, other's) that hold the same proposal."""
    pairs = []
    for one, two in zip(proposals_of(reference), proposals_of(other), strict=False):
        far = np.abs(one.boxes.astype(np.float64)[:, None] - two.boxes.astype(np.float64)[None]).max(axis=2)
        pairs.append(np.asarray(assign(far, far <= least).pairs, np.int64).reshape(-1, 2))
    return pairs


def compare_second_stage(
    reference: TwoStageHeads, observed: TwoStageHeads, noise: Noise, *, zeros_left_out: bool = False
) -> Comparison:
    """Box encodings and class scores of proposals that both sides have, element by element (DET-1, DET-2, PSR-3).

    With ``zeros_left_out`` observed scores of exactly zero are not compared: a converter may set to zero what cannot
    reach the answer.
    """
    pairs = align(reference, observed)
    assert reference.num_proposals is not None
    total = int(reference.num_proposals.sum())
    matched = sum(len(one) for one in pairs)
    if matched < max(1.0, _LEAST_ALIGNED * total):
        what = f"only {matched} of TensorFlow's {total} proposals are there, so the second stage has no counterpart"
        return Comparison("second stage", (Finding(what, {}),), compared=matched)
    one, two = _taken(reference, pairs, 0), _taken(observed, pairs, 1)
    left_out = 0
    if zeros_left_out and one.class_scores is not None and two.class_scores is not None:
        zero = (two.class_scores == 0.0) & (one.class_scores != 0.0)
        left_out = int(zero.sum())
        two = dataclasses.replace(two, class_scores=np.where(zero, one.class_scores, two.class_scores))
    parts = {
        "box encodings": compare_encodings(one, two, noise),
        "class scores": compare_scores(one, two, noise),
    }
    merged = merge_comparisons("second stage", parts)
    notes = (*merged.notes, f"{matched} of {total} proposals compared", *([f"{left_out} zeros"] if left_out else []))
    return dataclasses.replace(merged, compared=merged.compared - left_out, notes=notes)


def _taken(heads: TwoStageHeads, pairs: list[np.ndarray], side: int) -> Heads:
    def rows(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        return np.concatenate([values[image, one[:, side]] for image, one in enumerate(pairs)])[None]

    return Heads(rows(heads.box_encodings), rows(heads.class_scores))


def _in_order(reference: TwoStageHeads, other: TwoStageHeads) -> TwoStageHeads:
    """``other`` in the order of the reference's proposals; where it lacks one, the reference's own, unmoved."""
    pairs = align(reference, other)

    def ordered(own: np.ndarray | None, theirs: np.ndarray | None) -> np.ndarray | None:
        if own is None or theirs is None or own.shape[2:] != theirs.shape[2:]:
            return own
        result = own.copy()
        for image, one in enumerate(pairs):
            result[image, one[:, 0]] = theirs[image, one[:, 1]]
        return result

    return dataclasses.replace(
        reference,
        proposals=ordered(reference.proposals, other.proposals),
        box_encodings=ordered(reference.box_encodings, other.box_encodings),
        class_scores=ordered(reference.class_scores, other.class_scores),
    )


def _scores_of(boxes: np.ndarray, first: Heads, image: int) -> np.ndarray | None:
    """The objectness of the first stage's box that each proposal is; None where the first stage is not visible."""
    if first.box_encodings is None or first.class_scores is None or first.anchors is None or first.variances is None:
        return None
    decoded = decode_boxes(first.box_encodings[image : image + 1], first.anchors, first.variances)[0, :, 0]
    candidates = clip_to_window(decoded.astype(np.float64))
    objectness = first.class_scores[image, :, 1]
    far = np.abs(boxes.astype(np.float64)[:, None] - candidates[None]).max(axis=2)
    pairs = assign(far - 1e-7 * objectness[None].astype(np.float64), far <= SAME_PROPOSAL).pairs
    scores = np.zeros(len(boxes), np.float32)
    for row, candidate in pairs:
        scores[row] = objectness[candidate]
    return scores
