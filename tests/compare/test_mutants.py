from __future__ import annotations

import numpy as np
import pytest

from harness.compare.detections import compare_detections
from harness.observation.detections import Answer
from tests.compare import mutants
from tests.compare.baselines import aligned_allclose, greedy_iou
from tests.compare.worlds import take, world

# In the crowd the caps are full of scores over 0.2, so that other thresholds below it answer the very same.
EQUIVALENT = {("crowd", mutants.lower_threshold), ("crowd", mutants.higher_threshold)}


@pytest.fixture(scope="session")
def worlds():
    return {
        "crowd": world(),
        "open": world(3, anchors=70, objects=6),
        "over edges, a box for each class": world(5, anchors=80, per_class_boxes=True, over_edges=True),
    }


@pytest.fixture(scope="session")
def crowd():
    return world(2)


@pytest.mark.parametrize("name", ["crowd", "open", "over edges, a box for each class"])
class TestMutants:
    def test_right_answer(self, worlds, name):
        """A right conversion passes, with and without sight of the reference's heads."""
        scene = worlds[name]
        for reference in (scene.reference, scene.blind()):
            comparison = compare_detections(reference, scene.converted(), scene.noise, scene.suppression)
            assert (comparison.outcome, comparison.findings) == ("passed", ())
            assert comparison.compared == sum(len(image) for image in scene.reference.images)

    def test_other_order(self, worlds, name):
        """The order of the rows means nothing: grouped by class or shuffled, the answer passes."""
        scene = worlds[name]
        rng = np.random.default_rng(0)
        by_class = mutants.each(
            scene.converted(), lambda image: take(image, np.lexsort((-image.scores, image.classes)))
        )
        shuffled = mutants.each(scene.converted(), lambda image: take(image, rng.permutation(len(image))))
        for answer in (by_class, shuffled):
            for reference in (scene.reference, scene.blind()):
                comparison = compare_detections(reference, answer, scene.noise, scene.suppression)
                assert (comparison.outcome, comparison.explained) == ("passed", 0)

    @pytest.mark.parametrize("mutant", mutants.ALL, ids=lambda mutant: mutant.__name__)
    @pytest.mark.parametrize("sight", ["heads", "detections alone"])
    def test_wrong_answer(self, worlds, name, mutant, sight):
        """Every fault fails the comparison, with the heads in sight and without them."""
        scene = worlds[name]
        reference = scene.reference if sight == "heads" else scene.blind()
        wrong = mutant(scene, scene.converted())
        comparison = compare_detections(reference, wrong, scene.noise, scene.suppression)
        expected = "passed" if (name, mutant) in EQUIVALENT else "failed"
        assert comparison.outcome == expected


class TestWithoutParameters:
    @pytest.mark.parametrize("mutant", mutants.ALL, ids=lambda mutant: mutant.__name__)
    def test_wrong_answer(self, worlds, mutant):
        """Where not even the suppression's parameters are known, every fault fails as well."""
        scene = worlds["open"]
        assert compare_detections(scene.blind(), scene.converted(), scene.noise).outcome == "passed"
        assert compare_detections(scene.blind(), mutant(scene, scene.converted()), scene.noise).outcome == "failed"


class TestBaselines:
    """What comparisons in use elsewhere let through, and this one doesn't."""

    def test_accept_right_answers(self, crowd):
        """Both baselines pass a right answer, so that passing means something."""
        assert aligned_allclose(crowd.reference, crowd.converted())
        assert greedy_iou(crowd.reference, crowd.converted())

    @pytest.mark.parametrize(
        "mutant",
        [mutants.score_off, mutants.low_score_off, mutants.box_moved, mutants.half_precision],
        ids=lambda mutant: mutant.__name__,
    )
    def test_aligned_allclose(self, crowd, mutant):
        """An index-aligned allclose at 5e-2 passes errors a thousand times the noise."""
        wrong = mutant(crowd, crowd.converted())
        assert aligned_allclose(crowd.reference, wrong)
        assert compare_detections(crowd.reference, wrong, crowd.noise, crowd.suppression).outcome == "failed"

    def test_aligned_allclose_class(self, crowd):
        """Class 41 is class 40 to within five hundredths, for an allclose that compares labels like numbers."""
        reference = Answer(mutants.each(crowd.reference, lambda image: _labelled(image, 40)).images)
        wrong = mutants.each(reference, lambda image: _labelled(image, 41))
        assert aligned_allclose(reference, wrong)
        assert compare_detections(reference, wrong, crowd.noise).outcome == "failed"

    def test_aligned_allclose_cries_wolf(self, worlds):
        """It fails a right answer, as soon as two scores are so close that noise changes their places."""
        crowd = worlds["crowd"]
        assert not aligned_allclose(crowd.reference, crowd.converted())
        assert (
            compare_detections(crowd.reference, crowd.converted(), crowd.noise, crowd.suppression).outcome == "passed"
        )

    @pytest.mark.parametrize(
        "mutant",
        [
            mutants.nothing,
            mutants.lost,
            mutants.one_class_only,
            mutants.half_kept,
            mutants.top_k_before_nms,
            mutants.score_off,
            mutants.box_moved,
            mutants.image_missing,
            mutants.half_precision,
            mutants.invented,
        ],
        ids=lambda mutant: mutant.__name__,
    )
    def test_greedy_iou(self, crowd, mutant):
        """A greedy IoU after a score filter passes answers that lack detections, up to all of them."""
        wrong = mutant(crowd, crowd.converted())
        assert greedy_iou(crowd.reference, wrong)
        assert compare_detections(crowd.reference, wrong, crowd.noise, crowd.suppression).outcome == "failed"


def _labelled(image, label):
    return type(image)(image.boxes, image.scores, np.full_like(image.classes, label))
