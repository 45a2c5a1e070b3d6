from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.decoding import decode_boxes, decoded_tolerance
from harness.compare.noise import Level
from harness.compare.suppression import Suppression, suppress
from harness.errors import UsageError
from harness.observation.detections import Heads
from tests.compare.worlds import heads_of, moved, noise_of, world


def plainly(boxes, scores, suppression):
    """One class's suppression written out box by box, the way the definition reads."""
    kept = []
    for index in sorted(range(len(scores)), key=lambda one: (-scores[one], one)):
        if scores[index] <= suppression.score_threshold or len(kept) == suppression.max_detections_per_class:
            continue
        if all(overlap(boxes[index], boxes[other]) <= np.float32(suppression.iou_threshold) for other in kept):
            kept.append(index)
    return kept


def overlap(one, two):
    height = max(min(one[2], two[2]) - max(one[0], two[0]), np.float32(0))
    width = max(min(one[3], two[3]) - max(one[1], two[1]), np.float32(0))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, two)]
    return height * width / (areas[0] + areas[1] - height * width)


class TestSuppress:
    @settings(max_examples=30, deadline=None)
    @given(
        seed=st.integers(0, 2**31),
        grid=st.sampled_from([None, 0.5]),
        threshold=st.sampled_from([0.3, 0.6]),
        cap=st.sampled_from([2, 100]),
    )
    def test_definition(self, seed, grid, threshold, cap):
        """Box by box as the definition reads, the same boxes stay."""
        suppression = Suppression(0.05, threshold, cap, 1000, clip="none")
        scene = world(seed, images=1, anchors=40, classes=2, grid=grid, suppression=suppression)
        boxes = decode_boxes(scene.heads.box_encodings, scene.heads.anchors, scene.heads.variances)[0, :, 0]
        answer = scene.reference.images[0]
        for label in (1, 2):
            kept = plainly(boxes, scene.heads.class_scores[0, :, label], suppression)
            np.testing.assert_array_equal(answer.boxes[answer.classes == label], boxes[kept])

    def test_order(self):
        """Detections come best first, and equal scores by class."""
        heads = heads_of((2, 0.5, (0, 0, 0.1, 0.1)), (1, 0.5, (0.2, 0, 0.3, 0.1)), (3, 0.9, (0.4, 0, 0.5, 0.1)))
        (answer,) = suppress(heads, Suppression(0.1, 0.5, 10, 10))
        assert answer.classes.tolist() == [3, 1, 2]

    def test_strict(self):
        """A score at the threshold is not over it."""
        heads = heads_of((1, 0.5, (0, 0, 0.1, 0.1)))
        assert len(suppress(heads, Suppression(0.5, 0.5, 10, 10))[0]) == 0

    def test_incomplete(self):
        """Heads that lack something cannot be suppressed, and the error says what they lack."""
        with pytest.raises(UsageError, match="anchors, variances"):
            suppress(Heads(np.zeros((1, 1, 1, 4)), np.zeros((1, 1, 2))), Suppression(0.1, 0.5, 10, 10))

    @pytest.mark.parametrize("wrong", [(0.1, 1.5, 10, 10), (0.1, 0.5, 0, 10), (0.1, 0.5, 10, 0)])
    def test_senseless(self, wrong):
        """Caps of nothing and thresholds beyond 1 are refused."""
        with pytest.raises(UsageError, match="mean nothing"):
            Suppression(*wrong)

    @pytest.mark.long
    def test_tensorflow(self, tmp_path):
        """TensorFlow's own kernel keeps the same boxes in the same order, ties included."""
        program = Path(__file__).with_name("run_tensorflow_nms.py")
        scenes = [world(seed, images=1, anchors=120, grid=(None, 0.5)[seed % 2]) for seed in range(20)]
        given_arrays, expected = {}, []
        for index, scene in enumerate(scenes):
            boxes = decode_boxes(scene.heads.box_encodings, scene.heads.anchors, scene.heads.variances)[0, :, 0]
            given_arrays[f"boxes{index}"], given_arrays[f"scores{index}"] = boxes, scene.heads.class_scores[0, :, 1:]
            answer = suppress(scene.heads, Suppression(0.05, 0.6, 7, 10_000, clip="none"))[0]
            expected.append([answer.boxes[answer.classes == label] for label in range(1, 6)])
        np.savez(tmp_path / "given.npz", **given_arrays)
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [sys.executable, str(program), str(tmp_path), "0.05", "0.6", "7"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        kept = np.load(tmp_path / "kept.npz")
        for index, classes in enumerate(expected):
            for label, boxes in enumerate(classes):
                chosen = given_arrays[f"boxes{index}"][kept[f"{index}-{label}"]]
                np.testing.assert_array_equal(boxes, chosen)


class TestDecoding:
    def test_center_size(self):
        """An encoding moves the centre by variance x size and scales the size by its exponential."""
        anchors = np.float32([[0.2, 0.2, 0.4, 0.6]])
        boxes = decode_boxes(np.float32([[[[1.0, -1.0, 2.0, 0.0]]]]), anchors, np.float32([[0.1, 0.1, 0.2, 0.2]]))
        height = 0.2 * np.exp(0.4)
        expected = [0.32 - height / 2, 0.36 - 0.2, 0.32 + height / 2, 0.36 + 0.2]
        np.testing.assert_allclose(boxes[0, 0, 0], expected, rtol=1e-6)

    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 2**31), level=st.sampled_from([1e-7, 1e-5, 1e-3, 1e-2]))
    def test_tolerance(self, seed, level):
        """Boxes of heads within tolerance lie within the tolerance that is computed for boxes."""
        scene = world(seed, anchors=40, per_class_boxes=True)
        noise = noise_of(level, 1e-5)
        heads = moved(scene.heads, noise, seed, 0.999)
        off = np.abs(
            decode_boxes(heads.box_encodings, heads.anchors, heads.variances).astype(np.float64)
            - decode_boxes(scene.heads.box_encodings, scene.heads.anchors, scene.heads.variances)
        )
        tolerance = decoded_tolerance(
            scene.heads.box_encodings,
            scene.heads.anchors,
            scene.heads.variances,
            encoding_noise=noise.encodings,
            anchor_noise=noise.anchors,
            factor=10.0,
        )
        assert (off <= tolerance).all()
        assert (off > 0.02 * tolerance).any()

    def test_overflow(self):
        """An encoding that overflows has a tolerance that says so, and no warning."""
        level = Level(1e-5, 1e-5, 1e-7, "encoding")
        tolerance = decoded_tolerance(
            np.float32([[[[0, 0, 1000, 1000]]]]),
            np.float32([[0, 0, 1, 1]]),
            np.float32([[0.1, 0.1, 0.2, 0.2]]),
            encoding_noise=level,
            anchor_noise=level,
            factor=10.0,
        )
        assert not (tolerance < 1e30).any()
