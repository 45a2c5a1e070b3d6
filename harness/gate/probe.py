"""A frozen IR as a probe: the same file under two versions of OpenVINO, so that only the runtime can differ.

What comes back is told apart: the same answers; near-tied rows in another order, with nothing lost; rows whose values
moved; rows without a counterpart.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from harness.observation.detections import Detections

# Answers of one IR under two versions were equal to 1e-5 wherever nothing was decided otherwise (scores, and boxes as
# shares of the image). Noise that was measured on the old version widens this, by the factor.
FLOOR = 1e-5
FACTOR = 4.0
# From here on two rows speak of the same object.
_SAME_OBJECT = 0.5

Kind = Literal["same", "swapped", "moved", "without_counterpart", "nothing", "failed"]


@dataclasses.dataclass(frozen=True)
class Probed:
    """What one IR answered under both versions, over all images.

    ``rows`` are those of the old version; ``swapped`` pairs of neighbours in the old order that changed places though
    tied within ``tolerance``, ``reordered`` those that were not tied; ``moved`` rows whose counterpart is further away
    than the tolerance, ``lost`` and ``added`` those without one. ``worst`` is the largest difference of a score,
    coordinate or mask value among the rows that have a counterpart. ``kind`` is the gravest that occurs.
    """

    case: str
    kind: Kind
    rows: int = 0
    swapped: int = 0
    reordered: int = 0
    moved: int = 0
    lost: int = 0
    added: int = 0
    worst: float = 0.0
    tolerance: float = FLOOR
    why: str = ""

    @property
    def regression(self) -> bool:
        """Whether the new version's answers are other ones; an order among ties is not, and nothing is no answer."""
        return self.kind not in ("same", "swapped", "nothing")


def tolerance_of(answers: Sequence[Detections], again: Sequence[Detections]) -> float:
    """What two versions may differ by: a multiple of how far the old one moved from itself when asked differently."""
    worst = max((_match(one, other)[2] for one, other in zip(answers, again, strict=True)), default=0.0)
    return max(FLOOR, FACTOR * worst) if np.isfinite(worst) else FLOOR


def probe(case: str, old: Sequence[Detections], new: Sequence[Detections], tolerance: float = FLOOR) -> Probed:
    """Compare the answers to the same images, one :class:`Detections` an image, in the order as given."""
    counts: dict[str, int] = dict.fromkeys(("rows", "swapped", "reordered", "moved", "lost", "added"), 0)
    worst = 0.0
    for before, after in zip(old, new, strict=True):
        pairs, distances, largest = _match(before, after)
        worst = float(np.maximum(worst, largest))
        counts["rows"] += len(before)
        # A NaN is further away than anything.
        counts["moved"] += int((~(distances <= tolerance)).sum())
        counts["lost"] += len(before) - len(pairs)
        counts["added"] += len(after) - len(pairs)
        tied, untied = _order(before, pairs, tolerance)
        counts["swapped"] += tied
        counts["reordered"] += untied
    kind: Kind = "same"
    if not counts["rows"] and not counts["added"]:
        kind = "nothing"
    elif counts["lost"] or counts["added"]:
        kind = "without_counterpart"
    elif counts["moved"] or counts["reordered"]:
        kind = "moved"
    elif counts["swapped"]:
        kind = "swapped"
    return dataclasses.replace(Probed(case, kind, worst=worst, tolerance=tolerance), **counts)  # type: ignore[arg-type]


def describe(one: Probed) -> str:
    """One line for a terminal."""
    told = {
        "same": f"the same answers, {one.rows} rows to {one.worst:.1e}",
        "swapped": f"near-tied rows swapped: {one.swapped} of {one.rows}, nothing lost (to {one.worst:.1e})",
        "moved": f"{one.moved} of {one.rows} rows moved by up to {one.worst:.1e}, {one.reordered} changed places",
        "without_counterpart": f"rows without counterpart: {one.lost} of {one.rows} lost, {one.added} added",
        "nothing": "nothing was compared, for neither version answers any row",
        "failed": one.why,
    }[one.kind]
    return f"{'REGRESSION' if one.regression else 'frozen IR '} {one.case}: {told}"


def _match(before: Detections, after: Detections) -> tuple[list[tuple[int, int]], np.ndarray, float]:
    """Pairs of indices, the distance of each pair float64 ``[P]``, and the largest of them.

    Rows of one class pair up so that the distances sum to the least; those further apart than an object is wide are
    no pair. Two rows are as far apart as the largest difference of score, coordinates and mask values.
    """
    pairs: list[tuple[int, int]] = []
    distances: list[float] = []
    for label in np.union1d(before.classes, after.classes):
        rows, columns = np.flatnonzero(before.classes == label), np.flatnonzero(after.classes == label)
        cost = _distances(before, rows, after, columns)
        for row, column in zip(*linear_sum_assignment(np.minimum(np.nan_to_num(cost, nan=1e3), 1e3)), strict=True):
            if _is_same_object(before, int(rows[row]), after, int(columns[column])):
                pairs.append((int(rows[row]), int(columns[column])))
                distances.append(float(cost[row, column]))
    pairs_in_order = sorted(range(len(pairs)), key=lambda index: pairs[index])
    array = np.array([distances[index] for index in pairs_in_order], np.float64)
    largest = float(np.max(array)) if array.size else 0.0
    return [pairs[index] for index in pairs_in_order], array, largest


def _distances(before: Detections, rows: np.ndarray, after: Detections, columns: np.ndarray) -> np.ndarray:
    scores = np.abs(before.scores[rows][:, None].astype(np.float64) - after.scores[columns][None])
    boxes = np.abs(before.boxes[rows][:, None].astype(np.float64) - after.boxes[columns][None]).max(axis=-1, initial=0)
    found = np.maximum(scores, boxes)
    if before.masks is not None and after.masks is not None:
        for place, row in enumerate(rows):
            masks = np.abs(after.masks[columns].astype(np.float64) - before.masks[row]).max(axis=(1, 2), initial=0)
            found[place] = np.maximum(found[place], masks)
    return np.asarray(found)


def _is_same_object(before: Detections, row: int, after: Detections, column: int) -> bool:
    one, other = before.boxes[row].astype(np.float64), after.boxes[column].astype(np.float64)
    if not np.isfinite(one).all() or not np.isfinite(other).all():
        return False
    if np.abs(one - other).max() <= FLOOR:
        return True  # also a box without area
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    areas = [float(np.prod(np.maximum(box[2:] - box[:2], 0))) for box in (one, other)]
    union = sum(areas) - shared
    return union > 0 and shared / union >= _SAME_OBJECT


def _order(before: Detections, pairs: Sequence[tuple[int, int]], tolerance: float) -> tuple[int, int]:
    """How many neighbours in the old order changed places, tied ones and others."""
    tied = untied = 0
    for (row, place), (next_row, next_place) in itertools.pairwise(pairs):
        if place > next_place:
            gap = abs(float(before.scores[row]) - float(before.scores[next_row]))
            close = gap <= 2 * tolerance
            tied += close
            untied += not close
    return tied, untied
