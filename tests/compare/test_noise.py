from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from harness.compare.detections import compare_detections
from harness.compare.heads import compare_heads
from harness.compare.noise import Level, Noise, combine_noise, logit_movement, measure_noise
from harness.compare.resolution import EPSILON
from harness.compare.suppression import suppress
from harness.errors import CaseError
from harness.observation.detections import Answer
from tests.compare.worlds import moved, noise_of, take, world

TRUE = noise_of(2e-6, 5e-6)


@pytest.fixture(scope="module")
def scene():
    return world(7)


def repeat(scene, seed, noise=TRUE):
    """Another run: heads moved by up to the noise, and what suppression makes of them."""
    heads = moved(scene.heads, noise, seed, 0.1)
    return Answer(suppress(heads, scene.suppression), heads)


class TestMeasure:
    def test_levels(self, scene):
        """The measured levels are those that the repeats were made with."""
        noise = measure_noise(scene.reference, [repeat(scene, seed) for seed in range(3)])
        assert noise.encodings.worst == pytest.approx(2e-6, rel=0.2)
        assert noise.encodings.typical == pytest.approx(1.5e-6, rel=0.2)
        assert noise.scores.worst == pytest.approx(5e-6, rel=0.2)
        assert (noise.scores.unit, noise.encodings.unit, noise.boxes.unit) == ("logit", "encoding", "normalised")
        assert noise.encodings.elements == 3 * scene.heads.box_encodings.size
        assert 0.9 < noise.encodings.moved <= 1.0
        assert noise.mask_logits is None

    def test_right_answer_passes_with_it(self, scene):
        """A conversion a few times as far off as the repeats passes with their noise, and one twenty times fails."""
        noise = measure_noise(scene.reference, [repeat(scene, seed) for seed in range(3)])
        for times, outcome in ((3, "passed"), (20, "failed")):
            heads = moved(scene.heads, noise_of(times * 2e-6, times * 5e-6), 9, 0.1)
            answer = Answer(suppress(heads, scene.suppression), heads)
            compared = compare_heads(scene.heads, heads, noise)
            assert compared["box_encodings"].outcome == outcome
            assert compared["class_scores"].outcome == outcome
            assert compare_detections(scene.reference, answer, noise, scene.suppression).outcome == outcome

    def test_without_repeats(self, scene):
        """Without repeats each level is its floor: a few units in the last place of the quantity's magnitude."""
        noise = measure_noise(scene.reference, [])
        assert noise.encodings.worst == 0.0
        assert EPSILON < noise.encodings.magnitude < 20 * EPSILON
        assert noise.boxes.magnitude == pytest.approx(4 * EPSILON, rel=0.5)
        assert noise.encodings.elements == 0

    def test_identical_repeats(self, scene):
        """Repeats that do not move at all leave the floor, and say that nothing moved."""
        noise = measure_noise(scene.reference, [scene.reference, scene.reference])
        assert (noise.scores.worst, noise.scores.moved) == (0.0, 0.0)
        assert noise.scores.magnitude == noise.scores.floor > 0.0

    def test_flip_is_no_noise(self, scene):
        """A repeat in which another box won a tie does not make the noise of boxes as large as their distance."""
        calm = measure_noise(scene.reference, [repeat(scene, 0)])
        flipped = repeat(scene, 0)
        image = flipped.images[0]
        boxes = image.boxes.copy()
        boxes[3] += np.float32(0.004)
        flipped = Answer((dataclasses.replace(image, boxes=boxes), *flipped.images[1:]), flipped.heads)
        assert measure_noise(scene.reference, [flipped]).boxes.worst <= calm.boxes.worst

    def test_lost_detections(self, scene):
        """A repeat that lacks detections is paired with what it has."""
        short = Answer(tuple(take(image, np.arange(5)) for image in scene.reference.images), scene.heads)
        assert measure_noise(scene.reference, [short]).boxes.elements == 2 * 5 * 4

    def test_masks(self, scene):
        """The noise of masks is measured in logits, on paired detections."""
        rng = np.random.default_rng(0)
        raw = rng.normal(0, 4, (len(scene.reference.images[0]), 7, 7))

        def masked(shift):
            masks = (1 / (1 + np.exp(-(raw + shift)))).astype(np.float32)
            return Answer((dataclasses.replace(scene.reference.images[0], masks=masks),))

        noise = measure_noise(masked(0.0), [masked(1e-3)])
        assert noise.mask_logits.worst == pytest.approx(1e-3, rel=0.1)

    def test_raw_scores(self, scene):
        """Scores outside [0, 1] are no probabilities: their noise is in their own unit."""
        raw = Answer(
            scene.reference.images, dataclasses.replace(scene.heads, class_scores=scene.heads.class_scores * 9)
        )
        shifted = Answer(
            raw.images, dataclasses.replace(raw.heads, class_scores=raw.heads.class_scores + np.float32(1e-3))
        )
        noise = measure_noise(raw, [shifted])
        assert noise.scores.unit == "score"
        assert noise.scores.worst == pytest.approx(1e-3, rel=0.1)


class TestBadRepeats:
    def test_other_shape(self, scene):
        """A repeat of another shape is no repeat."""
        other = Answer(scene.reference.images, dataclasses.replace(scene.heads, anchors=scene.heads.anchors[1:]))
        with pytest.raises(CaseError, match="shape"):
            measure_noise(scene.reference, [other])

    def test_other_batch(self, scene):
        """Nor is one of another batch."""
        with pytest.raises(CaseError, match="1 images"):
            measure_noise(scene.reference, [Answer(scene.reference.images[:1], scene.heads)])

    def test_not_finite(self, scene):
        """Noise is never measured on values that are not finite."""
        broken = scene.heads.box_encodings.copy()
        broken[0, 0, 0, 0] = np.nan
        with pytest.raises(CaseError, match="not finite"):
            measure_noise(
                scene.reference,
                [Answer(scene.reference.images, dataclasses.replace(scene.heads, box_encodings=broken))],
            )


class TestLogits:
    def test_middle(self):
        """In the middle a probability moves by a quarter of its logit."""
        assert logit_movement(np.float32([0.5]), np.float32([0.501]))[0] == pytest.approx(0.004, rel=1e-3)

    def test_saturated(self):
        """One step of float32 near 1 is no movement at all."""
        one = np.float32([1.0])
        assert logit_movement(one, np.nextafter(one, np.float32(0)))[0] == 0.0

    def test_small(self):
        """A score that doubles from 1e-6 has moved as far as any that doubles from there."""
        assert logit_movement(np.float32([1e-6]), np.float32([2e-6]))[0] == pytest.approx(2 / 3, rel=1e-3)


class TestTogether:
    def test_combine(self):
        """Of several scenes the largest numbers count."""
        one = Noise(encodings=Level(1e-6, 2e-7, 1e-7, "encoding", 10, 0.5))
        two = Noise(encodings=Level(5e-7, 3e-7, 2e-7, "encoding", 30, 0.1), boxes=Level(1e-7, 1e-8, 4e-7, "normalised"))
        both = combine_noise([one, two])
        assert both.encodings == Level(1e-6, 3e-7, 2e-7, "encoding", 40, 0.2)
        assert both.boxes == two.boxes
        assert both.scores is None

    def test_json(self):
        """A noise survives JSON."""
        noise = noise_of(1e-5, 1e-4)
        assert Noise.from_mapping(json.loads(json.dumps(noise.to_mapping()))) == noise
