"""Raw heads and priors, element by element: agreement after suppression hides errors that are made before it.

Each quantity is held to two bounds. No element may be off by more than ``factor`` times its own noise, and the mean
error may not be over ``factor`` times the mean movement of TensorFlow's repeats: a small error that every element
shares stays under the first bound and not under the second.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.checks.result import Finding
from harness.compare.comparison import Comparison, Worst
from harness.compare.head_guesses import (
    Guess,
    clipped,
    reversed_anchors,
    reversed_images,
    sigmoid,
    sigmoid_of_softmax,
    softmax,
    swapped_axes,
)
from harness.compare.noise import TOLERANCE_FACTOR, Level, Noise, floor_level, required
from harness.compare.resolution import logit
from harness.errors import CaseError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.observation.detections import Heads

_BOX = ("ymin", "xmin", "ymax", "xmax")
_CODE = ("ty", "tx", "th", "tw")
_COORDINATES = {"anchors": _BOX, "box encodings": _CODE, "variances": ("y", "x", "h", "w")}


@dataclasses.dataclass(frozen=True)
class _Quantity:
    """What is compared: ``axes`` name the dimensions, ``guesses`` are transforms of the observed worth a hint."""

    subject: str
    axes: tuple[str, ...]
    unit: str
    guesses: tuple[Guess, ...]
    first_class: int = 0

    def place(self, at: tuple[int, ...], layer_sizes: Sequence[int] | None) -> dict[str, object]:
        """The element's place in words: image, anchor, feature map, class, coordinate."""
        where: dict[str, object] = {}
        for axis, index in zip(self.axes, at, strict=True):
            if axis == "coordinate":
                where[axis] = _COORDINATES[self.subject][index]
            elif axis == "class":
                where[axis] = index + self.first_class
            else:
                where[axis] = index
            if axis == "anchor" and layer_sizes is not None:
                where["feature_map"] = int(np.searchsorted(np.cumsum(layer_sizes), index, side="right"))
        return where


def compare_heads(
    reference: Heads,
    observed: Heads,
    noise: Noise,
    *,
    layer_sizes: Sequence[int] | None = None,
    factor: float = TOLERANCE_FACTOR,
) -> dict[str, Comparison]:
    """All heads that the reference shows, the anchors first (PRI-4): by name, in the order they ought to be read in.

    ``layer_sizes`` are the numbers of anchors of each feature map, in order: then findings name the feature map.
    A head that the reference shows and the observed does not is a comparison of nothing (outcome "error").
    """
    compared = {
        "anchors": (compare_anchors, reference.anchors),
        "variances": (compare_variances, reference.variances),
        "box_encodings": (compare_encodings, reference.box_encodings),
        "class_scores": (compare_scores, reference.class_scores),
    }
    return {
        name: compare(reference, observed, noise, layer_sizes=layer_sizes, factor=factor)
        for name, (compare, shown) in compared.items()
        if shown is not None
    }


def compare_anchors(
    reference: Heads,
    observed: Heads,
    noise: Noise,
    *,
    layer_sizes: Sequence[int] | None = None,
    factor: float = TOLERANCE_FACTOR,
) -> Comparison:
    """The anchors (priors) ``[P, 4]``, normalised, element by element (PRI-2, PRI-4)."""
    shared = reference.anchors is not None and reference.anchors.ndim == 2
    axes = ("anchor", "coordinate") if shared else ("image", "anchor", "coordinate")
    quantity = _Quantity(
        "anchors", axes, "normalised", (swapped_axes(), ("they are clipped", clipped), reversed_anchors(-2))
    )
    level = None if reference.anchors is None else required(noise.anchors, "anchors")
    return _compare(quantity, reference.anchors, observed.anchors, level, layer_sizes, factor)


def compare_variances(
    reference: Heads,
    observed: Heads,
    noise: Noise,
    *,
    layer_sizes: Sequence[int] | None = None,
    factor: float = TOLERANCE_FACTOR,
) -> Comparison:
    """The variances ``[P, 4]`` (y, x, h, w), element by element; constants, so only float32's floor is allowed."""
    del noise
    guesses: tuple[Guess, ...] = (
        ("they are the coder's scales, not 1 / scale", lambda seen, _: 1.0 / np.where(seen == 0.0, 1.0, seen)),
        ("those of the centre and of the size are exchanged", lambda seen, _: seen[..., [2, 3, 0, 1]]),
        swapped_axes(),
    )
    quantity = _Quantity("variances", ("anchor", "coordinate"), "variance", guesses)
    level = None if reference.variances is None else floor_level(reference.variances, "variance")
    return _compare(quantity, reference.variances, observed.variances, level, layer_sizes, factor)


def compare_encodings(
    reference: Heads,
    observed: Heads,
    noise: Noise,
    *,
    layer_sizes: Sequence[int] | None = None,
    factor: float = TOLERANCE_FACTOR,
) -> Comparison:
    """The box encodings ``[N, P, Q, 4]`` in TensorFlow's units, element by element (SSD-6, DET-1, DET-3)."""
    guesses = [swapped_axes(), reversed_images(), reversed_anchors(axis=1)]
    variances = reference.variances
    if variances is not None:
        spread = variances[None, :, None]
        guesses.append(("they are multiplied by the variances", lambda seen, _: seen / spread))
        guesses.append(("they are divided by the variances", lambda seen, _: seen * spread))
    quantity = _Quantity("box encodings", ("image", "anchor", "class", "coordinate"), "encoding", tuple(guesses))
    level = None if reference.box_encodings is None else required(noise.encodings, "encodings")
    return _compare(quantity, reference.box_encodings, observed.box_encodings, level, layer_sizes, factor)


def compare_scores(
    reference: Heads,
    observed: Heads,
    noise: Noise,
    *,
    layer_sizes: Sequence[int] | None = None,
    factor: float = TOLERANCE_FACTOR,
) -> Comparison:
    """The class scores ``[N, P, C + 1]`` behind the score converter, element by element (SSD-3).

    Where either side's contract has no background, column 0 is all NaN there, and is left out on both. Noise of
    probabilities is in logits, so small scores are held to small errors.
    """
    one, two = reference.class_scores, observed.class_scores
    first = 0
    notes: tuple[str, ...] = ()
    comparable = one is not None and two is not None and one.shape == two.shape and one.shape[-1] > 1
    if comparable and one is not None and two is not None and (_is_blank(one[..., 0]) or _is_blank(two[..., 0])):
        one, two, first = one[..., 1:], two[..., 1:], 1
        notes = ("the background's column was not compared: one side has none",)
    guesses: tuple[Guess, ...] = (
        ("the class columns lie one too far left", lambda seen, _: np.roll(seen, 1, 2)),
        ("the class columns lie one too far right", lambda seen, _: np.roll(seen, -1, 2)),
        ("they are logits: the sigmoid is missing", lambda seen, _: sigmoid(seen)),
        ("they are logits: the softmax is missing", lambda seen, _: softmax(seen)),
        ("the sigmoid was applied twice", lambda seen, _: logit(seen)),
        ("TensorFlow's are a sigmoid of the logits that these are a softmax of", sigmoid_of_softmax),
        reversed_images(),
        reversed_anchors(axis=1),
    )
    quantity = _Quantity("class scores", ("image", "anchor", "class"), "score", guesses, first_class=first)
    level = None if one is None else required(noise.scores, "scores")
    comparison = _compare(quantity, one, two, level, layer_sizes, factor)
    return dataclasses.replace(comparison, notes=(*comparison.notes, *notes))


def _compare(
    quantity: _Quantity,
    reference: np.ndarray | None,
    observed: np.ndarray | None,
    level: Level | None,
    layer_sizes: Sequence[int] | None,
    factor: float,
) -> Comparison:
    subject = quantity.subject
    if reference is None or observed is None or level is None:
        side = "the reference" if reference is None else "the answer"
        return Comparison(subject, factor=factor, notes=(f"{side} shows no {subject}",))
    _check_reference(reference, subject)
    if observed.shape != reference.shape:
        what = f"{subject} have shape {list(observed.shape)} where TensorFlow's have {list(reference.shape)}"
        return Comparison(subject, (Finding(what),), factor=factor)
    if not reference.size:
        return Comparison(subject, factor=factor, notes=(f"there are no {subject}",))

    finite = np.isfinite(observed)
    off = np.where(finite, np.abs(np.where(finite, observed, 0.0).astype(np.float64) - reference), 0.0)
    noise = level.at(reference)
    ratio = off / noise
    findings = _not_finite(quantity, observed, finite, layer_sizes)
    findings += _worst_elements(quantity, reference, observed, off, noise, factor, layer_sizes)
    findings += _typical_error(quantity, off[finite], level.at(reference, typical=True)[finite], factor)
    if findings:
        findings[0] = _with_hint(findings[0], quantity, reference, observed, noise, factor)
    at = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    notes = (f"no repeat moved the {subject}: their noise is float32's floor",) if level.worst <= level.floor else ()
    return Comparison(
        subject,
        tuple(findings),
        worst=Worst(float(off[at]), float(noise[at]), quantity.unit),
        factor=factor,
        compared=int(finite.sum()),
        notes=notes,
    )


def _worst_elements(
    quantity: _Quantity,
    reference: np.ndarray,
    observed: np.ndarray,
    off: np.ndarray,
    noise: np.ndarray,
    factor: float,
    layer_sizes: Sequence[int] | None,
) -> list[Finding]:
    """One finding for each feature map that has an element over its tolerance, with its worst element."""
    ratio = off / noise
    axis = quantity.axes.index("anchor")
    findings = []
    for start, stop in _feature_maps(reference.shape[axis], layer_sizes):
        part = np.take(ratio, np.arange(start, stop), axis=axis)
        wrong = int((part > factor).sum())
        if not wrong:
            continue
        inside = list(np.unravel_index(int(np.argmax(part)), part.shape))
        inside[axis] += start
        at = tuple(int(index) for index in inside)
        what = (
            f"{wrong} of {part.size} {quantity.subject} ({100.0 * wrong / part.size:.3g} %) are off by more than the "
            f"tolerance; the worst is {observed[at]:.7g} where TensorFlow has {reference[at]:.7g}, "
            f"{ratio[at]:.4g} times the noise"
        )
        findings.append(
            Finding(
                what,
                quantity.place(at, layer_sizes),
                error=float(off[at]),
                noise=float(noise[at]),
                tolerance=float(factor * noise[at]),
                passing_tolerance=float(off[at]),
                unit=quantity.unit,
            )
        )
    return findings


def _typical_error(quantity: _Quantity, off: np.ndarray, typical: np.ndarray, factor: float) -> list[Finding]:
    if not off.size:
        return []
    error, noise = float(off.mean()), float(typical.mean())
    if error <= factor * noise:
        return []
    what = (
        f"the mean error of all {off.size} {quantity.subject} is {error / noise:.4g} times the mean movement of "
        "TensorFlow's own repeats: a small error that most of them share"
    )
    return [
        Finding(
            what,
            error=error,
            noise=noise,
            tolerance=factor * noise,
            passing_tolerance=error,
            unit=f"{quantity.unit}, mean",
        )
    ]


def _not_finite(
    quantity: _Quantity, observed: np.ndarray, finite: np.ndarray, layer_sizes: Sequence[int] | None
) -> list[Finding]:
    if finite.all():
        return []
    at = tuple(int(index) for index in np.argwhere(~finite)[0])
    what = f"{int((~finite).sum())} of {observed.size} {quantity.subject} are not finite, the first is {observed[at]}"
    return [Finding(what, quantity.place(at, layer_sizes), error=float("inf"), unit=quantity.unit)]


def _with_hint(
    finding: Finding, quantity: _Quantity, reference: np.ndarray, observed: np.ndarray, noise: np.ndarray, factor: float
) -> Finding:
    """Name the transform under which nearly everything fits, if one does."""
    for text, undo in quantity.guesses:
        with np.errstate(all="ignore"):
            tried = undo(observed.astype(np.float64), reference)
            # A guess only has to be recognised, so it gets ten times the tolerance, and 1 % of misfits.
            fits = np.abs(tried - reference) <= 10.0 * factor * noise
        if tried.shape == reference.shape and fits.mean() > 0.99:
            return dataclasses.replace(finding, what=f"{finding.what}; hint: {text}")
    return finding


def _feature_maps(anchors: int, layer_sizes: Sequence[int] | None) -> list[tuple[int, int]]:
    if layer_sizes is None:
        return [(0, anchors)]
    ends = np.cumsum(layer_sizes).tolist()
    if not ends or ends[-1] != anchors:
        raise UsageError(
            f"Feature maps of {list(layer_sizes)} anchors make {ends[-1] if ends else 0}, and there are {anchors}.",
            where="layer_sizes",
            advice="Give the number of anchors of each feature map, in order.",
        )
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _is_blank(column: np.ndarray) -> bool:
    return bool(np.isnan(column).all())


def _check_reference(reference: np.ndarray, subject: str) -> None:
    if not np.isfinite(reference).all():
        raise CaseError(
            f"The reference's {subject} are not finite.",
            where=subject,
            advice="A reference that is not finite proves nothing: give the case other weights or inputs.",
        )
