from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.compare.detections import compare_detections
from harness.compare.suppression import Suppression
from harness.errors import CaseError
from harness.observation.detections import Answer
from tests.compare.worlds import detections, small_world

HERE, NEAR, FAR = (0.1, 0.1, 0.5, 0.5), (0.11, 0.1, 0.51, 0.5), (0.6, 0.6, 0.9, 0.9)
# With noise of 1e-5 logits, scores around one half have a tolerance of 2.5e-5.
CLOSE = 1e-5


def compare(world, *rows, **options):
    return compare_detections(world.reference, Answer((detections(*rows),)), world.noise, world.suppression, **options)


class TestThreshold:
    def test_close(self):
        """A detection whose score is at the threshold may be there or not."""
        world = small_world((1, 0.9, HERE), (1, 0.5 + CLOSE, FAR), suppression=Suppression(0.5, 0.5, 10, 10))
        comparison = compare(world, (1, 0.9, HERE))
        assert (comparison.outcome, comparison.explained) == ("passed", 1)
        assert "within tolerance of the score threshold" in comparison.explanations[0].what
        assert comparison.explanations[0].where == {"image": 0, "class": 1, "reference": 1}

    def test_close_from_below(self):
        """One that TensorFlow left out by a hair may be there anew."""
        world = small_world((1, 0.9, HERE), (1, 0.5 - CLOSE, FAR), suppression=Suppression(0.5, 0.5, 10, 10))
        comparison = compare(world, (1, 0.9, HERE), (1, 0.5 + CLOSE / 2, FAR))
        assert (comparison.outcome, comparison.explained) == ("passed", 1)
        assert comparison.explanations[0].close

    def test_not_close(self):
        """A detection whose score is well over the threshold has to be there."""
        world = small_world((1, 0.9, HERE), (1, 0.51, FAR), suppression=Suppression(0.5, 0.5, 10, 10))
        comparison = compare(world, (1, 0.9, HERE))
        assert comparison.outcome == "failed"
        assert "TensorFlow's detection 1 is missing" in comparison.findings[0].what

    def test_answered_under_it(self):
        """An answer whose own score is under the threshold is wrong, however close the candidate was."""
        world = small_world((1, 0.9, HERE), (1, 0.5 - CLOSE, FAR), suppression=Suppression(0.5, 0.5, 10, 10))
        assert compare(world, (1, 0.9, HERE), (1, 0.5 - CLOSE, FAR)).outcome == "failed"


class TestTie:
    def test_other_one_won(self):
        """Of two overlapping boxes with equal scores either may suppress the other."""
        world = small_world((1, 0.5, HERE), (1, 0.5, NEAR), (1, 0.3, FAR))
        comparison = compare(world, (1, 0.5, NEAR), (1, 0.3, FAR))
        assert (comparison.outcome, comparison.explained) == ("passed", 2)
        assert any("tie" in explanation.what for explanation in comparison.explanations)

    def test_no_tie(self):
        """When the scores are well apart, only the better one may be there."""
        world = small_world((1, 0.51, HERE), (1, 0.5, NEAR), (1, 0.3, FAR))
        assert compare(world, (1, 0.5, NEAR), (1, 0.3, FAR)).outcome == "failed"

    def test_both_lost(self):
        """A tie excuses one of the two, never both."""
        world = small_world((1, 0.5, HERE), (1, 0.5, NEAR), (1, 0.3, FAR))
        assert compare(world, (1, 0.3, FAR)).outcome == "failed"

    def test_both_kept(self):
        """A tie excuses either of the two, never both together."""
        world = small_world((1, 0.5, HERE), (1, 0.5, NEAR), (1, 0.3, FAR))
        assert compare(world, (1, 0.5, HERE), (1, 0.5, NEAR), (1, 0.3, FAR)).outcome == "failed"

    def test_out_of_sight(self):
        """Without the heads nobody knows that there was another box, and a box that moved looks just like this."""
        world = small_world((1, 0.5, HERE), (1, 0.5, NEAR), (1, 0.3, FAR))
        blind = dataclasses.replace(world, reference=world.blind())
        comparison = compare(blind, (1, 0.5, NEAR), (1, 0.3, FAR))
        assert comparison.outcome == "failed"
        assert "cannot be told without the heads" in comparison.findings[0].what


class TestOverlap:
    # The IoU of these two is 0.5 to within 1e-6: the second one is twice as high.
    LOW, HIGH = (0.2, 0.2, 0.4, 0.6), (0.2, 0.2, 0.6, 0.6)

    def test_close(self):
        """A box whose IoU with a better one is at the threshold may be there or not."""
        threshold = 0.5 - 1e-6
        world = small_world((1, 0.9, self.HIGH), (1, 0.8, self.LOW), suppression=Suppression(0.1, threshold, 10, 10))
        assert len(world.reference.images[0]) == 1
        comparison = compare(world, (1, 0.9, self.HIGH), (1, 0.8, self.LOW))
        assert (comparison.outcome, comparison.explained) == ("passed", 1)
        assert "IoU is within tolerance" in comparison.explanations[0].what

    def test_not_close(self):
        """A box that overlaps a better one well over the threshold may not be there."""
        world = small_world((1, 0.9, self.HIGH), (1, 0.8, self.LOW), suppression=Suppression(0.1, 0.45, 10, 10))
        comparison = compare(world, (1, 0.9, self.HIGH), (1, 0.8, self.LOW))
        assert comparison.outcome == "failed"
        assert "yet both were kept" in comparison.findings[0].what

    def test_not_close_from_below(self):
        """A box that overlaps a better one well under the threshold has to be there."""
        world = small_world((1, 0.9, self.HIGH), (1, 0.8, self.LOW), suppression=Suppression(0.1, 0.55, 10, 10))
        assert compare(world, (1, 0.9, self.HIGH)).outcome == "failed"

    def test_other_class(self):
        """A box of another class suppresses nothing."""
        world = small_world((1, 0.9, HERE), (2, 0.8, HERE))
        assert len(world.reference.images[0]) == 2
        assert compare(world, (1, 0.9, HERE)).outcome == "failed"


class TestRank:
    def test_close_to_the_last(self):
        """When the total is full, of two boxes that tie for the last place either may have it."""
        world = small_world((1, 0.9, HERE), (2, 0.5, FAR), (3, 0.5, HERE), suppression=Suppression(0.1, 0.5, 10, 2))
        comparison = compare(world, (1, 0.9, HERE), (3, 0.5, HERE))
        assert (comparison.outcome, comparison.explained) == ("passed", 2)
        assert all("cap of all classes is full" in explanation.what for explanation in comparison.explanations)

    def test_not_close_to_the_last(self):
        """A box that is clearly better than the last kept one has to be there."""
        world = small_world((1, 0.9, HERE), (2, 0.51, FAR), (3, 0.5, HERE), suppression=Suppression(0.1, 0.5, 10, 2))
        assert compare(world, (1, 0.9, HERE), (3, 0.5, HERE)).outcome == "failed"

    def test_full_class(self):
        """The cap of a class is filled with its best, whatever other classes have."""
        row = [(1, 0.9, HERE), (1, 0.5, FAR), (1, 0.5, (0.6, 0.1, 0.9, 0.4)), (2, 0.2, HERE)]
        world = small_world(*row, suppression=Suppression(0.1, 0.5, 2, 10))
        comparison = compare(world, row[0], row[2], row[3])
        assert (comparison.outcome, comparison.explained) == ("passed", 2)
        assert compare(world, *row).outcome == "failed"
        assert compare(world, row[0], row[3]).outcome == "failed"

    def test_too_many(self):
        """More detections than the cap are wrong even when each has a candidate."""
        row = [(1, 0.9, HERE), (2, 0.5, FAR), (3, 0.4, HERE)]
        world = small_world(*row, suppression=Suppression(0.1, 0.5, 10, 2))
        comparison = compare(world, *row)
        assert any("over 2 in total" in finding.what for finding in comparison.findings)


class TestChain:
    # Each overlaps the next over 0.5 and no other: A suppresses B, so C stays, so D goes.
    A, B, C, D = (
        (1, 0.9, (0.0, 0.1, 0.30, 0.4)),
        (1, 0.8, (0.08, 0.1, 0.38, 0.4)),
        (1, 0.7, (0.16, 0.1, 0.46, 0.4)),
        (1, 0.6, (0.24, 0.1, 0.54, 0.4)),
    )

    def test_consequences(self):
        """One tie, and every other one of a row of boxes changes: all of it is traced to the tie."""
        first = (1, 0.8 + CLOSE / 2, self.A[2])
        world = small_world(first, self.B, self.C, self.D)
        assert [round(float(score), 3) for score in world.reference.images[0].scores] == [0.8, 0.7]
        comparison = compare(world, (1, 0.8, self.B[2]), self.D)
        assert (comparison.outcome, comparison.explained) == ("failed", 4)
        assert "4 of 4 detections differ for close reasons" in comparison.findings[0].what
        comparison = compare(world, (1, 0.8, self.B[2]), self.D, explained_share=1.0)
        assert comparison.outcome == "passed"
        assert sorted(explanation.close for explanation in comparison.explanations) == [False, False, True, True]

    def test_without_a_cause(self):
        """The same row without any close decision: the other half cannot be there."""
        world = small_world(self.A, self.B, self.C, self.D)
        assert compare(world, self.B, self.D, explained_share=1.0).outcome == "failed"

    def test_half_of_the_consequences(self):
        """A consequence that did not happen is as wrong as one without a cause."""
        world = small_world((1, 0.8 + CLOSE / 2, self.A[2]), self.B, self.C, self.D)
        assert compare(world, (1, 0.8, self.B[2]), explained_share=1.0).outcome == "failed"
        assert compare(world, (1, 0.8, self.B[2]), self.C, self.D, explained_share=1.0).outcome == "failed"


class TestClipping:
    OUTSIDE = (1, 0.9, (-0.4, 0.1, -0.1, 0.4))

    def test_without_area(self):
        """A box that lies outside the image is dropped by TensorFlow, and said to be wrong where it is answered."""
        world = small_world(self.OUTSIDE, (1, 0.5, FAR))
        assert len(world.reference.images[0]) == 1
        assert compare(world, (1, 0.5, FAR)).outcome == "passed"
        comparison = compare(world, (1, 0.9, (0.0, 0.1, 0.0, 0.4)), (1, 0.5, FAR))
        assert comparison.outcome == "failed"
        assert "no area" in comparison.findings[0].what

    def test_unseen_suppressor(self):
        """A box that clipping drops after suppression has suppressed all the same."""
        outside, inside = (1, 0.9, (-0.4, 0.1, -0.001, 0.4)), (1, 0.8, (-0.39, 0.1, 0.01, 0.4))
        world = small_world(outside, inside, (1, 0.5, FAR))
        assert len(world.reference.images[0]) == 1
        assert compare(world, (1, 0.5, FAR)).outcome == "passed"

    def test_overlap_beyond_the_image(self):
        """Two boxes that look alike once clipped may both be there, when they differ beyond the image."""
        one, two = (1, 0.9, (-0.9, 0.1, 0.1, 0.4)), (1, 0.8, (-0.1, 0.1, 0.1, 0.4))
        world = small_world(one, two)
        assert len(world.reference.images[0]) == 2
        answer = [(1, 0.9, (0.0, 0.1, 0.1, 0.4)), (1, 0.8, (0.0, 0.1, 0.1, 0.4))]
        assert compare(world, *answer).outcome == "passed"
        blind = dataclasses.replace(world, reference=world.blind())
        assert compare(blind, *answer).outcome == "passed"

    def test_clipped_first(self):
        """When clipping comes before suppression, those two suppress each other."""
        one, two = (1, 0.9, (-0.9, 0.1, 0.1, 0.4)), (1, 0.8, (-0.1, 0.1, 0.1, 0.4))
        world = small_world(one, two, suppression=Suppression(0.1, 0.5, 10, 10, clip="before"))
        answer = [(1, 0.9, (0.0, 0.1, 0.1, 0.4)), (1, 0.8, (0.0, 0.1, 0.1, 0.4))]
        assert len(world.reference.images[0]) == 1
        assert compare(world, *answer).outcome == "failed"

    def test_not_clipped(self):
        """A box that should have been clipped and was not is named as that."""
        world = small_world((1, 0.9, (-0.2, 0.1, 0.4, 0.4)), (2, 0.5, FAR))
        comparison = compare(world, (1, 0.9, (-0.2, 0.1, 0.4, 0.4)), (2, 0.5, FAR))
        assert comparison.outcome == "failed"
        assert "before clipping" in comparison.findings[0].what


class TestWrongParameters:
    @pytest.mark.parametrize(
        "change", [{"iou_threshold": 0.3}, {"max_total_detections": 1}, {"score_threshold": 0.7}, {"clip": "none"}]
    )
    def test_case_error(self, change):
        """Parameters under which the reference does not follow from its own heads are the case's error, by name."""
        row = [(1, 0.9, (0.1, 0.1, 0.5, 0.5)), (1, 0.6, (0.1, 0.3, 0.5, 0.7)), (1, 0.5, (0.8, 0.8, 1.2, 1.0))]
        world = small_world(*row)
        assert len(world.reference.images[0]) == 3
        wrong = dataclasses.replace(world, suppression=dataclasses.replace(world.suppression, **change))
        with pytest.raises(CaseError, match="do not follow from its own heads"):
            compare(wrong, *row)

    def test_heads_of_another_run(self):
        """Heads that are not those the detections came from are noticed, whatever the answer is."""
        world = small_world((1, 0.9, HERE), (1, 0.6, FAR))
        other = small_world((1, 0.9, HERE), (1, 0.61, FAR))
        mixed = Answer(world.reference.images, other.heads)
        with pytest.raises(CaseError, match="do not follow"):
            compare_detections(mixed, world.reference, world.noise, world.suppression)

    def test_not_finite(self):
        """A reference that is not finite is no oracle."""
        world = small_world((1, 0.9, HERE))
        broken = Answer((dataclasses.replace(world.reference.images[0], scores=np.float32([np.nan])),))
        with pytest.raises(CaseError, match="not finite"):
            compare_detections(broken, world.reference, world.noise, world.suppression)
