"""What the two stages of a detector hold between image and detections, in TensorFlow's conventions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.observation.detections import Answer, Heads

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class TwoStageHeads:
    """The raw heads of a Faster R-CNN, R-FCN or Mask R-CNN for a batch; what a side cannot show is None.

    ``first`` has box encodings ``[N, P, 1, 4]``, scores ``[N, P, 2]`` (background, object; after the softmax) and
    anchors ``[P, 4]`` of the first stage. ``proposals`` float32 ``[N, K, 4]`` are YXYX and normalised, padded with
    empty boxes behind the true ``num_proposals`` int64 ``[N]``; ``proposal_scores`` float32 ``[N, K]``. Of the second
    stage: ``box_encodings`` ``[N, K, Q, 4]`` (ty, tx, th, tw, before the box coder's scales; Q is 1 where classes
    share a box, and has no background), ``class_scores`` ``[N, K, C + 1]`` after the score converter, background
    first, and ``variances`` float32 ``[4]`` in the order y, x, h, w.
    """

    first: Heads = dataclasses.field(default_factory=Heads)
    proposals: np.ndarray | None = None
    proposal_scores: np.ndarray | None = None
    num_proposals: np.ndarray | None = None
    box_encodings: np.ndarray | None = None
    class_scores: np.ndarray | None = None
    variances: np.ndarray | None = None

    def images(self, count: int) -> TwoStageHeads:
        """The heads of the first images alone."""
        kept = {name: value[:count] for name, value in self._by_image().items()}
        first = dataclasses.replace(self.first, **{name: v[:count] for name, v in _by_image(self.first).items()})
        return dataclasses.replace(self, first=first, **kept)

    def second(self) -> Heads:
        """The second stage as one stage over the proposals: these are its anchors; padding has no score at all."""
        if self.proposals is None or self.num_proposals is None:
            return Heads()
        scores = self.class_scores
        if scores is not None:
            padding = np.arange(self.proposals.shape[1])[None] >= self.num_proposals[:, None]
            scores = np.where(padding[..., None], np.float32(0), scores)
        variances = None
        if self.variances is not None:
            variances = np.tile(self.variances.astype(np.float32), (self.proposals.shape[1], 1))
        return Heads(self.box_encodings, scores, self.proposals, variances)

    def _by_image(self) -> dict[str, np.ndarray]:
        names = ("proposals", "proposal_scores", "num_proposals", "box_encodings", "class_scores")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def as_single_stage(answer: Answer) -> Answer:
    """The answer with the second stage's heads as its heads: what its detections were picked from."""
    return answer if answer.two_stage is None else dataclasses.replace(answer, heads=answer.two_stage.second())


def true_number(boxes: np.ndarray) -> np.ndarray:
    """How many of the boxes ``[N, K, 4]`` come before the first one without area, int64 ``[N]``."""
    solid = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
    ended = np.concatenate([~solid, np.ones((len(solid), 1), bool)], axis=1)
    found: np.ndarray = ended.argmax(axis=1).astype(np.int64)
    return found


def join_two_stage(parts: Sequence[TwoStageHeads | None]) -> TwoStageHeads | None:
    """The heads of several batches as those of one; None what one of them lacks."""
    known = [part for part in parts if part is not None]
    if not known or len(known) != len(parts):
        return None

    def along_batch(holders: Sequence[object], name: str) -> np.ndarray | None:
        values = [getattr(holder, name) for holder in holders]
        return None if any(value is None for value in values) else np.concatenate(values)

    firsts = [part.first for part in known]
    first = Heads(
        along_batch(firsts, "box_encodings"),
        along_batch(firsts, "class_scores"),
        firsts[0].anchors,
        firsts[0].variances,
    )
    names = ("proposals", "proposal_scores", "num_proposals", "box_encodings", "class_scores")
    return TwoStageHeads(first, **{name: along_batch(known, name) for name in names}, variances=known[0].variances)


def _by_image(heads: Heads) -> dict[str, np.ndarray]:
    found = {name: getattr(heads, name) for name in ("box_encodings", "class_scores")}
    return {name: value for name, value in found.items() if value is not None}
