"""What is wrong with one image's detections, in findings: one fault is one finding, beside what it was meant to be."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from harness.checks.result import Finding
from harness.compare.comparison import Explanation, Worst, worst_of
from harness.compare.geometry import iou_matrix
from harness.compare.hints import One, box_hints, label_hint, place_hints
from harness.compare.matching import assign

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.compare.consistency import Contradiction, Reason
    from harness.observation.detections import Detections

_CORNERS = ("ymin", "xmin", "ymax", "xmax")


@dataclasses.dataclass(frozen=True)
class Expected:
    """What one of the reference's detections may be off by: ``box_noise`` ``[4]``, ``score_noise``, one unit of noise.

    ``unclipped`` is its box before clipping ``[4]``, where known.
    """

    box_noise: np.ndarray
    score_noise: float
    unclipped: np.ndarray | None = None


class ImageReport:
    """Collects findings, explanations and the worst errors of one image.

    ``references`` are the reference's detections of the whole batch, ``expected`` tells the noise of each of this
    image's.
    """

    def __init__(
        self,
        image: int,
        references: tuple[Detections, ...],
        observed: Detections,
        expected: Callable[[int], Expected],
        factor: float,
    ) -> None:
        self.image = image
        self.references = references
        self.reference = references[image]
        self.observed = observed
        self.expected = expected
        self.factor = factor
        self.findings: list[Finding] = []
        self.explanations: list[Explanation] = []
        self.worst: Worst | None = None

    def measure(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Note the errors of (reference's, observed) pairs that agree."""
        for first, second in pairs:
            box, score, _ = self._errors(first, second)
            self.worst = worst_of([self.worst, box, score])

    def explain(self, what: str, reason: Reason | None, label: int, **where: object) -> None:
        """Note a difference with its reason; without one it is a finding."""
        place = self._place(label, **where)
        if reason is None:
            self.findings.append(Finding(f"{what}, and no close decision explains it", place))
        else:
            self.explanations.append(Explanation(f"{what}: {reason.what}", place, reason.close))

    def demand_a_close_decision(self) -> None:
        """Consequences need a cause: at least one of the explanations must be a close decision itself."""
        if self.explanations and not self.findings and not any(one.close for one in self.explanations):
            what = "the differences follow from each other, and from no decision that was close"
            self.findings.append(Finding(f"{what}: {self.explanations[0].what}", self.explanations[0].where))

    def contradict(
        self, contradictions: Sequence[Contradiction], left: Sequence[int], keys: Sequence[tuple[int, int]]
    ) -> set[int]:
        """Turn contradictions into findings; answer which of the reference's detections ``left`` over that settles.

        ``keys`` are the (anchor, class) of each of the reference's detections. A wrong detection is put beside the
        left-over one that it was most likely meant to be, so that one fault does not show as two.
        """
        wrong: dict[int, list[Contradiction]] = {}
        for one in contradictions:
            if one.detection is not None:
                wrong.setdefault(one.detection, []).append(one)
        twins = self._twins(sorted(wrong), left)
        for index, reasons in sorted(wrong.items()):
            self._wrong_detection(index, reasons, twins.get(index))
        settled = set(twins.values())

        by_key = {key: index for index, key in enumerate(keys)}
        missing = [one for one in contradictions if one.kind == "missing" and one.anchor is not None]
        lost = {by_key[key]: one for one in missing if (key := (one.anchor, one.label)) in by_key}
        for index, one in sorted(lost.items()):
            if index not in settled:
                what = f"TensorFlow's detection {index} is missing ({One.of(self.reference, index)})"
                text = f"{what}: {one.what}" if one.what else what
                self.findings.append(Finding(text, self._place(one.label, reference=index)))
        others = [one for one in missing if (one.anchor, one.label) not in by_key]
        if others and not self.findings:
            # What a wrong or missing detection would have suppressed is its consequence, and would only repeat it.
            what = (
                f"{len(others)} boxes that TensorFlow did not keep have no reason to be absent from this answer; "
                f"the first is of class {others[0].label}, anchor {others[0].anchor}: {others[0].what}"
            )
            self.findings.append(Finding(what, self._place(others[0].label, anchor=others[0].anchor)))
        self.findings.extend(
            Finding(one.what, self._place(one.label))
            for one in contradictions
            if one.kind in {"over_class_cap", "over_total_cap"}
        )
        return settled | set(lost)

    # ------------------------------------------------------------------ one wrong detection

    def _wrong_detection(self, index: int, reasons: Sequence[Contradiction], twin: int | None) -> None:
        seen = One.of(self.observed, index)
        texts = [one.what for one in reasons if one.what and not (one.kind == "unknown" and twin is not None)]
        texts += place_hints(seen, self.image, self.references, self._duplicate_of(index))
        if twin is None:
            what = f"detection {index} has no counterpart in TensorFlow's answer ({seen})"
            if all(one.kind != "unknown" for one in reasons):
                what = f"detection {index} cannot be there ({seen})"
            texts = [what, *texts, *box_hints(seen.box)]
            self.findings.append(Finding("; ".join(texts), self._place(seen.label, detection=index)))
            return
        wanted = One.of(self.reference, twin)
        box, score, corner = self._errors(twin, index)
        differs = [label_hint(seen, wanted)] if seen.label != wanted.label else []
        if box.ratio > self.factor:
            differs.append(f"its {_CORNERS[corner]} is off by {box.error:.3g}")
            differs += box_hints(seen.box, wanted.box, self.expected(twin).unclipped)
        if score.ratio > self.factor:
            differs.append(f"its score is {seen.score:.6g} where TensorFlow says {wanted.score:.6g}")
        worst = box if box.ratio >= score.ratio else score
        self.worst = worst_of([self.worst, worst])
        what = f"detection {index} differs from TensorFlow's {twin} ({seen}, for {wanted})"
        self.findings.append(
            Finding(
                "; ".join([what, *differs, *texts]),
                self._place(seen.label, detection=index, reference=twin),
                error=worst.error,
                noise=worst.noise,
                tolerance=worst.noise * self.factor,
                passing_tolerance=worst.error,
                unit=worst.unit,
            )
        )

    def _errors(self, first: int, second: int) -> tuple[Worst, Worst, int]:
        """The errors of box and score of a pair (reference's, observed), and the corner that is worst."""
        expected = self.expected(first)
        off = np.abs(self.reference.boxes[first].astype(np.float64) - self.observed.boxes[second])
        corner = int(np.argmax(off / expected.box_noise))
        gap = abs(float(self.reference.scores[first]) - float(self.observed.scores[second]))
        box = Worst(float(off[corner]), float(expected.box_noise[corner]), "normalised")
        return box, Worst(gap, expected.score_noise, "score"), corner

    def _twins(self, wrong: Sequence[int], left: Sequence[int]) -> dict[int, int]:
        """Which left-over reference detection a wrong one was most likely meant to be: same place, or same score."""
        if not wrong or not left:
            return {}
        seen, wanted = list(wrong), list(left)
        boxes = self.observed.boxes[seen].astype(np.float64)
        targets = self.reference.boxes[wanted].astype(np.float64)
        overlap = np.maximum(iou_matrix(boxes, targets), iou_matrix(boxes[:, [1, 0, 3, 2]], targets) - 0.01)
        gap = np.abs(self.observed.scores[seen].astype(np.float64)[:, None] - self.reference.scores[wanted][None])
        other = self.observed.classes[seen][:, None] != self.reference.classes[wanted][None]
        allowed_gap = np.asarray([self.factor * self.expected(index).score_noise for index in wanted])
        allowed = (overlap >= 0.3) | (~other & (gap <= allowed_gap))
        pairing = assign(1.0 - overlap + gap + 0.5 * other, allowed)
        return {seen[first]: wanted[second] for first, second in pairing.pairs}

    def _duplicate_of(self, index: int) -> int | None:
        same = (self.observed.boxes == self.observed.boxes[index]).all(axis=1)
        same &= self.observed.scores == self.observed.scores[index]
        same &= self.observed.classes == self.observed.classes[index]
        others = [other for other in np.flatnonzero(same).tolist() if other != index]
        return others[0] if others else None

    def _place(self, label: int, **where: object) -> dict[str, object]:
        place: dict[str, object] = {"image": self.image}
        if label:
            place["class"] = label
        return {**place, **where}
