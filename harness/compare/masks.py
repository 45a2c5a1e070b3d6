"""Masks of matched detections, each on its detection's own class: as logits, and binarised at one half.

Boxes and scores say nothing of masks: an answer with perfect boxes may carry another instance's masks, another
class's channel, or a sigmoid too many (MSK-4). So masks are compared pair by pair, after the detections have paired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.checks.result import Finding
from harness.compare.comparison import Comparison, Explanation, Worst, limited, worst_of
from harness.compare.head_guesses import sigmoid
from harness.compare.matching import pair_detections
from harness.compare.noise import TOLERANCE_FACTOR, Level, Noise, required
from harness.compare.resolution import logit
from harness.errors import CaseError

if TYPE_CHECKING:
    from harness.compare.crop_edges import CropEdges
    from harness.observation.detections import Answer, Detections

#: Of the reference's masks at least so many must have found their counterpart, or too little was compared.
_LEAST_PAIRED = 0.5
#: So many masks may differ since their crop's last row hangs on a bit, and one always may.
_MOST_UNDECIDED = 0.1
#: A row of zeros at the edge of a crop moves a mask, but never makes another object of it.
_STILL_THE_SAME = 0.8
_UNDECIDED = "its box ends at the image's edge, where a bit decides whether TensorFlow's last row of a crop is zero"


def compare_masks(
    reference: Answer,
    observed: Answer,
    noise: Noise,
    *,
    edges: CropEdges | None = None,
    factor: float = TOLERANCE_FACTOR,
) -> Comparison:
    """Compare the masks of all detections that pair up (class, box and score within tolerance) (MSK-2, MSK-4).

    Where ``edges`` says that the crop along a box is undecided, a mask that differs is explained; few may.

    Detections without a counterpart are the matter of :func:`harness.compare.detections.compare_detections`; their
    masks are left out, and counted in the notes. Errors are in logits; what a saturated float32 probability cannot
    show is not held against it.

    Raises:
        CaseError: when the reference's masks are no probabilities, or their noise is not known.

    """
    findings: list[Finding] = []
    worst: Worst | None = None
    explanations: list[Explanation] = []
    errors: list[tuple[float, float]] = []
    compared, total, least_iou = 0, 0, 1.0
    for image, (one, two) in enumerate(zip(reference.images, observed.images, strict=False)):
        if one.masks is None or not len(one):
            continue
        total += len(one)
        level = required(noise.mask_logits, "mask_logits")
        if not (np.isfinite(one.masks).all() and one.masks.min() >= 0.0 and one.masks.max() <= 1.0):
            raise CaseError(
                f"The reference's masks of image {image} are no probabilities.",
                where=f"masks of image {image}",
                advice="Read the masks behind their sigmoid.",
            )
        if two.masks is None:
            findings.append(Finding("there are no masks where TensorFlow has them", {"image": image}))
            continue
        if two.masks.shape[1:] != one.masks.shape[1:]:
            what = f"masks are {list(two.masks.shape[1:])} where TensorFlow's are {list(one.masks.shape[1:])}"
            findings.append(Finding(what, {"image": image}))
            continue
        for first, second in _pairs(one, two, noise, factor):
            pair = _MaskPair(one, two.masks[second], first, level, factor)
            compared += 1
            place: dict[str, object] = {
                "image": image,
                "class": int(one.classes[first]),
                "detection": second,
                "reference": first,
            }
            fault = pair.fault()
            if fault is not None and edges is not None and edges.undecided(one.boxes[first]) and pair.is_a_mask:
                explanations.append(Explanation(f"the mask of detection {second} {fault}; {_UNDECIDED}", place, True))
                continue
            worst = worst_of([worst, pair.worst])
            least_iou = min(least_iou, pair.iou)
            errors.append(pair.mean_error)
            if fault is not None:
                findings.append(pair.finding(f"the mask of detection {second} {fault}", place))
    if total and compared < _LEAST_PAIRED * total and not findings:
        findings.append(Finding(f"only {compared} of TensorFlow's {total} masks have a detection to be compared with"))
    findings += [] if findings else _in_the_mean(errors, factor)
    if len(explanations) > max(1, int(_MOST_UNDECIDED * total)):
        what = f"{len(explanations)} of {total} masks differ along boxes that end at the image's edge"
        findings.append(Finding(f"{what}, over the share of {_MOST_UNDECIDED:g} that may"))
    return Comparison(
        "masks",
        limited(findings),
        worst=worst,
        factor=factor,
        compared=compared,
        explanations=tuple(explanations),
        notes=(f"{compared} of {total} masks compared; the least IoU at one half is {least_iou:.6g}",) if total else (),
    )


class _MaskPair:
    """One mask beside the one that it should be."""

    def __init__(self, reference: Detections, mask: np.ndarray, index: int, level: Level, factor: float) -> None:
        self.masks = np.asarray(reference.masks, np.float64)
        self.index = index
        self.wanted = self.masks[index]
        self.seen = mask.astype(np.float64)
        self.level = level
        self.factor = factor
        self.ratio = np.abs(self.seen - self.wanted) / level.at(self.wanted)
        self.worst: Worst | None = None
        if np.isfinite(self.seen).all():
            self.worst = Worst(float(self.ratio.max()) * level.magnitude, level.magnitude, "logit")

    @property
    def iou(self) -> float:
        """IoU of both masks binarised at one half; 1.0 when both are empty."""
        one, two = self.wanted > 0.5, self.seen > 0.5
        union = int((one | two).sum())
        return int((one & two).sum()) / union if union else 1.0

    @property
    def mean_error(self) -> tuple[float, float]:
        """The mean error of the values, and TensorFlow's own mean movement there."""
        error = float(np.abs(self.seen - self.wanted).mean())
        return error, float(self.level.at(self.wanted, typical=True).mean())

    @property
    def is_a_mask(self) -> bool:
        """Whether the values are probabilities of the same object, if not the same ones."""
        proper = bool(np.isfinite(self.seen).all() and self.seen.min() >= 0.0 and self.seen.max() <= 1.0)
        return proper and self.iou >= _STILL_THE_SAME

    def fault(self) -> str | None:
        """What is wrong, in words; None when nothing is."""
        if not np.isfinite(self.seen).all():
            return f"has {int((~np.isfinite(self.seen)).sum())} values that are not finite"
        if self.seen.min() < 0.0 or self.seen.max() > 1.0:
            missing = "; the sigmoid is missing" if self._fits(sigmoid(self.seen)) else ""
            return (
                f"has values from {self.seen.min():.4g} to {self.seen.max():.4g}, which are no probabilities{missing}"
            )
        wrong = int((self.ratio > self.factor).sum())
        if not wrong:
            return None
        text = f"differs in {wrong} of {self.seen.size} values, IoU at one half {self.iou:.4g}"
        hint = self._hint()
        return f"{text}; {hint}" if hint else text

    def finding(self, what: str, place: dict[str, object]) -> Finding:
        """The finding of a fault."""
        if self.worst is None:
            return Finding(what, place, error=float("inf"), unit="logit")
        return Finding(
            what,
            place,
            error=self.worst.error,
            noise=self.worst.noise,
            tolerance=self.factor * self.worst.noise,
            passing_tolerance=self.worst.error,
            unit="logit",
        )

    def _fits(self, mask: np.ndarray) -> bool:
        if mask.shape != self.wanted.shape:
            return False
        # A hint only has to recognise: ten times the tolerance, and one pixel in a hundred may miss it.
        return bool((np.abs(mask - self.wanted) <= 10.0 * self.factor * self.level.at(self.wanted)).mean() > 0.99)

    def _hint(self) -> str | None:
        for other, mask in enumerate(self.masks):
            near = np.abs(self.seen - mask) <= 10.0 * self.factor * self.level.at(mask)
            if other != self.index and near.mean() > 0.99:
                return f"it is the mask of TensorFlow's detection {other}"
        guesses = {
            "it is transposed": self.seen.T,
            "it is upside down": self.seen[::-1],
            "it is mirrored": self.seen[:, ::-1],
            "it is inverted": 1.0 - self.seen,
            "the sigmoid was applied twice": logit(self.seen),
        }
        return next((text for text, undone in guesses.items() if self._fits(undone)), None)


def _in_the_mean(errors: list[tuple[float, float]], factor: float) -> list[Finding]:
    """A small error that all masks have, each value within its own tolerance.

    Of a single mask nothing follows: its box may have moved ten times as far as most do, and it with it.
    """
    if not errors:
        return []
    error, noise = (float(np.mean(column)) for column in zip(*errors, strict=True))
    if not error > factor * noise:
        return []
    what = f"the masks are off by {error / noise:.4g} times TensorFlow's own movement in the mean"
    return [Finding(what, error=error, noise=noise, tolerance=factor * noise, passing_tolerance=error)]


def _pairs(one: Detections, two: Detections, noise: Noise, factor: float) -> tuple[tuple[int, int], ...]:
    box_noise, score_noise = required(noise.boxes, "boxes"), required(noise.detection_scores, "detection_scores")
    corners = np.abs(one.boxes.astype(np.float64)[:, None] - two.boxes.astype(np.float64)[None])
    gaps = np.abs(one.scores.astype(np.float64)[:, None] - two.scores.astype(np.float64)[None])
    near = (corners <= factor * box_noise.at(one.boxes)[:, None]).all(axis=2)
    near &= gaps <= factor * score_noise.at(one.scores)[:, None]
    return pair_detections(one, two, least_iou=0.0, feasible=near).pairs
