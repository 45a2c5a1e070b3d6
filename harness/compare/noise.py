"""Noise: how far TensorFlow moves from itself, per quantity, and how noise becomes a tolerance.

Noise is measured, per case, from repeats of the reference that ought to answer the same: other kernels, other thread
counts, inputs moved by one unit in the last place. A level keeps two numbers, the *worst* movement of any element
and the *typical* (mean) one: the first bounds single elements, the second catches a small error that all of them
share. One factor for the whole suite, :data:`TOLERANCE_FACTOR`, turns either into a tolerance.

The floor. Repeats can be bit-identical where kernels are deterministic, and then the measured noise is zero, which
no other implementation could meet. An honest floor follows from float32 alone: a value of magnitude ``m`` is stored
to ``m * EPSILON / 2``, and the operations between the last sum and the place we look at (bias, batch norm's scale
and shift, activation, box coder, axis swap) round about eight times. Hence ``FLOOR_EPSILONS * EPSILON * m``, with
``m`` the magnitude that 99 % of the reference's values stay under. It is the same rule for every case and quantity.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.compare.matching import pair_detections, take_detections
from harness.compare.resolution import (
    EPSILON,
    are_probabilities,
    logit,
    probability_resolution,
    probability_scale,
    value_resolution,
)
from harness.errors import CaseError
from harness.observation.detections import Answer, Detections

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Tolerance = TOLERANCE_FACTOR x noise, for every quantity of every case. How to choose it: take ``error / noise`` of
#: all comparisons that are known to be right, and the smallest such ratio of any fault that has to be found, and lie
#: between them with room on both sides. Measured on 25 SSD models (five eras, six predictors, f32, three scenes each):
#: right conversions reach 3.8 (anchors, whose noise is float32's floor), 2.3 (encodings), 1.2 (scores), 2.1
#: (detections); weights rounded to 16 bits, the smallest fault of a whole graph, start at 2300. Never raise it for one
#: case: find out why that case differs.
TOLERANCE_FACTOR = 10.0

FLOOR_EPSILONS = 4.0
_MAGNITUDE_QUANTILE = 0.99

Unit = Literal["logit", "encoding", "normalised", "score", "variance"]
Quantity = Literal["anchors", "encodings", "scores", "boxes", "detection_scores", "mask_logits"]


@dataclasses.dataclass(frozen=True)
class Level:
    """The noise of one quantity.

    ``worst`` and ``typical`` are measured, ``floor`` follows from float32; ``unit`` is what all three are in
    ("logit" when the quantity is a probability whose noise is measured before its sigmoid). ``elements`` were
    measured, of which a share ``moved`` moved at all; 0 elements means that only the floor is known.
    """

    worst: float
    typical: float
    floor: float
    unit: Unit
    elements: int = 0
    moved: float = 0.0

    @property
    def magnitude(self) -> float:
        """What one element may be off by: the worst movement seen, or the floor."""
        return max(self.worst, self.floor)

    @property
    def typical_magnitude(self) -> float:
        """What the mean over all elements may be off by: the mean movement seen, or the floor."""
        return max(self.typical, self.floor)

    def at(self, values: np.ndarray, *, typical: bool = False) -> np.ndarray:
        """The noise of each of ``values``, in the values' own unit, float64 of the same shape."""
        magnitude = self.typical_magnitude if typical else self.magnitude
        noise: np.ndarray
        if self.unit == "logit":
            noise = magnitude * probability_scale(values) + probability_resolution(values)
        else:
            noise = magnitude + value_resolution(values)
        return noise


@dataclasses.dataclass(frozen=True)
class Noise:
    """The noise of a case. A quantity that the reference does not show is None.

    ``anchors`` and ``boxes`` are in normalised coordinates, ``encodings`` in TensorFlow's encoding units, ``scores``
    (the heads') and ``detection_scores`` in logits, or in score units when they are no probabilities;
    ``mask_logits`` in logits.
    """

    anchors: Level | None = None
    encodings: Level | None = None
    scores: Level | None = None
    boxes: Level | None = None
    detection_scores: Level | None = None
    mask_logits: Level | None = None

    def to_mapping(self) -> dict[str, dict[str, Any] | None]:
        """A JSON-able mapping, for caches and certificates."""
        return dataclasses.asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Mapping[str, Any] | None]) -> Noise:
        """The inverse of :meth:`to_mapping`."""
        return cls(**{name: None if level is None else Level(**level) for name, level in mapping.items()})


def required(level: Level | None, quantity: Quantity) -> Level:
    """The level, or the error that a comparison without it has to be.

    Raises:
        CaseError: when the noise of this quantity is not known.

    """
    if level is None:
        raise CaseError(
            f"The noise of {quantity} is not known, so no difference in them can be judged.",
            where=f"noise of {quantity}",
            advice="Measure the noise on a reference that shows this quantity.",
        )
    return level


def floor_level(values: np.ndarray, unit: Unit) -> Level:
    """The level of values that no repeat can move (constants): float32's floor alone."""
    return Level(0.0, 0.0, _floor(values), unit)


def measure_noise(reference: Answer, repeats: Sequence[Answer]) -> Noise:
    """The noise of one batch, from the reference and repeats of it that ought to be equal.

    With no repeats every level is its floor. Detections are paired as sets, since a repeat may well flip a close
    decision, and pairs that a flip has made (another box won the tie) do not count as movement.

    Raises:
        CaseError: when a repeat has other shapes than the reference, or either has values that are not finite: then
            it is no repeat, or the reference no oracle.

    """
    for index, repeat in enumerate(repeats):
        if len(repeat.images) != len(reference.images):
            raise _unlike(f"has {len(repeat.images)} images where the reference has {len(reference.images)}", index)
    heads, others = reference.heads, [repeat.heads for repeat in repeats]
    pairs = [_paired(reference, repeat) for repeat in repeats]
    detected = reference.images
    return Noise(
        anchors=_plain(heads.anchors, [other.anchors for other in others], "normalised", "anchors", least=1.0),
        encodings=_plain(heads.box_encodings, [other.box_encodings for other in others], "encoding", "box encodings"),
        scores=_probability(
            _foreground(heads.class_scores), [_foreground(other.class_scores) for other in others], "class scores"
        ),
        boxes=_plain_pairs(_stack(detected, "boxes"), [(one.boxes, two.boxes) for one, two in pairs], "normalised"),
        detection_scores=_probability_pairs(
            _stack(detected, "scores"), [(one.scores, two.scores) for one, two in pairs], "detection scores"
        ),
        mask_logits=_masks(detected, pairs),
    )


def combine_noise(noises: Iterable[Noise]) -> Noise:
    """The noise of several batches of one case (its scenes) together: per quantity the largest of each number."""
    collected = list(noises)
    levels: dict[str, Level | None] = {}
    for field in dataclasses.fields(Noise):
        present = [level for noise in collected if (level := getattr(noise, field.name)) is not None]
        levels[field.name] = _largest(present) if present else None
    return Noise(**levels)


def _largest(levels: Sequence[Level]) -> Level:
    elements = sum(level.elements for level in levels)
    return Level(
        worst=max(level.worst for level in levels),
        typical=max(level.typical for level in levels),
        floor=max(level.floor for level in levels),
        # One scene whose raw scores happen to lie in [0, 1] does not make logits probabilities.
        unit=next((level.unit for level in levels if level.unit != "logit"), "logit"),
        elements=elements,
        moved=sum(level.moved * level.elements for level in levels) / elements if elements else 0.0,
    )


def _floor(values: np.ndarray, least: float = 0.0) -> float:
    finite = np.abs(values[np.isfinite(values)]).astype(np.float64)
    magnitude = float(np.quantile(finite, _MAGNITUDE_QUANTILE)) if finite.size else 0.0
    return FLOOR_EPSILONS * EPSILON * max(magnitude, least, EPSILON)


def _plain(
    reference: np.ndarray | None, repeats: Sequence[np.ndarray | None], unit: Unit, name: str, least: float = 0.0
) -> Level | None:
    if reference is None:
        return None
    _check_finite(reference, name, None)
    moves = [np.abs(other - reference) for other in _like(reference, repeats, name)]
    return _level(moves, _floor(reference, least), unit)


def _plain_pairs(reference: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]], unit: Unit) -> Level:
    # Corners are sums of numbers of the size of the image, so 1.0 is their magnitude even where boxes are small.
    floor = _floor(reference, 1.0)
    return _level([_without_flips(np.abs(two - one), floor) for one, two in pairs], floor, unit)


def _probability(reference: np.ndarray | None, repeats: Sequence[np.ndarray | None], name: str) -> Level | None:
    if reference is None:
        return None
    _check_finite(reference, name, None)
    others = _like(reference, repeats, name)
    unit: Unit = "logit" if are_probabilities(reference) else "score"
    measure = logit_movement if unit == "logit" else _absolute
    floor = _floor(logit(reference)) if unit == "logit" else _floor(reference)
    return _level([measure(reference, other) for other in others], floor, unit)


def _probability_pairs(reference: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]], name: str) -> Level:
    _check_finite(reference, name, None)
    unit: Unit = "logit" if are_probabilities(reference) else "score"
    measure = logit_movement if unit == "logit" else _absolute
    floor = _floor(logit(reference)) if unit == "logit" else _floor(reference)
    return _level([_without_flips(measure(one, two), floor) for one, two in pairs], floor, unit)


def _masks(images: Sequence[Detections], pairs: Sequence[tuple[Detections, Detections]]) -> Level | None:
    masks = [image.masks.ravel() for image in images if image.masks is not None]
    if not masks:
        return None
    values = np.concatenate(masks)
    _check_finite(values, "masks", None)
    floor = _floor(logit(values))
    # A crop along a box that ends at the image's edge has its last row inside or outside by a rounding, and is then
    # another crop: that is a flip of one mask, and no movement of all of them.
    moves = [
        _without_flips(logit_movement(one.masks, two.masks), floor)
        for one, two in pairs
        if one.masks is not None and two.masks is not None
    ]
    return _level(moves, floor, "logit")


def logit_movement(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """How far each logit moved between two arrays of probabilities, as far as their float32 values can tell.

    What the probabilities' own resolution explains is taken off first: near 1 a single unit in the last place would
    otherwise look like a whole logit.
    """
    one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
    resolution = np.maximum(probability_resolution(one), probability_resolution(two))
    scale = np.maximum(probability_scale((one + two) / 2.0), resolution)
    moved: np.ndarray = np.maximum(np.abs(two - one) - resolution, 0.0) / scale
    return moved


def _absolute(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    moved: np.ndarray = np.abs(np.asarray(two, np.float64) - one)
    return moved


def _level(moves: Sequence[np.ndarray], floor: float, unit: Unit) -> Level:
    sized = [np.asarray(move, np.float64) for move in moves if move.size]
    elements = sum(move.size for move in sized)
    return Level(
        worst=max((float(move.max()) for move in sized), default=0.0),
        typical=max((float(move.mean()) for move in sized), default=0.0),
        floor=floor,
        unit=unit,
        elements=elements,
        moved=sum(int((move > 0).sum()) for move in sized) / elements if elements else 0.0,
    )


def _without_flips(moves: np.ndarray, floor: float) -> np.ndarray:
    """Drop pairs that are two different boxes: thirty times further apart than most pairs is no rounding."""
    if not moves.size:
        return moves
    by_pair = moves.reshape(moves.shape[0], -1).max(axis=1)
    kept: np.ndarray = moves[by_pair <= 30.0 * (float(np.median(by_pair)) + floor)]
    return kept


def _paired(reference: Answer, repeat: Answer) -> tuple[Detections, Detections]:
    """The detections of both that pair up, image after image, one below the other."""
    ones, twos = [], []
    for one, two in zip(reference.images, repeat.images, strict=True):
        pairs = pair_detections(one, two, least_iou=0.9).pairs
        ones.append(take_detections(one, [first for first, _ in pairs]))
        twos.append(take_detections(two, [second for _, second in pairs]))
    return _concatenate(ones), _concatenate(twos)


def _concatenate(images: Sequence[Detections]) -> Detections:
    masks = [image.masks for image in images if image.masks is not None]
    return Detections(
        _stack(images, "boxes"),
        _stack(images, "scores"),
        _stack(images, "classes"),
        np.concatenate(masks) if masks and len(masks) == len(images) else None,
    )


def _stack(images: Sequence[Detections], name: str) -> np.ndarray:
    empty = np.zeros((0, 4), np.float32) if name == "boxes" else np.zeros(0, np.float32)
    return np.concatenate([empty, *(getattr(image, name) for image in images)])


def _foreground(scores: np.ndarray | None) -> np.ndarray | None:
    """The columns that a side can show: all, or all but a background that its contract lacks."""
    if scores is None or not scores.shape[-1] or not np.isnan(scores[..., 0]).all():
        return scores
    return scores[..., 1:]


def _like(reference: np.ndarray, repeats: Sequence[np.ndarray | None], name: str) -> list[np.ndarray]:
    checked = []
    for index, repeat in enumerate(repeats):
        if repeat is None or repeat.shape != reference.shape:
            shape = "none" if repeat is None else f"shape {list(repeat.shape)}"
            raise _unlike(f"has {shape} for {name}, where the reference has {list(reference.shape)}", index)
        _check_finite(repeat, name, index)
        checked.append(repeat.astype(np.float64))
    return checked


def _check_finite(values: np.ndarray, name: str, repeat: int | None) -> None:
    bad = int((~np.isfinite(values)).sum())
    if bad:
        side = "reference" if repeat is None else f"repeat {repeat} of the reference"
        raise CaseError(
            f"The {side} has {bad} values of {values.size} in its {name} that are not finite.",
            where=name,
            advice="A reference that is not finite proves nothing: give the case other weights or inputs.",
        )


def _unlike(what: str, repeat: int) -> CaseError:
    return CaseError(
        f"Noise cannot be measured: repeat {repeat} of the reference {what}.",
        where=f"repeat {repeat}",
        advice="Run the repeats on the same graph, inputs and outputs as the reference.",
    )
