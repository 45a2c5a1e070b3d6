from __future__ import annotations

import numpy as np
import pytest

from harness.compare.comparison import MOST_FINDINGS
from harness.compare.detections import compare_detections
from harness.compare.noise import TOLERANCE_FACTOR
from harness.observation.detections import Answer, Detections
from tests.compare import mutants
from tests.compare.worlds import detections, small_world, take, world

PLACE = (0.2, 0.3, 0.6, 0.5)
OTHER = (0.6, 0.6, 0.9, 0.9)


@pytest.fixture
def scene():
    return small_world((1, 0.9, PLACE), (2, 0.6, OTHER))


def first_text(scene, *rows):
    comparison = compare_detections(scene.reference, Answer((detections(*rows),)), scene.noise, scene.suppression)
    assert comparison.outcome == "failed"
    return comparison.findings[0].what


class TestHints:
    """The text of a finding says what kind of fault it looks like."""

    def test_label(self, scene):
        """A class that is off by one is named with its offset."""
        text = first_text(scene, (2, 0.9, PLACE), (2, 0.6, OTHER))
        assert "class 2 where TensorFlow says 1, which is +1 (off by one" in text

    @pytest.mark.parametrize(
        ("box", "hint"),
        [
            ((0.3, 0.2, 0.5, 0.6), "x and y are swapped"),
            ((0.2, 0.2667, 0.6, 0.5333), "its width is +33.3 %"),
            ((0.2 + 0.01, 0.3, 0.6 + 0.01, 0.5), "it lies +0.0100 (y), +0.0000 (x) off"),
            ((0.0, 0.0, 1.0, 1.0), "it is the whole image"),
            ((0.2, 0.3, 0.2, 0.5), "no area"),
            ((60.0, 90.0, 180.0, 150.0), "look like pixels"),
            ((0.6, 0.5, 0.2, 0.3), "corners are inverted"),
        ],
    )
    def test_box(self, scene, box, hint):
        """Swapped axes, wrong sizes, shifts, whole images, empty, inverted boxes and pixels are recognised."""
        assert hint in first_text(scene, (1, 0.9, box), (2, 0.6, OTHER))

    def test_score(self, scene):
        """A score that is off is shown beside TensorFlow's."""
        assert "its score is 0.88 where TensorFlow says 0.9" in first_text(scene, (1, 0.88, PLACE), (2, 0.6, OTHER))

    def test_repeated(self, scene):
        """A row that is there twice is called a repetition."""
        assert "repeats detection" in first_text(scene, (1, 0.9, PLACE), (1, 0.9, PLACE), (2, 0.6, OTHER))

    def test_other_image(self):
        """A detection that belongs to another image of the batch is traced to it."""
        crowd = world()
        wrong = mutants.images_permuted(crowd, crowd.converted())
        comparison = compare_detections(crowd.reference, wrong, crowd.noise, crowd.suppression)
        assert any("TensorFlow gives it for image 1 of the batch" in finding.what for finding in comparison.findings)


class TestNumbers:
    def test_passing_tolerance(self, scene):
        """A finding says where, by how much, and which tolerance would have passed."""
        answer = Answer((detections((1, 0.9, (0.21, 0.3, 0.6, 0.5)), (2, 0.6, OTHER)),))
        finding = compare_detections(scene.reference, answer, scene.noise, scene.suppression).findings[0]
        assert finding.where == {"image": 0, "class": 1, "detection": 0, "reference": 0}
        assert finding.unit == "normalised"
        assert finding.error == pytest.approx(0.01, rel=1e-4)
        assert finding.passing_tolerance == finding.error
        assert finding.tolerance == pytest.approx(TOLERANCE_FACTOR * finding.noise)

    def test_passes_under_the_passing_tolerance(self, scene):
        """Under the tolerance that a finding names, it is no finding any more."""
        answer = Answer((detections((1, 0.9, (0.201, 0.3, 0.6, 0.5)), (2, 0.6, OTHER)),))
        finding = compare_detections(scene.reference, answer, scene.noise, scene.suppression).findings[0]
        factor = 1.01 * finding.passing_tolerance / finding.noise
        again = compare_detections(scene.reference, answer, scene.noise, scene.suppression, factor=factor)
        assert again.outcome == "passed"

    def test_worst(self):
        """The worst error of a passed comparison is told in units of its own noise, under the factor."""
        crowd = world()
        comparison = compare_detections(crowd.reference, crowd.converted(), crowd.noise, crowd.suppression)
        assert 0.0 < comparison.worst.ratio < TOLERANCE_FACTOR
        assert comparison.tolerance == pytest.approx(TOLERANCE_FACTOR * comparison.noise)
        assert comparison.worst_error == pytest.approx(comparison.worst.ratio * comparison.noise)

    def test_many(self):
        """When everything is wrong, the first findings are shown, and how many more there are."""
        crowd = world()
        wrong = mutants.nothing(crowd, crowd.converted())
        findings = compare_detections(crowd.reference, wrong, crowd.noise, crowd.suppression).findings
        assert len(findings) == MOST_FINDINGS + 1
        assert "175 more findings" in findings[-1].what

    def test_one_fault_is_one_finding(self, scene):
        """A box that moved is one finding, not a missing and a surplus one."""
        answer = Answer((detections((1, 0.9, (0.25, 0.3, 0.6, 0.5)), (2, 0.6, OTHER)),))
        assert len(compare_detections(scene.reference, answer, scene.noise, scene.suppression).findings) == 1


class TestNothing:
    def test_empty_on_both_sides(self):
        """Where neither side has detections nothing was compared, and that is an error, not a pass."""
        scene = small_world((1, 0.01, PLACE))
        answer = Answer((detections(),))
        comparison = compare_detections(scene.reference, answer, scene.noise, scene.suppression)
        assert (comparison.outcome, comparison.compared) == ("error", 0)

    def test_no_images(self):
        """A batch of no images proves nothing."""
        scene = small_world((1, 0.9, PLACE))
        assert compare_detections(Answer(()), Answer(()), scene.noise, scene.suppression).outcome == "error"

    def test_one_empty_image_of_two(self):
        """An image in which TensorFlow finds nothing is compared as well: it may not be answered."""
        crowd = world()
        heads = crowd.heads
        heads.class_scores[1] = 0.0
        reference = Answer((crowd.reference.images[0], take(crowd.reference.images[1], np.zeros(0, int))), heads)
        empty = Answer((crowd.reference.images[0], take(crowd.reference.images[1], np.zeros(0, int))))
        filled = Answer(crowd.reference.images)
        assert compare_detections(reference, empty, crowd.noise, crowd.suppression).outcome == "passed"
        assert compare_detections(reference, filled, crowd.noise, crowd.suppression).outcome == "failed"


class TestShapes:
    def test_boxes_of_another_shape(self, scene):
        """Arrays that do not belong together are a finding, and nothing is broadcast."""
        image = Detections(np.zeros((1, 4), np.float32), np.zeros(2, np.float32), np.ones(2, np.int64))
        comparison = compare_detections(scene.reference, Answer((image,)), scene.noise, scene.suppression)
        assert "shapes that do not agree" in comparison.findings[0].what

    def test_too_many_images(self, scene):
        """An answer for an image that was not asked is a finding."""
        image = detections((1, 0.9, PLACE), (2, 0.6, OTHER))
        comparison = compare_detections(scene.reference, Answer((image, image)), scene.noise, scene.suppression)
        assert "2 images are answered where TensorFlow answers 1" in comparison.findings[0].what

    def test_class_beyond_the_model(self, scene):
        """A class that the model does not have is a finding."""
        assert "class 9" in first_text(scene, (9, 0.9, PLACE), (2, 0.6, OTHER))
