"""Detections as sets, image by image: equal within noise, or explained by a decision that was truly close.

With the reference's raw heads at hand the observed set is held against *all* boxes that could have been answered
(:mod:`harness.compare.consistency`). Without them both sides' sets are the only candidates known, and each side is
held against the other's: weaker, since a detection that neither kept cannot be missed, but sound in the same way.
Nothing is ever compared by index.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.checks.result import Finding
from harness.compare.candidates import Candidates, candidates_from_detections, candidates_from_heads
from harness.compare.comparison import Comparison, limited, worst_of
from harness.compare.consistency import Contradiction, KeptSet
from harness.compare.geometry import iou_matrix
from harness.compare.hints import One
from harness.compare.image_report import Expected, ImageReport
from harness.compare.matching import pair_detections, take_detections
from harness.compare.noise import TOLERANCE_FACTOR, Noise, required
from harness.errors import CaseError
from harness.observation.detections import Answer, Detections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.compare.suppression import Suppression

#: Of all detections of both sides, so many may differ for close reasons, and two (one flip) always may. A picture in
#: which more decisions than that hang by a thread proves little; better scenes or weights are the cure, not a pass.
EXPLAINED_SHARE = 0.1
_EXPLAINED_ALWAYS = 2


def compare_detections(
    reference: Answer,
    observed: Answer,
    noise: Noise,
    suppression: Suppression | None = None,
    *,
    factor: float = TOLERANCE_FACTOR,
    explained_share: float = EXPLAINED_SHARE,
) -> Comparison:
    """Compare the detections of a batch (SSD-7, DET-5).

    ``suppression`` are the parameters of the reference's post-processing; without them no difference can be
    explained, and every one is a finding. Only the reference's heads are used, never the observed ones. Findings
    name ``image``, ``class``, and the index of the ``detection`` observed and of the ``reference``'s; box errors are
    in normalised coordinates.

    Raises:
        CaseError: when the reference is not finite, when noise that is needed is not known, or when the reference's
            detections do not follow from its own heads under ``suppression``: then the parameters are not this
            graph's, and nothing could be explained by them.

    """
    findings: list[Finding] = []
    if len(observed.images) != len(reference.images):
        what = f"{len(observed.images)} images are answered where TensorFlow answers {len(reference.images)}"
        findings.append(Finding(what, {"image": min(len(observed.images), len(reference.images))}))
    reports = []
    compared = 0
    for image, (one, two) in enumerate(zip(reference.images, observed.images, strict=False)):
        _check_reference(one, image)
        sound, broken = _sound(two, image)
        findings.extend(broken)
        candidates = None
        if suppression is not None:
            candidates = candidates_from_heads(reference.heads, image, noise, suppression, factor)
        if candidates is not None and suppression is not None:
            reports.append(_against_heads(reference, image, sound, noise, suppression, factor, candidates))
        else:
            reports.append(_against_detections(reference, image, sound, noise, suppression, factor))
        compared += max(len(one), len(two))
    findings.extend(finding for report in reports for finding in report.findings)
    explanations = tuple(explanation for report in reports for explanation in report.explanations)
    total = sum(len(image) for image in (*reference.images, *observed.images))
    if len(explanations) > max(_EXPLAINED_ALWAYS, int(explained_share * total)):
        findings.append(_too_many(len(explanations), total, explained_share))
    return Comparison(
        subject="detections",
        findings=limited(findings),
        worst=worst_of(report.worst for report in reports),
        factor=factor,
        compared=compared,
        explanations=explanations,
        notes=_notes(reference, noise, suppression),
    )


def _against_heads(
    answer: Answer,
    image: int,
    observed: Detections,
    noise: Noise,
    suppression: Suppression,
    factor: float,
    candidates: Candidates,
) -> ImageReport:
    """Hold the observed detections against everything that the reference's heads could have become."""
    reference = answer.images[image]
    anchors = _anchors_of(answer, image, noise, suppression, factor)
    keys = [(int(anchor), int(label)) for anchor, label in zip(anchors, reference.classes, strict=True)]
    preferred = frozenset(keys)
    kept = KeptSet(candidates, observed, suppression, preferred=preferred)

    def expected(index: int) -> Expected:
        anchor, label = keys[index]
        column = 0 if candidates.boxes.shape[1] == 1 else label - 1
        return Expected(
            candidates.box_tolerance[anchor, column] / factor,
            float(candidates.score_tolerance[anchor, label - 1]) / factor,
            candidates.boxes[anchor, column],
        )

    report = ImageReport(image, answer.images, observed, expected, factor)
    by_key = {key: index for index, key in enumerate(keys)}
    seen = [(int(anchor), int(label)) for anchor, label in zip(kept.identity, observed.classes, strict=True)]
    pairs = [(by_key[key], index) for index, key in enumerate(seen) if key in by_key]
    report.measure(pairs)
    left = sorted(set(range(len(reference))) - {first for first, _ in pairs})
    contradictions = kept.contradictions()
    settled = report.contradict(contradictions, left, keys)

    wrong = {one.detection for one in contradictions if one.detection is not None}
    new = [index for index, key in enumerate(seen) if key not in by_key and index not in wrong]
    lost = [index for index in left if index not in settled]
    for index in lost:
        what = f"TensorFlow's detection {index} is not there"
        report.explain(what, kept.absence(*keys[index]), keys[index][1], reference=index)
    if new:
        # The reference's own set tells why TensorFlow left out what is there anew.
        before = KeptSet(candidates, reference, suppression, preferred=preferred)
        for index in new:
            what = f"detection {index} is there anew"
            report.explain(what, before.absence(*seen[index]), seen[index][1], detection=index)
    report.demand_a_close_decision()
    return report


def _anchors_of(answer: Answer, image: int, noise: Noise, suppression: Suppression, factor: float) -> np.ndarray:
    """The anchor that each of the reference's detections came from, proven by its own suppression parameters."""
    exact = candidates_from_heads(answer.heads, image, _without_noise(noise), suppression, factor)
    if exact is None:  # the same heads have just given candidates
        raise AssertionError
    kept = KeptSet(exact, answer.images[image], suppression)
    contradictions = kept.contradictions()
    if contradictions:
        first = contradictions[0]
        place = f"detection {first.detection}" if first.detection is not None else f"anchor {first.anchor}"
        raise CaseError(
            f"The reference's detections do not follow from its own heads: {place} of class {first.label}, "
            f"{first.what}; {len(contradictions)} such in all.",
            where=f"image {image} of the reference, {suppression}",
            advice="The suppression parameters, or the heads that were read, are not those of this graph.",
        )
    return kept.identity


def _against_detections(
    answer: Answer, image: int, observed: Detections, noise: Noise, suppression: Suppression | None, factor: float
) -> ImageReport:
    """Hold the two sets against each other, where nothing else is known."""
    box_noise, score_noise = required(noise.boxes, "boxes"), required(noise.detection_scores, "detection_scores")
    reference = answer.images[image]

    def expected(index: int) -> Expected:
        return Expected(box_noise.at(reference.boxes[index]), float(score_noise.at(reference.scores[index])))

    report = ImageReport(image, answer.images, observed, expected, factor)
    corners = np.abs(reference.boxes.astype(np.float64)[:, None] - observed.boxes.astype(np.float64)[None])
    gaps = np.abs(reference.scores.astype(np.float64)[:, None] - observed.scores.astype(np.float64)[None])
    near = (corners <= factor * box_noise.at(reference.boxes)[:, None]).all(axis=2)
    near &= gaps <= factor * score_noise.at(reference.scores)[:, None]
    pairing = pair_detections(reference, observed, least_iou=0.0, feasible=near)
    report.measure(pairing.pairs)
    lost, new = pairing.left_one, pairing.left_two
    keys = [(index, int(label)) for index, label in enumerate(reference.classes)]
    if suppression is None:
        contradictions = [Contradiction("unknown", "", int(observed.classes[index]), index) for index in new]
        contradictions += [Contradiction("missing", "", keys[index][1], anchor=index) for index in lost]
        report.contradict(contradictions, lost, keys)
    else:
        _explain_leftovers(report, lost, new, keys, noise, suppression)
    return report


def _explain_leftovers(
    report: ImageReport,
    lost: Sequence[int],
    new: Sequence[int],
    keys: Sequence[tuple[int, int]],
    noise: Noise,
    suppression: Suppression,
) -> None:
    reference, observed = report.reference, report.observed
    classes = max((int(label) for label in (*reference.classes, *observed.classes)), default=1)
    ours = candidates_from_detections(reference, classes, noise, report.factor)
    theirs = candidates_from_detections(observed, classes, noise, report.factor)
    kept = KeptSet(ours, observed, suppression, complete=False)
    before = KeptSet(theirs, reference, suppression, complete=False)
    # A box that is off looks just like another box that won a tie, and only heads can tell that there is another.
    tie = iou_matrix(reference.boxes.astype(np.float64), observed.boxes.astype(np.float64)) > suppression.iou_threshold
    gaps = np.abs(reference.scores.astype(np.float64)[:, None] - observed.scores[None])
    tie &= gaps <= ours.score_tolerance.max(axis=1, initial=0.0)[:, None]
    one, two = take_detections(reference, lost), take_detections(observed, new)
    alike = pair_detections(one, two, least_iou=0.0, feasible=tie[np.ix_(lost, new)])
    moved = {new[second] for _, second in alike.pairs}
    text = "whether it is another box that won a tie cannot be told without the heads"
    # A pair settles what the identities of either set alone may leave open, so only what is left over counts.
    contradictions = [one for one in kept.contradictions() if one.kind != "missing" or one.anchor in lost]
    contradictions += [Contradiction("tie", text, int(observed.classes[index]), index) for index in sorted(moved)]
    surplus = [one.anchor for one in before.contradictions() if one.kind == "missing" and one.anchor in new]
    contradictions += [
        Contradiction("unknown", "nothing explains why TensorFlow should have left it out", int(observed.classes[i]), i)
        for i in surplus
        if i is not None and i not in moved
    ]
    settled = report.contradict(contradictions, lost, keys)
    wrong = {one.detection for one in contradictions if one.detection is not None}
    for index in (index for index in lost if index not in settled):
        what = f"TensorFlow's detection {index} is not there"
        report.explain(what, kept.absence(*keys[index]), keys[index][1], reference=index)
    for index in (index for index in new if index not in wrong):
        label = int(observed.classes[index])
        report.explain(f"detection {index} is there anew", before.absence(index, label), label, detection=index)
    report.demand_a_close_decision()


def _too_many(explained: int, total: int, allowed: float) -> Finding:
    what = (
        f"{explained} of {total} detections differ for close reasons, over the share of {allowed:g} that may: "
        "either the scene hangs by a thread, or the errors are larger than its noise"
    )
    share = explained / total
    return Finding(what, {}, error=share, tolerance=allowed, passing_tolerance=share, unit="share of detections")


def _without_noise(noise: Noise) -> Noise:
    """Levels that leave float32's own resolution only."""
    bare = {
        name: dataclasses.replace(level, worst=0.0, typical=0.0, floor=0.0)
        for name in ("anchors", "encodings", "scores")
        if (level := getattr(noise, name)) is not None
    }
    return dataclasses.replace(noise, **bare)


def _check_reference(image: Detections, index: int) -> None:
    if not (np.isfinite(image.boxes).all() and np.isfinite(image.scores).all()):
        raise CaseError(
            f"The reference's detections of image {index} are not finite.",
            where=f"image {index} of the reference",
            advice="A reference that is not finite proves nothing: give the case other weights or inputs.",
        )


def _sound(observed: Detections, image: int) -> tuple[Detections, list[Finding]]:
    """The detections that can be placed, and a finding for each that cannot."""
    shapes = (observed.boxes.shape, observed.scores.shape, observed.classes.shape)
    count = len(observed)
    if shapes != ((count, 4), (count,), (count,)):
        empty = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
        text = ", ".join(str(list(shape)) for shape in shapes)
        return empty, [Finding(f"boxes, scores and classes have shapes that do not agree: {text}", {"image": image})]
    good = np.isfinite(observed.boxes).all(axis=1) & np.isfinite(observed.scores) & (observed.classes >= 1)
    findings = [
        Finding(f"detection {index} is no detection ({One.of(observed, index)})", {"image": image, "detection": index})
        for index in np.flatnonzero(~good).tolist()
    ]
    # Numbers in later findings count the sound ones only, but then this answer has failed already.
    return Detections(observed.boxes[good], observed.scores[good], observed.classes[good]), findings


def _notes(reference: Answer, noise: Noise, suppression: Suppression | None) -> tuple[str, ...]:
    if suppression is None:
        return ("the suppression's parameters are not known: no difference could be explained",)
    heads = reference.heads
    shown = (heads.box_encodings, heads.class_scores, heads.anchors, heads.variances)
    if any(one is None for one in (*shown, noise.encodings, noise.scores, noise.anchors)):
        return ("the reference's heads are not known: differences were explained from the detections alone",)
    return ()
