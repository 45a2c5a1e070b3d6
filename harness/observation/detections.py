"""The one canonical form of what a detector answers, whichever side answered and by whichever contract.

Boxes are ``[ymin, xmin, ymax, xmax]`` in TensorFlow's order, normalised to the image (1.0 is the full height or
width). Classes are TensorFlow's ``detection_classes``: 1 is the first class, background never appears.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from harness.observation.two_stage import TwoStageHeads


@dataclasses.dataclass(frozen=True)
class Detections:
    """The detections of one image, in the order in which they were given; padding is already gone.

    ``boxes`` float32 ``[D, 4]``, ``scores`` float32 ``[D]``, ``classes`` int64 ``[D]``,
    ``masks`` float32 ``[D, h, w]`` after the sigmoid, each of the detection's own class, or None.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    masks: np.ndarray | None = None

    def __len__(self) -> int:
        return int(self.scores.shape[0])


@dataclasses.dataclass(frozen=True)
class Heads:
    """The raw heads of a detector for a batch, in TensorFlow's conventions.

    ``box_encodings`` float32 ``[N, P, Q, 4]`` (ty, tx, th, tw; before the box coder's scales; Q is 1 for boxes
    shared by the classes), ``class_scores`` float32 ``[N, P, C + 1]`` *after* the score converter, background first
    (a converter whose contract has no background column leaves column 0 NaN), ``anchors`` float32 ``[P, 4]``
    (ymin, xmin, ymax, xmax; normalised; ``[N, P, 4]`` where images differ in them) and ``variances`` float32
    ``[P, 4]`` in the order y, x, h, w. Whatever a side cannot show is None; nothing is invented.
    """

    box_encodings: np.ndarray | None = None
    class_scores: np.ndarray | None = None
    anchors: np.ndarray | None = None
    variances: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one side says about one batch of scenes: a :class:`Detections` an image, and the heads where visible.

    ``heads`` are those of a detector of one stage; what the stages of a detector of two hold is in ``two_stage``.
    """

    images: tuple[Detections, ...]
    heads: Heads = Heads()
    two_stage: TwoStageHeads | None = None
