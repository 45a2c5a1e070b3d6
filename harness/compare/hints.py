"""What a wrong detection looks like: the sentence that saves the reader the search."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.compare.geometry import areas, clip_to_window, iou_matrix

if TYPE_CHECKING:
    from harness.observation.detections import Detections

# Hints only guess at a cause, so "the same" may be coarse: a thousandth of the image.
_SAME = 1.0e-3


@dataclasses.dataclass(frozen=True)
class One:
    """One detection: box ``[4]`` (YXYX, normalised), score, class."""

    box: np.ndarray
    score: float
    label: int

    @classmethod
    def of(cls, image: Detections, index: int) -> One:
        """Detection ``index`` of an image."""
        return cls(image.boxes[index].astype(np.float64), float(image.scores[index]), int(image.classes[index]))

    def __str__(self) -> str:
        corners = ", ".join(f"{corner:.4f}" for corner in self.box)
        return f"class {self.label}, score {self.score:.6g}, box [{corners}]"


def label_hint(observed: One, reference: One) -> str:
    """The class of one differs: named, with the offset, since off-by-one is the usual one (background column)."""
    offset = observed.label - reference.label
    reason = " (off by one: is the background counted differently?)" if abs(offset) == 1 else ""
    return f"class {observed.label} where TensorFlow says {reference.label}, which is {offset:+d}{reason}"


def box_hints(box: np.ndarray, reference: np.ndarray | None = None, unclipped: np.ndarray | None = None) -> list[str]:
    """What is remarkable about a box, alone and beside the one it should be (all YXYX, normalised).

    ``unclipped`` is the reference's box before clipping, where known.
    """
    hints = []
    if (box[2:] < box[:2]).any():
        hints.append("its corners are inverted")
    elif areas(box) <= 0.0:
        hints.append("it has no area")
    elif np.abs(clip_to_window(box) - [0.0, 0.0, 1.0, 1.0]).max() < _SAME:
        hints.append("it is the whole image")
    if np.abs(box).max() > 2.0:
        hints.append("its coordinates look like pixels, not shares of the image")
    if reference is None or not np.isfinite(box).all():
        return hints
    if _same(box, reference):
        return hints
    if _same(box[[1, 0, 3, 2]], reference):
        hints.append("x and y are swapped")
    elif unclipped is not None and _same(box, unclipped):
        hints.append("it is TensorFlow's box before clipping")
    elif _same(clip_to_window(box), reference):
        hints.append("it is not clipped to the image")
    else:
        hints.extend(_scaling(box, reference))
    return hints


def _scaling(box: np.ndarray, reference: np.ndarray) -> list[str]:
    """A box of the right centre and the wrong size, or of the right size and the wrong place."""
    size, wanted = box[2:] - box[:2], reference[2:] - reference[:2]
    if (wanted <= 0.0).any() or (size <= 0.0).any():
        return []
    moved = (box[:2] + box[2:] - reference[:2] - reference[2:]) / 2.0
    ratio = size / wanted
    hints = []
    for axis, name in enumerate(("height", "width")):
        if abs(moved[axis]) < _SAME and abs(ratio[axis] - 1.0) > 0.01:
            hints.append(f"its centre is right and its {name} is {100.0 * (ratio[axis] - 1.0):+.1f} %")
    if np.abs(moved).max() > _SAME and np.abs(size - wanted).max() < _SAME:
        hints.append(f"its size is right and it lies {moved[0]:+.4f} (y), {moved[1]:+.4f} (x) off")
    return hints


def place_hints(observed: One, image: int, references: tuple[Detections, ...], duplicate_of: int | None) -> list[str]:
    """Where else this detection belongs: it repeats another row, or it is another image's."""
    hints = []
    if duplicate_of is not None:
        hints.append(f"it repeats detection {duplicate_of}")
    for other, detections in enumerate(references):
        if other == image or not len(detections):
            continue
        overlap = iou_matrix(observed.box[None], detections.boxes.astype(np.float64))[0]
        alike = (overlap > 0.98) & (np.abs(detections.scores - observed.score) < _SAME)
        alike &= detections.classes == observed.label
        if alike.any():
            hints.append(f"TensorFlow gives it for image {other} of the batch")
            break
    return hints


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    return bool(np.abs(one - two).max() < _SAME)
