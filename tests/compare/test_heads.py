from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.compare.heads import (
    compare_anchors,
    compare_encodings,
    compare_heads,
    compare_scores,
    compare_variances,
)
from harness.compare.noise import TOLERANCE_FACTOR
from harness.compare.resolution import logit
from harness.errors import CaseError, UsageError
from harness.observation.detections import Heads
from tests.compare.worlds import moved, world


@pytest.fixture(scope="module")
def scene():
    return world(per_class_boxes=True)


def changed(heads, **changes):
    return dataclasses.replace(heads, **changes)


def text(comparison):
    assert comparison.outcome == "failed"
    return comparison.findings[0].what


class TestRight:
    def test_all_pass(self, scene):
        """Heads that differ by less than the tolerance pass, the anchors first."""
        compared = compare_heads(scene.heads, moved(scene.heads, scene.noise, 3, 0.2), scene.noise)
        assert list(compared) == ["anchors", "variances", "box_encodings", "class_scores"]
        assert {comparison.outcome for comparison in compared.values()} == {"passed"}
        assert compared["box_encodings"].compared == scene.heads.box_encodings.size
        assert 0 < compared["box_encodings"].worst.ratio < TOLERANCE_FACTOR

    def test_without_background(self, scene):
        """A side without a background column is compared on the others, and the note says so."""
        blank = scene.heads.class_scores.copy()
        blank[..., 0] = np.nan
        comparison = compare_scores(scene.heads, changed(scene.heads, class_scores=blank), scene.noise)
        assert comparison.outcome == "passed"
        assert comparison.compared == blank[..., 1:].size
        assert "background" in comparison.notes[-1]


class TestAnchors:
    def test_one_element(self, scene):
        """One anchor that is off is found, and its feature map named."""
        anchors = scene.heads.anchors.copy()
        anchors[200, 3] += 1e-5
        comparison = compare_anchors(
            scene.heads, changed(scene.heads, anchors=anchors), scene.noise, layer_sizes=(150, 60, 30)
        )
        (finding,) = comparison.findings
        assert finding.where == {"anchor": 200, "feature_map": 1, "coordinate": "xmax"}
        assert finding.error == pytest.approx(1e-5, rel=0.1)

    def test_each_feature_map(self, scene):
        """Each feature map that is wrong has its own finding."""
        anchors = scene.heads.anchors + np.float32(1e-3)
        comparison = compare_anchors(
            scene.heads, changed(scene.heads, anchors=anchors), scene.noise, layer_sizes=(150, 60, 30)
        )
        maps = [finding.where["feature_map"] for finding in comparison.findings if finding.where]
        assert maps == [0, 1, 2]

    def test_axes(self, scene):
        """Swapped axes are recognised."""
        swapped = changed(scene.heads, anchors=scene.heads.anchors[:, [1, 0, 3, 2]])
        assert "x and y are swapped" in text(compare_anchors(scene.heads, swapped, scene.noise))

    def test_clipped(self):
        """Anchors that were clipped to the image are recognised."""
        scene = world(over_edges=True)
        clipped = changed(scene.heads, anchors=np.clip(scene.heads.anchors, 0, 1))
        assert "they are clipped" in text(compare_anchors(scene.heads, clipped, scene.noise))

    def test_rounded_aspect_ratio(self, scene):
        """Widths computed from 1.4 for the root of 2 are noticed."""
        anchors = scene.heads.anchors.copy()
        middle, half = (anchors[:, 1] + anchors[:, 3]) / 2, (anchors[:, 3] - anchors[:, 1]) / 2 * (1.4 / 2**0.5)
        anchors[:, 1], anchors[:, 3] = middle - half, middle + half
        assert compare_anchors(scene.heads, changed(scene.heads, anchors=anchors), scene.noise).outcome == "failed"

    def test_half_a_pixel(self, scene):
        """A grid that lies half a pixel of a thousand off is noticed."""
        anchors = scene.heads.anchors + np.float32(0.5 / 1000)
        assert compare_anchors(scene.heads, changed(scene.heads, anchors=anchors), scene.noise).outcome == "failed"

    def test_layer_sizes_that_do_not_add_up(self, scene):
        """Feature maps that make another number of anchors are the caller's error."""
        wrong = changed(scene.heads, anchors=scene.heads.anchors + 1)
        with pytest.raises(UsageError, match="make 210"):
            compare_anchors(scene.heads, wrong, scene.noise, layer_sizes=(150, 60))


class TestVariances:
    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [((10.0, 10.0, 5.0, 5.0), "scales, not 1 / scale"), ((0.2, 0.2, 0.1, 0.1), "are exchanged")],
    )
    def test_wrong(self, scene, wrong, hint):
        """Scales for variances, and centre for size, are recognised."""
        variances = np.tile(np.float32(wrong), (scene.heads.variances.shape[0], 1))
        comparison = compare_variances(scene.heads, changed(scene.heads, variances=variances), scene.noise)
        assert hint in text(comparison)

    def test_computed_otherwise(self, scene):
        """0.2 and 1 / 5 are the same variance."""
        variances = (1.0 / np.tile(np.float32((10, 10, 5, 5)), (scene.heads.variances.shape[0], 1))).astype(np.float32)
        assert (
            compare_variances(scene.heads, changed(scene.heads, variances=variances), scene.noise).outcome == "passed"
        )


class TestEncodings:
    def test_one_element(self, scene):
        """One encoding that is off is found with its image, anchor, class and coordinate."""
        encodings = scene.heads.box_encodings.copy()
        encodings[1, 17, 2, 2] += 1e-3
        comparison = compare_encodings(scene.heads, changed(scene.heads, box_encodings=encodings), scene.noise)
        (finding,) = comparison.findings
        assert finding.where == {"image": 1, "anchor": 17, "class": 2, "coordinate": "th"}

    def test_axes(self, scene):
        """Encodings whose axes were not swapped are recognised."""
        swapped = changed(scene.heads, box_encodings=scene.heads.box_encodings[..., [1, 0, 3, 2]])
        assert "x and y are swapped" in text(compare_encodings(scene.heads, swapped, scene.noise))

    def test_variance(self, scene):
        """Encodings that were multiplied by the variances already are recognised."""
        scaled = changed(scene.heads, box_encodings=scene.heads.box_encodings * scene.heads.variances[None, :, None])
        assert "multiplied by the variances" in text(compare_encodings(scene.heads, scaled, scene.noise))

    def test_images(self, scene):
        """A batch the wrong way round is recognised."""
        turned = changed(scene.heads, box_encodings=scene.heads.box_encodings[::-1])
        assert "reverse order" in text(compare_encodings(scene.heads, turned, scene.noise))

    def test_small_error_of_all(self, scene):
        """An error that stays under each element's tolerance, and that all share, is noticed in the mean."""
        level = dataclasses.replace(scene.noise.encodings, typical=scene.noise.encodings.worst / 30)
        noise = dataclasses.replace(scene.noise, encodings=level)
        shifted = scene.heads.box_encodings + np.float32(0.5 * TOLERANCE_FACTOR * level.worst)
        comparison = compare_encodings(scene.heads, changed(scene.heads, box_encodings=shifted), noise)
        (finding,) = comparison.findings
        assert "mean error" in finding.what
        assert comparison.worst.ratio < TOLERANCE_FACTOR


class TestScores:
    def test_small_score(self, scene):
        """A score of 1e-6 is held to its own size: being off by a tenth of it is a finding."""
        scores = scene.heads.class_scores.copy()
        scores[0, 5, 1] = 1e-6
        reference = changed(scene.heads, class_scores=scores)
        off = scores.copy()
        off[0, 5, 1] = 1.1e-6
        comparison = compare_scores(reference, changed(reference, class_scores=off), scene.noise)
        assert comparison.findings[0].where == {"image": 0, "anchor": 5, "class": 1}

    def test_saturated_score(self, scene):
        """Scores that float32 can tell from 1 by a single step are equal."""
        scores = scene.heads.class_scores.copy()
        scores[0, 5, 1] = 1.0
        off = scores.copy()
        off[0, 5, 1] = np.nextafter(np.float32(1), np.float32(0))
        reference = changed(scene.heads, class_scores=scores)
        assert compare_scores(reference, changed(reference, class_scores=off), scene.noise).outcome == "passed"

    def test_class_columns(self, scene):
        """Class columns that are off by one are recognised."""
        rolled = changed(scene.heads, class_scores=np.roll(scene.heads.class_scores, -1, axis=2))
        assert "one too far left" in text(compare_scores(scene.heads, rolled, scene.noise))

    def test_converter_missing(self, scene):
        """Logits in place of probabilities are recognised."""
        raw = changed(scene.heads, class_scores=logit(scene.heads.class_scores).astype(np.float32))
        assert "the sigmoid is missing" in text(compare_scores(scene.heads, raw, scene.noise))

    def test_converter_twice(self, scene):
        """A sigmoid of probabilities is recognised."""
        twice = (1 / (1 + np.exp(-scene.heads.class_scores))).astype(np.float32)
        comparison = compare_scores(scene.heads, changed(scene.heads, class_scores=twice), scene.noise)
        assert "applied twice" in text(comparison)

    def test_softmax_for_sigmoid(self, scene):
        """A softmax of the logits that TensorFlow gives to a sigmoid is recognised."""
        powers = np.exp(logit(scene.heads.class_scores))
        soft = (powers / powers.sum(axis=2, keepdims=True)).astype(np.float32)
        comparison = compare_scores(scene.heads, changed(scene.heads, class_scores=soft), scene.noise)
        assert "softmax" in text(comparison)

    def test_not_a_number(self, scene):
        """NaN is a finding with its place; a background that is all NaN is no excuse for more."""
        scores = scene.heads.class_scores.copy()
        scores[..., 0] = np.nan
        scores[1, 3, 2] = np.nan
        comparison = compare_scores(scene.heads, changed(scene.heads, class_scores=scores), scene.noise)
        assert comparison.findings[0].where == {"image": 1, "anchor": 3, "class": 2}
        assert "1 of" in comparison.findings[0].what

    def test_raw_scores(self, scene):
        """Scores of the IDENTITY converter are compared in their own unit."""
        raw = logit(scene.heads.class_scores).astype(np.float32)
        reference = changed(scene.heads, class_scores=raw)
        level = dataclasses.replace(scene.noise.scores, unit="score")
        noise = dataclasses.replace(scene.noise, scores=level)
        assert compare_scores(reference, changed(reference, class_scores=raw + 1e-5), noise).outcome == "passed"
        assert compare_scores(reference, changed(reference, class_scores=raw + 1e-3), noise).outcome == "failed"


class TestShapes:
    def test_mismatch(self, scene):
        """Shapes that numpy would broadcast are a finding."""
        shared = changed(scene.heads, box_encodings=scene.heads.box_encodings[:, :, :1])
        comparison = compare_encodings(scene.heads, shared, scene.noise)
        assert "[2, 240, 1, 4] where TensorFlow's have [2, 240, 5, 4]" in text(comparison)
        assert comparison.compared == 0

    def test_anchors_of_each_image(self, scene):
        """Anchors that differ between the images are not those that all images share."""
        each = changed(scene.heads, anchors=np.stack([scene.heads.anchors] * 2))
        assert compare_anchors(scene.heads, each, scene.noise).outcome == "failed"

    def test_not_shown(self, scene):
        """A head that one side does not show is a comparison of nothing, which is no pass."""
        compared = compare_heads(scene.heads, Heads(anchors=scene.heads.anchors), scene.noise)
        assert compared["anchors"].outcome == "passed"
        assert compared["box_encodings"].outcome == "error"
        assert "shows no box encodings" in compared["box_encodings"].notes[0]

    def test_empty(self, scene):
        """Heads without a single anchor are a comparison of nothing."""
        none = Heads(anchors=np.zeros((0, 4), np.float32))
        assert compare_anchors(none, none, scene.noise).outcome == "error"

    def test_reference_not_finite(self, scene):
        """A reference that is not finite is no oracle."""
        anchors = scene.heads.anchors.copy()
        anchors[0, 0] = np.inf
        with pytest.raises(CaseError, match="not finite"):
            compare_anchors(changed(scene.heads, anchors=anchors), scene.heads, scene.noise)

    def test_noise_not_known(self, scene):
        """A head whose noise was never measured cannot be judged."""
        noise = dataclasses.replace(scene.noise, encodings=None)
        with pytest.raises(CaseError, match="noise of encodings"):
            compare_encodings(scene.heads, scene.heads, noise)
