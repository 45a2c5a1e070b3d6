"""Pairing two sets of detections of one image: per class, by the best assignment of all, never by index."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from harness.compare.geometry import iou_matrix
from harness.observation.detections import Detections

if TYPE_CHECKING:
    from collections.abc import Sequence


_IMPOSSIBLE = 1.0e6


@dataclasses.dataclass(frozen=True)
class Pairing:
    """Pairs (index in one, index in the other), and what of either is left over; all in ascending order."""

    pairs: tuple[tuple[int, int], ...]
    left_one: tuple[int, ...]
    left_two: tuple[int, ...]


def pair_detections(
    one: Detections,
    two: Detections,
    *,
    least_iou: float = 0.5,
    feasible: np.ndarray | None = None,
    any_class: bool = False,
) -> Pairing:
    """The assignment that pairs as many as it can, then costs least: ``1 - IoU`` plus the score gap.

    Only detections of the same class (unless ``any_class``) whose boxes overlap by ``least_iou`` pair up, and, where
    ``feasible`` ``[len(one), len(two)]`` is given, only where it is true. A greedy choice could steal a neighbour's
    counterpart; the assignment cannot.
    """
    iou = iou_matrix(one.boxes.astype(np.float64), two.boxes.astype(np.float64))
    gap = np.abs(one.scores.astype(np.float64)[:, None] - two.scores.astype(np.float64)[None])
    allowed = iou >= least_iou
    if feasible is not None:
        allowed &= feasible
    if not any_class:
        allowed &= one.classes[:, None] == two.classes[None]
    return assign(1.0 - iou + gap, allowed)


def take_detections(image: Detections, indices: Sequence[int]) -> Detections:
    """Some detections of an image, in the order given."""
    chosen = np.asarray(indices, np.int64)
    masks = None if image.masks is None else image.masks[chosen]
    return Detections(image.boxes[chosen], image.scores[chosen], image.classes[chosen], masks)


def assign(cost: np.ndarray, allowed: np.ndarray) -> Pairing:
    """The cheapest of the largest assignments of ``cost`` ``[A, B]`` that uses only ``allowed`` pairs."""
    usable = np.where(allowed & np.isfinite(cost), cost, _IMPOSSIBLE)
    rows, columns = linear_sum_assignment(usable) if usable.size else ((), ())
    pairs = tuple((int(a), int(b)) for a, b in zip(rows, columns, strict=True) if usable[a, b] < _IMPOSSIBLE)
    used_one, used_two = {first for first, _ in pairs}, {second for _, second in pairs}
    return Pairing(
        pairs=pairs,
        left_one=tuple(index for index in range(cost.shape[0]) if index not in used_one),
        left_two=tuple(index for index in range(cost.shape[1]) if index not in used_two),
    )
