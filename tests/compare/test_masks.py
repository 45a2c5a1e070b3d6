from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.compare.masks import compare_masks
from harness.compare.resolution import logit
from harness.errors import CaseError
from harness.observation.detection_output import from_detection_output
from harness.observation.detections import Answer
from tests.compare.worlds import detections, noise_of, take

SIZE = 15
NOISE = noise_of(1e-5, 1e-5)


def sigmoid(values):
    return (1.0 / (1.0 + np.exp(-values))).astype(np.float32)


@pytest.fixture
def logits():
    """Six different blobs, none symmetric, from surely outside to surely inside."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1)
    blobs = []
    for _ in range(6):
        cy, cx, ry, rx = *rng.uniform(0.3, 0.7, 2), *rng.uniform(0.15, 0.6, 2)
        blobs.append(6.0 - 8.0 * (((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2) + 2.0 * x - y)
    return np.clip(np.stack(blobs), -12.0, 12.0)


@pytest.fixture
def reference(logits):
    """Six detections with the blobs as masks."""
    image = detections(*((k % 3 + 1, 0.9 - 0.1 * k, (0.1 * k, 0.05 * k, 0.1 * k + 0.3, 0.6)) for k in range(6)))
    return Answer((dataclasses.replace(image, masks=sigmoid(logits)),))


def with_masks(answer, masks):
    return Answer((dataclasses.replace(answer.images[0], masks=np.asarray(masks, np.float32)),))


class TestRight:
    def test_noise(self, reference, logits):
        """Masks whose logits differ by noise pass, in whatever order the detections come."""
        rng = np.random.default_rng(1)
        near = with_masks(reference, sigmoid(logits + rng.uniform(-3e-4, 3e-4, logits.shape)))
        shuffled = Answer((take(near.images[0], [3, 1, 5, 0, 2, 4]),))
        for answer in (near, shuffled):
            comparison = compare_masks(reference, answer, NOISE)
            assert (comparison.outcome, comparison.compared) == ("passed", 6)
            assert 1.0 < comparison.worst.ratio < 10.0
            assert comparison.unit == "logit"

    def test_saturated(self, reference, logits):
        """Where float32 has saturated, what the logit was cannot be seen, and is not held against a mask."""
        far = with_masks(reference, sigmoid(logits * 3.0))
        farther = with_masks(reference, sigmoid(np.where(np.abs(logits) > 8, logits * 3.0 + 3e-4, logits * 3.0)))
        assert compare_masks(far, farther, NOISE).outcome == "passed"


class TestWrong:
    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            (lambda masks: masks[[1, 2, 3, 4, 5, 0]], "it is the mask of TensorFlow's detection 1"),
            (lambda masks: masks.transpose(0, 2, 1), "it is transposed"),
            (lambda masks: masks[:, ::-1], "it is upside down"),
            (lambda masks: masks[:, :, ::-1], "it is mirrored"),
            (lambda masks: 1.0 - masks, "it is inverted"),
            (sigmoid, "the sigmoid was applied twice"),
            (logit, "the sigmoid is missing"),
            (np.zeros_like, "IoU at one half 0"),
            (np.ones_like, "differs in"),
            (lambda masks: masks[:1].repeat(6, axis=0), "it is the mask of TensorFlow's detection 0"),
            (lambda masks: (masks > 0.5).astype(np.float32), "differs in"),
            (lambda masks: np.where(masks > 0.9, np.nan, masks), "not finite"),
            (lambda masks: np.roll(masks, 1, axis=2), "differs in"),
        ],
        ids=[
            "permuted",
            "transposed",
            "upside down",
            "mirrored",
            "inverted",
            "double sigmoid",
            "no sigmoid",
            "empty",
            "full",
            "constant",
            "binarised",
            "nan",
            "shifted",
        ],
    )
    def test_fails_with_hint(self, reference, wrong, hint):
        """Every way to get masks wrong is found, and called by its name where it has one."""
        comparison = compare_masks(reference, with_masks(reference, wrong(reference.images[0].masks)), NOISE)
        assert comparison.outcome == "failed"
        assert any(hint in finding.what for finding in comparison.findings)

    def test_one_of_many(self, reference):
        """Two masks that changed places among many are found, with their detections."""
        masks = reference.images[0].masks[[0, 1, 3, 2, 4, 5]]
        comparison = compare_masks(reference, with_masks(reference, masks), NOISE)
        assert [finding.where["reference"] for finding in comparison.findings] == [2, 3]

    def test_neighbouring_class(self, reference):
        """The channel beside a detection's own class holds another mask."""
        image = reference.images[0]
        rows = np.zeros((6, 7), np.float32)
        rows[:, 1], rows[:, 2] = image.classes, image.scores
        rows[:, 3:] = image.boxes[:, [1, 0, 3, 2]]
        channels = np.random.default_rng(0).random((6, 4, SIZE, SIZE)).astype(np.float32)
        channels[np.arange(6), image.classes - 1] = image.masks
        right = Answer(from_detection_output(rows, 1, masks=channels))
        neighbour = Answer(from_detection_output(rows, 1, masks=np.roll(channels, 1, axis=1)))
        assert compare_masks(reference, right, NOISE).outcome == "passed"
        assert compare_masks(reference, neighbour, NOISE).outcome == "failed"

    def test_small_error_of_all(self, reference, logits):
        """A shift that stays under each pixel's tolerance is found in the mean."""
        level = dataclasses.replace(NOISE.mask_logits, typical=1e-5)
        comparison = compare_masks(
            reference, with_masks(reference, sigmoid(logits + 5e-4)), dataclasses.replace(NOISE, mask_logits=level)
        )
        assert "in the mean" in comparison.findings[0].what

    def test_small_error_of_one(self, reference, logits):
        """A single mask may move more than most do, as its box has, while each value stays within tolerance."""
        level = dataclasses.replace(NOISE.mask_logits, typical=1e-5)
        moved = logits.copy()
        moved[2] += 2e-4
        comparison = compare_masks(
            reference, with_masks(reference, sigmoid(moved)), dataclasses.replace(NOISE, mask_logits=level)
        )
        assert comparison.outcome == "passed"

    def test_other_size(self, reference):
        """Masks of 33 x 33 are not those of 15 x 15."""
        comparison = compare_masks(reference, with_masks(reference, np.zeros((6, 33, 33))), NOISE)
        assert "[33, 33] where TensorFlow's are [15, 15]" in comparison.findings[0].what

    def test_missing(self, reference):
        """No masks at all are a finding."""
        comparison = compare_masks(reference, Answer((dataclasses.replace(reference.images[0], masks=None),)), NOISE)
        assert comparison.outcome == "failed"


class TestNothing:
    def test_no_counterparts(self, reference):
        """Masks of detections that have no counterpart cannot be compared, and then nothing passes."""
        image = reference.images[0]
        elsewhere = Answer((dataclasses.replace(image, boxes=image.boxes + np.float32(0.1)),))
        comparison = compare_masks(reference, elsewhere, NOISE)
        assert comparison.outcome == "failed"
        assert "only 0 of TensorFlow's 6 masks" in comparison.findings[0].what

    def test_reference_without_masks(self, reference):
        """Where TensorFlow has no masks nothing was compared."""
        bare = Answer((dataclasses.replace(reference.images[0], masks=None),))
        assert compare_masks(bare, bare, NOISE).outcome == "error"

    def test_reference_is_logits(self, reference, logits):
        """A reference whose masks are no probabilities is the case's error."""
        with pytest.raises(CaseError, match="no probabilities"):
            compare_masks(with_masks(reference, logits), reference, NOISE)
