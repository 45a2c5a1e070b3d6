"""Whether a set of detections can be what greedy suppression keeps, when scores and boxes are known to a tolerance.

Greedy suppression has exactly one answer, and it can be told without running it: the kept set is the one in which no
kept box suppresses another, and every box that is not kept has a reason of its own *in that same set*: a score not
over the threshold, a kept box before it in the order that overlaps it too much, or a cap that is full of better
boxes. Each condition is checked here with intervals instead of numbers. So an answer is accepted when each single
decision could have gone that way within the tolerance, and whatever follows from a flipped decision is judged by the
set that followed, not by the reference's: chains of consequences need no search. An answer computed from heads that
are all within tolerance always passes; a lost, added or moved detection fails unless a close decision excuses it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.compare.geometry import areas, clip_to_window, iou_bounds
from harness.compare.matching import assign
from harness.compare.noise import FLOOR_EPSILONS
from harness.compare.resolution import EPSILON, probability_resolution

if TYPE_CHECKING:
    from harness.compare.candidates import Candidates
    from harness.compare.suppression import Suppression
    from harness.observation.detections import Detections

Kind = Literal["unknown", "tie", "both_kept", "missing", "over_class_cap", "over_total_cap", "threshold", "empty"]


@dataclasses.dataclass(frozen=True)
class Contradiction:
    """One decision that no value within tolerance explains.

    ``detection`` is the index of the answer's detection, ``anchor`` that of the reference's candidate, each where
    there is one; ``other`` is the second detection of a pair.
    """

    kind: Kind
    what: str
    label: int
    detection: int | None = None
    anchor: int | None = None
    other: int | None = None


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a candidate may be absent; ``close`` when that decision itself was within tolerance of the other outcome."""

    what: str
    close: bool


@dataclasses.dataclass(frozen=True)
class _Members:
    """What the kept detections of one class are taken to have been inside suppression, one row a possibility."""

    detections: np.ndarray
    scores: np.ndarray
    low: np.ndarray
    high: np.ndarray


class KeptSet:
    """The detections of one image, held against the candidates that they were chosen from.

    ``complete`` says that ``candidates`` are all there are; otherwise (candidates known only from the other side's
    detections) a detection that no candidate accounts for is no contradiction, and pairs of detections that both
    are candidates are not held against each other: the other side has kept both. ``preferred`` are (anchor, class)
    that a detection is taken to be before others that fit as well: those of the other side's own answer.
    """

    def __init__(
        self,
        candidates: Candidates,
        detections: Detections,
        suppression: Suppression,
        *,
        complete: bool = True,
        preferred: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self.candidates = candidates
        self.detections = detections
        self.suppression = suppression
        self.complete = complete
        self._threshold = float(np.float32(suppression.score_threshold))
        self._scores = detections.scores.astype(np.float64)
        self._boxes = detections.boxes.astype(np.float64)
        # The answer's own numbers are what it decided on; only their float32 rounding is left open.
        self._rounding = FLOOR_EPSILONS * EPSILON * np.maximum(1.0, np.abs(self._boxes))
        self._last = self._last_scores()
        self._ghosts_of: dict[int, np.ndarray] = {}
        self._options = [self._compatible(index) for index in range(len(detections))]
        self._members = {int(label): self._members_of(int(label)) for label in np.unique(detections.classes)}
        self._absent = self._unexplained()
        #: The anchor of each detection, -1 where no candidate is within tolerance of it.
        self.identity = self._identify(preferred)
        present = {(int(anchor), int(label)) for anchor, label in zip(self.identity, detections.classes, strict=True)}
        self._absent = [key for key in self._absent if key not in present]

    def contradictions(self) -> list[Contradiction]:
        """Every decision of this set that cannot have gone that way."""
        return [*self._impossible_members(), *self._impossible_pairs(), *self._impossible_absences()]

    def absence(self, anchor: int, label: int) -> Reason | None:
        """Why this candidate may be absent from the set; None when nothing explains it."""
        score = float(self.candidates.scores[anchor, label - 1])
        tolerance = float(self.candidates.score_tolerance[anchor, label - 1])
        if score - tolerance <= self._threshold:
            text = f"its score {score:.6g} is within tolerance of the score threshold {self._threshold:.6g}"
            return Reason(text, close=score + tolerance > self._threshold)
        at = np.asarray([anchor])
        if bool(self.candidates.may_be_empty(at, label, self.suppression)[0]):
            return Reason("clipping may leave it without area", close=True)
        return (
            self._suppressor(anchor, label, score, tolerance)
            or (
                Reason("a box that clipping removes may suppress it", close=True)
                if self._by_ghost(at, label)[0]
                else None
            )
            or self._rank(label, score, tolerance)
        )

    # ------------------------------------------------------------------ who the detections are

    def _last_scores(self) -> dict[int, float]:
        """The score of the last kept one: under 0 of all when the total cap is full, under a class when its cap is."""
        last = {}
        if len(self.detections) >= self.suppression.max_total_detections:
            last[0] = float(self._scores.min())
        for label in np.unique(self.detections.classes):
            own = self._scores[self.detections.classes == label]
            if own.size >= self.suppression.max_detections_per_class:
                last[int(label)] = float(own.min())
        return last

    def _compatible(self, index: int) -> np.ndarray:
        """The anchors whose score and box, within tolerance, can be this detection."""
        label = int(self.detections.classes[index])
        if label > self.candidates.scores.shape[1]:
            return np.zeros(0, np.int64)
        score = self._scores[index]
        slack = self.candidates.score_tolerance[:, label - 1] + probability_resolution(score)
        anchors = np.flatnonzero(np.abs(self.candidates.scores[:, label - 1] - score) <= slack)
        low, high = self.candidates.answer_interval(anchors, label, self.suppression)
        rounding = self._rounding[index]
        inside = (self._boxes[index] >= low - rounding) & (self._boxes[index] <= high + rounding)
        compatible: np.ndarray = anchors[inside.all(axis=1)]
        return compatible

    def _members_of(self, label: int) -> _Members:
        detections, lows, highs = [], [], []
        for index in np.flatnonzero(self.detections.classes == label).tolist():
            box, rounding = self._boxes[index], self._rounding[index]
            low, high = box - rounding, box + rounding
            cut = self._cut_by_window(index)
            options = self._options[index]
            if not cut.any() or not options.size:
                detections.append(index)
                lows.append(low)
                highs.append(high)
                continue
            # What suppression saw beyond the window is not in the answer; the candidates tell.
            raw_low, raw_high = self.candidates.box_interval(options, label)
            for option_low, option_high in zip(raw_low, raw_high, strict=True):
                detections.append(index)
                lows.append(np.where(cut, option_low, low))
                highs.append(np.where(cut, option_high, high))
        rows = np.asarray(detections, np.int64)
        return _Members(rows, self._scores[rows], np.asarray(lows).reshape(-1, 4), np.asarray(highs).reshape(-1, 4))

    def _cut_by_window(self, index: int) -> np.ndarray:
        if self.suppression.clip != "after":
            return np.zeros(4, bool)
        box, window, rounding = self._boxes[index], self.suppression.window, self._rounding[index]
        lower = np.asarray([window[0], window[1], window[0], window[1]])
        upper = np.asarray([window[2], window[3], window[2], window[3]])
        cut: np.ndarray = (box <= lower + rounding) | (box >= upper - rounding)
        return cut

    def _identify(self, preferred: frozenset[tuple[int, int]]) -> np.ndarray:
        """One anchor for each detection, no anchor twice, the closest that there is."""
        identity = np.full(len(self.detections), -1, np.int64)
        wanted = set(self._absent)
        for label in self._members:
            own = np.flatnonzero(self.detections.classes == label)
            anchors = np.unique(np.concatenate([self._options[index] for index in own]))
            if not anchors.size:
                continue
            low, high = self.candidates.answer_interval(anchors, label, self.suppression)
            middle = (low + high) / 2.0
            far = np.abs(self._boxes[own][:, None] - middle[None]).max(axis=2)
            far += np.abs(self._scores[own][:, None] - self.candidates.scores[anchors, label - 1][None])
            # An anchor that nothing else accounts for takes precedence: otherwise it would look lost.
            far = np.minimum(np.nan_to_num(far, nan=1.0), 1.0)
            keys = [(int(anchor), label) for anchor in anchors]
            far -= 10.0 * np.asarray([key in wanted for key in keys]) + np.asarray([key in preferred for key in keys])
            allowed = np.asarray([np.isin(anchors, self._options[index]) for index in own])
            for row, column in assign(far, allowed).pairs:
                identity[own[row]] = anchors[column]
        return identity

    # ------------------------------------------------------------------ what the detections may not be

    def _impossible_members(self) -> list[Contradiction]:
        found = []
        classes = self.detections.classes
        for index in range(len(self.detections)):
            label, score = int(classes[index]), float(self._scores[index])
            if score <= self._threshold - float(probability_resolution(self._scores[index])):
                text = f"its score {score:.6g} is not over the score threshold {self._threshold:.6g}"
                found.append(Contradiction("threshold", text, label, index))
            if self.suppression.clip != "none":
                shown = clip_to_window(self._boxes[index], self.suppression.window)
                if areas(shown) <= 0.0:
                    text = "its box has no area in the image: TensorFlow drops such boxes"
                    found.append(Contradiction("empty", text, label, index))
                    continue
            if self.complete and self.identity[index] < 0:
                text = "no candidate of the reference has this class, score and box"
                found.append(Contradiction("unknown", text, label, index))
        for label, count in zip(*np.unique(classes, return_counts=True), strict=True):
            if count > self.suppression.max_detections_per_class:
                text = (
                    f"{count} detections of class {label}, over {self.suppression.max_detections_per_class} per class"
                )
                found.append(Contradiction("over_class_cap", text, int(label)))
        if len(self.detections) > self.suppression.max_total_detections:
            text = f"{len(self.detections)} detections, over {self.suppression.max_total_detections} in total"
            found.append(Contradiction("over_total_cap", text, 0))
        return found

    def _impossible_pairs(self) -> list[Contradiction]:
        """Pairs of kept detections of which one suppresses the other whatever their true values are."""
        found = []
        for label, members in self._members.items():
            least, _ = iou_bounds(members.low, members.high, members.low, members.high)
            # Where a detection has several possibilities, one that fits is enough.
            owners, inverse = np.unique(members.detections, return_inverse=True)
            overlaps = np.full((owners.size, owners.size), np.inf)
            np.minimum.at(overlaps, (inverse[:, None], inverse[None]), least)
            for row, column in zip(*np.nonzero(np.triu(overlaps > self.suppression.iou_threshold, 1)), strict=True):
                one, two = int(owners[row]), int(owners[column])
                if not self.complete and self.identity[one] >= 0 and self.identity[two] >= 0:
                    continue
                first, second = (one, two) if self._scores[one] >= self._scores[two] else (two, one)
                text = (
                    f"it overlaps detection {first} of its class with IoU {overlaps[row, column]:.6g}, over the "
                    f"threshold {self.suppression.iou_threshold:.6g}, and yet both were kept"
                )
                found.append(Contradiction("both_kept", text, label, second, other=first))
        return found

    def _impossible_absences(self) -> list[Contradiction]:
        found = []
        for anchor, label in self._absent:
            score = float(self.candidates.scores[anchor, label - 1])
            text = (
                f"its score {score:.6g} is over the threshold, no kept detection of its class before it overlaps it "
                f"by {self.suppression.iou_threshold:.6g}, and no cap is full of better ones"
            )
            found.append(Contradiction("missing", text, label, anchor=anchor))
        return found

    # ------------------------------------------------------------------ why a candidate may be absent

    def _unexplained(self) -> list[tuple[int, int]]:
        """The candidates (anchor, class) that surely pass the threshold and that nothing keeps from being kept."""
        sure_score = self.candidates.scores - self.candidates.score_tolerance
        pending = (sure_score > self._threshold) & (sure_score > self._last.get(0, -np.inf))
        left: list[tuple[int, int]] = []
        for column in np.flatnonzero(pending.any(axis=0)):
            label = int(column) + 1
            anchors = np.flatnonzero(pending[:, column])
            anchors = anchors[~self.candidates.may_be_empty(anchors, label, self.suppression)]
            anchors = anchors[~self._by_member(anchors, label)]
            if anchors.size:
                anchors = anchors[~self._by_ghost(anchors, label)]
            anchors = anchors[[not self._under_class_cap(int(anchor), label) for anchor in anchors]]
            left.extend((int(anchor), label) for anchor in anchors)
        return left

    def _by_member(self, anchors: np.ndarray, label: int) -> np.ndarray:
        """Which anchors a kept detection of their class may have suppressed."""
        members = self._members.get(label)
        if members is None or not anchors.size:
            return np.zeros(anchors.shape, bool)
        low, high = self.candidates.box_interval(anchors, label)
        _, most = iou_bounds(low, high, members.low, members.high)
        least_score = self.candidates.scores[anchors, label - 1] - self.candidates.score_tolerance[anchors, label - 1]
        before = members.scores[None] >= least_score[:, None]
        hit: np.ndarray = (before & (most > self.suppression.iou_threshold)).any(axis=1)
        return hit

    def _ghosts(self, label: int) -> np.ndarray:
        """Anchors that suppression may have kept and clipping then dropped: they suppress, and nobody sees them."""
        if self.suppression.clip != "after" or not self.complete:
            return np.zeros(0, np.int64)
        if label not in self._ghosts_of:
            most_score = self.candidates.scores[:, label - 1] + self.candidates.score_tolerance[:, label - 1]
            anchors = np.flatnonzero(most_score > max(self._threshold, self._last.get(0, -np.inf)))
            self._ghosts_of[label] = anchors[self.candidates.may_be_empty(anchors, label, self.suppression)]
        return self._ghosts_of[label]

    def _by_ghost(self, anchors: np.ndarray, label: int) -> np.ndarray:
        ghosts = self._ghosts(label)
        if not ghosts.size:
            return np.zeros(anchors.shape, bool)
        scores, tolerance = self.candidates.scores[:, label - 1], self.candidates.score_tolerance[:, label - 1]
        _, most = iou_bounds(
            *self.candidates.box_interval(anchors, label), *self.candidates.box_interval(ghosts, label)
        )
        before = (scores + tolerance)[ghosts][None] >= (scores - tolerance)[anchors][:, None]
        hit: np.ndarray = (before & (most > self.suppression.iou_threshold)).any(axis=1)
        return hit

    def _under_class_cap(self, anchor: int, label: int) -> bool:
        reason = self._rank(label, *self._score_of(anchor, label))
        return reason is not None

    def _score_of(self, anchor: int, label: int) -> tuple[float, float]:
        return (
            float(self.candidates.scores[anchor, label - 1]),
            float(self.candidates.score_tolerance[anchor, label - 1]),
        )

    def _rank(self, label: int, score: float, tolerance: float) -> Reason | None:
        for key, cap in ((label, "its class"), (0, "all classes")):
            last = self._last.get(key)
            if last is not None and score - tolerance <= last:
                text = (
                    f"the cap of {cap} is full, and its score {score:.6g} is not surely over the last kept {last:.6g}"
                )
                return Reason(text, close=score + tolerance >= last)
        # Boxes that clipping removes later on count in their class's cap while suppression runs.
        own = self._scores[self.detections.classes == label]
        ghosts = self._ghosts(label).size
        if ghosts and own.size + ghosts >= self.suppression.max_detections_per_class:
            last = float(own.min()) if own.size else np.inf
            if score - tolerance <= last:
                return Reason("boxes that clipping removes may have filled its class's cap", close=True)
        return None

    def _suppressor(self, anchor: int, label: int, score: float, tolerance: float) -> Reason | None:
        members = self._members.get(label)
        if members is None:
            return None
        low, high = self.candidates.box_interval(np.asarray([anchor]), label)
        least, most = iou_bounds(low, high, members.low, members.high)
        threshold = self.suppression.iou_threshold
        possible = np.flatnonzero((members.scores >= score - tolerance) & (most[0] > threshold))
        if not possible.size:
            return None
        certain = [row for row in possible if members.scores[row] > score + tolerance and least[0, row] > threshold]
        row = certain[0] if certain else possible[np.argmax(least[0, possible])]
        by = f"detection {members.detections[row]} (score {members.scores[row]:.6g})"
        if certain:
            return Reason(f"{by} suppresses it", close=False)
        if least[0, row] > threshold:
            return Reason(f"{by} suppresses it, and their scores are a tie within tolerance", close=True)
        return Reason(f"{by} may suppress it: their IoU is within tolerance of {threshold:.6g}", close=True)
