from __future__ import annotations

import pytest

from harness.checks.result import Finding
from harness.compare.comparison import MOST_FINDINGS, Comparison, Explanation, Worst, merge_comparisons
from harness.compare.geometry import iou_matrix
from harness.compare.matching import pair_detections
from harness.errors import Stage
from tests.compare.worlds import detections


class TestOutcome:
    @pytest.mark.parametrize(
        ("comparison", "outcome"),
        [
            (Comparison("x"), "error"),
            (Comparison("x", compared=3), "passed"),
            (Comparison("x", (Finding("wrong"),), compared=3), "failed"),
            (Comparison("x", (Finding("wrong"),)), "failed"),
        ],
    )
    def test_outcome(self, comparison, outcome):
        """Findings fail, and a comparison of nothing is an error, never a pass."""
        assert comparison.outcome == outcome

    def test_to_result(self):
        """A check's result carries the worst error, its noise and tolerance, and what was explained."""
        comparison = Comparison(
            "boxes",
            worst=Worst(4e-6, 1e-6, "normalised"),
            factor=10.0,
            compared=7,
            explanations=(Explanation("a tie", {"image": 0}, close=True),),
        )
        result = comparison.to_result("detections", ("SSD-7",), Stage.DETECTIONS)
        assert (result.outcome, result.compared, result.explained, result.unit) == ("passed", 7, 1, "normalised")
        assert (result.worst_error, result.noise, result.tolerance) == (4e-6, 1e-6, pytest.approx(1e-5))

    def test_to_result_of_nothing(self):
        """A result of nothing says that it proves nothing."""
        result = Comparison("boxes").to_result("detections", ("SSD-7",), Stage.DETECTIONS)
        assert result.outcome == "error"
        assert "proves nothing" in result.notes[0]


class TestMerge:
    def test_scenes(self):
        """Several scenes count together, and each finding tells its scene."""
        merged = merge_comparisons(
            "boxes",
            {
                "beach": Comparison("boxes", worst=Worst(1e-3, 1e-2, "score"), factor=10.0, compared=3),
                "street": Comparison(
                    "boxes", (Finding("wrong", {"image": 0}),), worst=Worst(1e-5, 1e-6, "normalised"), compared=4
                ),
            },
            label="scene",
        )
        assert (merged.outcome, merged.compared) == ("failed", 7)
        assert merged.findings[0].where == {"scene": "street", "image": 0}
        assert merged.worst == Worst(1e-5, 1e-6, "normalised")

    def test_empty_part(self):
        """A part that compared nothing cannot hide behind one that did: the whole proves nothing."""
        parts = {"scores": Comparison("scores"), "boxes": Comparison("boxes", compared=1)}
        merged = merge_comparisons("heads", parts)
        assert (merged.outcome, merged.compared) == ("error", 0)
        assert "scores: nothing was compared" in merged.notes
        assert merge_comparisons("heads", {}).outcome == "error"

    def test_empty_scene(self):
        """Scenes in which there is nothing may stand beside others, where the caller says that parts are scenes."""
        scenes = {"a": Comparison("boxes"), "b": Comparison("boxes", compared=1)}
        merged = merge_comparisons("boxes", scenes, allow_empty=True)
        assert (merged.outcome, merged.compared) == ("passed", 1)

    def test_many_findings(self):
        """However many findings there are, the merged comparison has failed and says how many."""
        many = Comparison("boxes", tuple(Finding(str(index)) for index in range(MOST_FINDINGS)), compared=1)
        merged = merge_comparisons("boxes", {"a": many, "b": many})
        assert len(merged.findings) == MOST_FINDINGS + 1
        assert f"{MOST_FINDINGS} more" in merged.findings[-1].what


class TestWorst:
    def test_without_noise(self):
        """No error is never worse than any, and an error without noise is infinitely large."""
        assert Worst(0.0, 0.0, "score").ratio == 0.0
        assert Worst(1.0, 0.0, "score").ratio == float("inf")


class TestPairing:
    def test_optimum(self):
        """The assignment as a whole counts: a greedy choice would take the wrong neighbour's counterpart."""
        one = detections((1, 0.5, (0, 0.00, 1, 0.50)), (1, 0.5, (0, 0.10, 1, 0.60)))
        two = detections((1, 0.5, (0, 0.09, 1, 0.59)), (1, 0.5, (0, 0.35, 1, 0.85)))
        assert iou_matrix(one.boxes, two.boxes)[1].argmax() == 0
        assert pair_detections(one, two, least_iou=0.3).pairs == ((0, 0), (1, 1))

    def test_classes_apart(self):
        """Detections of different classes never pair, unless asked."""
        one, two = detections((1, 0.5, (0, 0, 1, 1))), detections((2, 0.5, (0, 0, 1, 1)))
        assert pair_detections(one, two).pairs == ()
        assert pair_detections(one, two, any_class=True).pairs == ((0, 0),)

    def test_empty(self):
        """Nothing pairs with nothing."""
        pairing = pair_detections(detections(), detections((1, 0.5, (0, 0, 1, 1))))
        assert (pairing.pairs, pairing.left_one, pairing.left_two) == ((), (), (0,))
