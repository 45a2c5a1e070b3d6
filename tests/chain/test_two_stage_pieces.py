"""The pieces that two-stage detectors are built from, each against TensorFlow's rule written in numpy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from harness.chain.translate.masks import translate_detection_regions, translate_masks
from harness.chain.translate.proposals import translate_proposals
from harness.chain.translate.regions import (
    translate_crop_proposals,
    translate_psroi_pooling,
    translate_roi_pooling,
    translate_swap_boxes,
)
from harness.chain.translate.second_stage import translate_second_stage
from harness.chain.two_stage.grid_anchors import GridAnchors
from tests.chain import two_stage_oracle as oracle
from tests.chain.translated import translated

FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANCHORS = GridAnchors((32.0, 32.0), (16.0, 16.0), (0.0, 0.0), (0.5, 1.0, 2.0), (0.5, 1.0, 2.0))


def softmax(logits):
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def laid_out(anchors, rows, columns):
    """The generator's anchors of a feature map, ``[rows * columns * A, 4]`` YXYX in pixels."""
    y, x = np.meshgrid(
        np.arange(rows) * anchors.stride[0] + anchors.offset[0],
        np.arange(columns) * anchors.stride[1] + anchors.offset[1],
        indexing="ij",
    )
    half = np.stack([anchors.heights, anchors.widths], axis=-1) / 2
    centre = np.stack([y, x], axis=-1)[:, :, None]
    return np.concatenate([centre - half, centre + half], axis=-1).reshape(-1, 4)


def first_stage(anchors, operation, **values):
    return {
        "operation": operation,
        "anchors_per_cell": anchors.per_cell,
        "base_height": int(anchors.base_size[0]),
        "stride_height": anchors.stride[0],
        "stride_width": anchors.stride[1],
        "offset": anchors.offset[0] / anchors.stride[0],
        "scales": list(anchors.scales),
        "aspect_ratios": list(anchors.aspect_ratios),
        "heights": anchors.heights,
        "widths": anchors.widths,
        "coordinate_scale_y": 10.0,
        "coordinate_scale_x": 10.0,
        "size_scale_height": 5.0,
        "size_scale_width": 5.0,
        **values,
    }


def real_rows(regions, valid, image):
    """The real proposals of an image, YXYX."""
    count = valid.shape[1]
    own = regions[image * count : (image + 1) * count]
    assert (own[valid[image] > 0, 0] == image).all()
    return own[valid[image] > 0][:, [2, 1, 4, 3]]


def same_set(found, expected, tolerance):
    """Whether two sets of boxes are one, each box with a counterpart of its own."""
    if len(found) != len(expected):
        return False
    left = list(range(len(expected)))
    for box in found:
        fits = [one for one in left if np.abs(expected[one] - box).max() < tolerance]
        if not fits:
            return False
        left.remove(fits[0])
    return True


class TestProposals:
    """Both variants give TensorFlow's proposals, as a set, with the true number of real ones (PRO-1 to PRO-4)."""

    @pytest.mark.parametrize("operation", ["Proposal", "DetectionOutput"])
    @FEW
    @given(
        seed=st.integers(0, 2**32 - 1),
        rows=st.integers(2, 6),
        columns=st.integers(2, 6),
        limit=st.integers(3, 60),
        iou=st.sampled_from([0.3, 0.5, 0.7]),
        threshold=st.sampled_from([0.0, 0.4]),
        spread=st.sampled_from([0.5, 2.0, 6.0]),
        clip_first=st.booleans(),
        batch=st.integers(1, 2),
    )
    def test_sets_agree(self, operation, seed, rows, columns, limit, iou, threshold, spread, clip_first, batch):
        """Whatever the map, the thresholds and where the clipping happens; nothing is cut before suppression."""
        random = np.random.default_rng(seed)
        size = (rows * 16 - int(random.integers(0, 16)), columns * 16 - int(random.integers(0, 16)))
        codes = random.normal(0, spread, (batch, rows, columns, ANCHORS.per_cell * 4)).astype(np.float32)
        logits = random.normal(0, 2, (batch, rows, columns, ANCHORS.per_cell * 2)).astype(np.float32)
        image = np.zeros((batch, *size, 3), np.float32)
        anchors = laid_out(ANCHORS, rows, columns)
        scores = softmax(logits.reshape(batch, -1, 2))[..., 1]
        for one in range(batch):
            boxes = oracle.decode(oracle.clip(anchors, *size), codes[one].reshape(-1, 4))
            assume(not oracle.close_calls(oracle.clip(boxes, *size) if clip_first else boxes, scores[one], iou))
            assume(not (np.abs(scores[one] - threshold) < 1e-6).any())
        regions, valid = translated(
            translate_proposals,
            [codes, logits, image],
            **first_stage(
                ANCHORS,
                operation,
                max_proposals=limit,
                nms_threshold=iou,
                score_threshold=threshold,
                clip_before_nms=clip_first,
                clip_after_nms=not clip_first,
            ),
        )
        assert regions.shape == (batch * limit, 5)
        assert regions.min() >= 0
        for one in range(batch):
            expected = oracle.proposals(
                codes[one].reshape(-1, 4),
                scores[one],
                anchors,
                size,
                limit=limit,
                iou=iou,
                threshold=threshold,
                clip_first=clip_first,
            )
            found = real_rows(regions, valid, one)
            assert same_set(found, expected, 2e-5), (len(found), len(expected))

    def test_crowd_keeps_what_a_cut_before_suppression_loses(self):
        """A hundred copies of one box score higher than all others: the others are proposals nevertheless."""
        anchors = GridAnchors((16.0, 16.0), (16.0, 16.0), (0.0, 0.0), (1.0,), (1.0,))
        codes = np.zeros((1, 10, 20, 4), np.float32)
        logits = np.zeros((1, 10, 20, 2), np.float32)
        # The first hundred anchors are all moved onto one place, and are surest.
        cells = np.stack(np.meshgrid(np.arange(10), np.arange(20), indexing="ij"), -1).reshape(-1, 2) * 16.0
        flat = codes.reshape(-1, 4)
        clipped = oracle.clip(laid_out(anchors, 10, 20), 160, 320)
        centre, span = (clipped[:, :2] + clipped[:, 2:]) / 2, clipped[:, 2:] - clipped[:, :2]
        flat[:100, :2] = 10 * (np.array([80.0, 160.0]) - centre[:100]) / span[:100]
        flat[:100, 2:] = 5 * np.log(16.0 / span[:100])
        logits.reshape(-1, 2)[:, 1] = np.linspace(8, 1, len(cells))
        for operation in ("Proposal", "DetectionOutput"):
            _, valid = translated(
                translate_proposals,
                [codes, logits, np.zeros((1, 160, 320, 3), np.float32)],
                **first_stage(
                    anchors,
                    operation,
                    max_proposals=60,
                    nms_threshold=0.5,
                    score_threshold=0.0,
                    clip_before_nms=False,
                    clip_after_nms=True,
                ),
            )
            assert valid.sum() == 60

    def test_unequal_sides_by_detection_output(self):
        """Strides and base sizes that differ between height and width, and an offset of cells (PRO-5)."""
        anchors = GridAnchors((32.0, 20.0), (16.0, 8.0), (8.0, 4.0), (0.5, 1.0), (0.5, 2.0))
        random = np.random.default_rng(3)
        codes = random.normal(0, 1, (1, 4, 7, anchors.per_cell * 4)).astype(np.float32)
        logits = random.normal(0, 2, (1, 4, 7, anchors.per_cell * 2)).astype(np.float32)
        regions, valid = translated(
            translate_proposals,
            [codes, logits, np.zeros((1, 64, 56, 3), np.float32)],
            **first_stage(
                anchors,
                "DetectionOutput",
                max_proposals=20,
                nms_threshold=0.5,
                score_threshold=0.0,
                clip_before_nms=False,
                clip_after_nms=True,
            ),
        )
        expected = oracle.proposals(
            codes.reshape(-1, 4),
            softmax(logits.reshape(-1, 2))[:, 1],
            laid_out(anchors, 4, 7),
            (64, 56),
            limit=20,
            iou=0.5,
            threshold=0.0,
            clip_first=False,
        )
        assert same_set(real_rows(regions, valid, 0), expected, 2e-5)

    def test_boxes_for_both_sides(self):
        """Regions become boxes without the image's column, in OpenVINO's order and swapped for TensorFlow's (PRO-3)."""
        regions = np.arange(40, dtype=np.float32).reshape(8, 5)
        (boxes,) = translated(translate_crop_proposals, [regions], max_proposals=4, name_in_model="crop_proposals")
        np.testing.assert_array_equal(boxes, regions[:, 1:].reshape(2, 4, 4))
        (swapped,) = translated(translate_swap_boxes, [boxes])
        np.testing.assert_array_equal(swapped, boxes[..., [1, 0, 3, 2]])


def last_is_beyond(low, size, crop):
    """Whether TensorFlow's float32 sum of steps ends a hair beyond the last row, for boxes from ``low`` to 1."""
    if crop == 1:
        return np.zeros(np.shape(low), bool)
    low, last = np.float32(low), np.float32(size - 1)
    step = ((np.float32(1.0) - low) * last) / np.float32(crop - 1)
    return low * last + np.float32(crop - 1) * step > last


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """TensorFlow's CropAndResize of random boxes, many of them at the border; computed once, elsewhere."""
    folder = tmp_path_factory.mktemp("crops")
    script = Path(__file__).with_name("tf_crops.py")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run(
        [sys.executable, str(script), str(folder)], check=True, timeout=300, env=environment, capture_output=True
    )
    return {path.stem: dict(np.load(path)) for path in sorted(folder.glob("*.npz"))}


class TestRoiPooling:
    """ROIPooling's bilinear method with TensorFlow's sampling (MSK-1)."""

    def test_crops_agree(self, crops):
        """Boxes inside, at the border, beyond it, without area, and of the second image of a batch."""
        compared = 0
        for name, case in crops.items():
            if not name.startswith("crop"):
                continue
            height, width = case["expected"].shape[1:3]
            boxes = case["boxes"]
            regions = np.concatenate([case["images"][:, None], boxes[:, [1, 0, 3, 2]]], 1).astype(np.float32)
            (found,) = translated(
                translate_roi_pooling,
                [case["features"], regions],
                crop_height=height,
                crop_width=width,
                pooling_name="crop",
            )
            error = np.abs(found - case["expected"])
            # Where a box ends at the image's edge TensorFlow's last row depends on the last bit of its first edge.
            rows, columns = case["features"].shape[1:3]
            edge_y = (boxes[:, 2] == 1.0) & (boxes[:, 0] != 0.0) & last_is_beyond(boxes[:, 0], rows, height)
            edge_x = (boxes[:, 3] == 1.0) & (boxes[:, 1] != 0.0) & last_is_beyond(boxes[:, 1], columns, width)
            error[edge_y, -1] = 0.0
            error[edge_x, :, -1] = 0.0
            assert (edge_y | edge_x).mean() < 0.2
            assert error.max() < 2e-4, (name, np.unravel_index(error.argmax(), error.shape))
            compared += len(boxes)
        assert compared > 500

    def test_whole_image_over_the_edge(self, crops):
        """A map of 57 rows and a crop of 14: TensorFlow's last row of a box over the whole image is zero, and ours."""
        case = crops["crop_57"]
        whole = (case["boxes"] == [0.0, 0.0, 1.0, 1.0]).all(axis=1)
        assert whole.any()
        assert not case["expected"][whole][:, -1].any()
        assert last_is_beyond(0.0, 57, 14)

    def test_position_sensitive(self, crops):
        """The mean over bins of crops, each of its own channels (PSR-1)."""
        case = crops["bins"]
        regions = np.concatenate([case["images"][:, None], case["boxes"][:, [1, 0, 3, 2]]], 1).astype(np.float32)
        bins, size, channels = int(case["bins"]), int(case["size"]), case["expected"].shape[1]
        for per_image in (0, len(regions) // 2):
            (found,) = translated(
                translate_psroi_pooling,
                [case["features"], regions],
                output_dim=channels,
                group_size=size,
                bins_y=bins,
                bins_x=bins,
                per_image=per_image,
            )
            shape = (2, per_image, 1, 1, channels) if per_image else (len(regions), 1, 1, channels)
            assert found.shape == shape
            np.testing.assert_allclose(found.reshape(-1, channels), case["expected"], atol=2e-5)


class TestSecondStage:
    """DetectionOutput gives what TensorFlow's suppression class by class gives (DET-1, DET-2, DET-5)."""

    @FEW
    @given(
        seed=st.integers(0, 2**32 - 1),
        count=st.integers(2, 30),
        classes=st.sampled_from([1, 2, 5]),
        shared=st.booleans(),
        per_class=st.integers(1, 12),
        extra=st.integers(0, 20),
        iou=st.sampled_from([0.3, 0.6]),
        threshold=st.sampled_from([0.0, 0.05, 0.3]),
        spread=st.sampled_from([0.5, 3.0, 20.0]),
        clip_first=st.booleans(),
        swap=st.booleans(),
        batch=st.integers(1, 2),
    )
    def test_detections_agree(
        self, seed, count, classes, shared, per_class, extra, iou, threshold, spread, clip_first, swap, batch
    ):
        """Caps of a class and of all, boxes that leave the image, proposals that are padding: rows agree as sets."""
        random = np.random.default_rng(seed)
        corners = random.uniform(0, 1, (batch, count, 2, 2))
        corners.sort(axis=2)
        boxes = corners.reshape(batch, count, 4).astype(np.float32)  # YXYX
        valid = (random.uniform(size=(batch, count)) > 0.2).astype(np.float32)
        width = 1 if shared else classes
        codes = random.normal(0, spread, (batch * count, width, 4)).astype(np.float32)
        codes[..., 2:] = np.clip(codes[..., 2:], -8, 8)
        logits = random.normal(0, 2, (batch * count, classes + 1)).astype(np.float32)
        scores = softmax(logits).reshape(batch, count, classes + 1)[..., 1:]
        decoded = oracle.decode(boxes[:, :, None], codes.reshape(batch, count, width, 4))
        total = per_class + extra
        for image in range(batch):
            real = valid[image] > 0
            for label in range(width):
                own = decoded[image, real, label]
                assume(
                    not oracle.close_calls(oracle.clip(own, 1, 1) if clip_first else own, scores[image, real, 0], iou)
                )
                # Boxes that clipping leaves with hardly any area have it or not by rounding.
                sides = oracle.clip(own, 1, 1)[:, 2:] - oracle.clip(own, 1, 1)[:, :2]
                assume(not ((sides > 0) & (sides < 1e-5)).any())
            assume(not (np.abs(scores[image] - threshold) < 1e-6).any())
            ranked = np.sort(scores[image], axis=None)
            assume(not (np.abs(np.diff(ranked)) < 1e-7).any())
        order = [0, 1, 2, 3] if swap else [1, 0, 3, 2]
        (rows,) = translated(
            translate_second_stage,
            [
                np.ascontiguousarray(codes[..., order].reshape(batch * count, -1)),
                logits,
                np.ascontiguousarray(boxes[..., [1, 0, 3, 2]]),
                valid,
            ],
            max_proposals=count,
            num_classes=classes,
            share_location=shared and classes > 1,
            swap_coordinates=swap,
            variances=[0.1, 0.1, 0.2, 0.2],
            score_converter="SOFTMAX",
            confidence_threshold=threshold,
            nms_threshold=iou,
            keep_top_k=total,
            max_detections_per_class=per_class,
            clip_before_nms=clip_first,
            clip_after_nms=not clip_first,
        )
        assert rows.shape == (1, 1, batch * total, 7)
        rows = rows.reshape(-1, 7)
        ends = np.flatnonzero(rows[:, 0] < 0)
        rows = rows[: ends[0]] if len(ends) else rows
        for image in range(batch):
            real = valid[image] > 0
            expected = oracle.detections(
                decoded[image, real],
                scores[image, real],
                per_class=per_class,
                total=total,
                iou=iou,
                threshold=threshold,
                clip_first=clip_first,
            )
            own = rows[rows[:, 0] == image]
            assert len(own) == len(expected)
            for score, label, box in expected:
                fits = own[(own[:, 1] == label) & (np.abs(own[:, 2] - score) < 1e-5)]
                assert len(fits), (label, score)
                assert np.abs(fits[:, [4, 3, 6, 5]] - box).max(axis=1).min() < 1e-4

    def test_crowd(self):
        """Ninety overlapping boxes and ten apart: the ten are found, whatever the cap before suppression would be."""
        boxes = np.zeros((1, 100, 4), np.float32)
        boxes[0, :90] = [0.4, 0.4, 0.6, 0.6]
        for number in range(10):
            boxes[0, 90 + number] = [0.1 * number, 0.0, 0.1 * number + 0.08, 0.1]
        logits = np.zeros((100, 2), np.float32)
        logits[:, 1] = np.linspace(5, 3, 100)
        (rows,) = translated(
            translate_second_stage,
            [np.zeros((100, 4), np.float32), logits, boxes, np.ones((1, 100), np.float32)],
            max_proposals=100,
            num_classes=1,
            share_location=False,
            swap_coordinates=False,
            variances=[0.1, 0.1, 0.2, 0.2],
            score_converter="SOFTMAX",
            confidence_threshold=0.0,
            nms_threshold=0.5,
            keep_top_k=20,
            max_detections_per_class=20,
            clip_before_nms=False,
            clip_after_nms=True,
        )
        rows = rows.reshape(-1, 7)
        assert int((rows[:, 2] > 0).sum()) == 11


class TestMasks:
    """Rows of detections as regions, and masks by class (MSK-1, MSK-2)."""

    def test_padding_is_harmless(self):
        """The row that ends the detections becomes an empty box of image 0, and reads nothing."""
        rows = np.zeros((4, 7), np.float32)
        rows[0] = [1, 3, 0.9, 0.1, 0.2, 0.3, 0.4]
        rows[1] = [-1, 0, 0, 0, 0, 0, 0]
        (regions,) = translated(translate_detection_regions, [rows])
        np.testing.assert_allclose(regions[0], [1, 0.1, 0.2, 0.3, 0.4])
        assert not regions[1:].any()

    def test_layout_and_range(self):
        """``[R, C, h, w]`` after the sigmoid; one mask for all classes stands for each."""
        logits = np.random.default_rng(0).normal(0, 5, (3, 4, 5, 2)).astype(np.float32)
        (masks,) = translated(translate_masks, [logits], num_classes=2)
        assert masks.shape == (3, 2, 4, 5)
        np.testing.assert_allclose(masks, 1 / (1 + np.exp(-logits.transpose(0, 3, 1, 2))), atol=1e-6)
        (repeated,) = translated(translate_masks, [logits[..., :1]], num_classes=3)
        assert repeated.shape == (3, 3, 4, 5)
        np.testing.assert_array_equal(repeated[:, 0], repeated[:, 2])
