"""Pruned or capped scores give exactly the answer of plain suppression, crowds and all (SSD-5)."""

from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openvino import opset13 as opset

from harness.chain.translate.capping import cap_per_class
from harness.chain.translate.ops import reshape
from harness.chain.translate.pruning import decode, prune_scores

VARIANCES = [0.1, 0.1, 0.2, 0.2]
NMS_THRESHOLD = 0.6
CORE = ov.Core()


def scene(seed: int, anchors: int, classes: int, crowding: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Encodings, scores (distinct) and priors; ``crowding`` is the share of anchors that lie on one spot."""
    generator = np.random.default_rng(seed)
    centres = generator.uniform(0.1, 0.9, (anchors, 2))
    centres[: int(crowding * anchors)] = 0.5
    sides = generator.uniform(0.05, 0.4, (anchors, 2))
    sides[: int(crowding * anchors)] = 0.3
    priors = np.concatenate([centres - sides / 2, centres + sides / 2], 1).reshape(1, 1, -1)
    priors = np.concatenate([priors, np.tile(VARIANCES, anchors).reshape(1, 1, -1)], 1)
    encodings = generator.normal(0, 0.3, (1, anchors, 4))
    scores = generator.permutation(np.linspace(1e-6, 0.99, anchors * (classes + 1))).reshape(1, anchors, classes + 1)
    return encodings.astype(np.float32), scores.astype(np.float32), priors.astype(np.float32)


def answer(
    arrays, *, keep: int, per_class: int | None, pruned: bool, top_k: int = -1, dense: bool = False
) -> np.ndarray:
    """DetectionOutput's valid rows; ``per_class`` caps each class, ``pruned`` leaves hopeless scores out first."""
    encodings, scores, priors = (opset.parameter(array.shape, np.float32) for array in arrays)
    columns = arrays[1].shape[2]
    corners = decode(encodings.output(0), priors.output(0), VARIANCES, clip=False)
    common = {"classes": columns - 1, "background": True, "nms_threshold": NMS_THRESHOLD}
    chosen = scores.output(0)
    if per_class is not None:
        chosen = cap_per_class(chosen, corners, threshold=1e-8, per_class=per_class, **common)
    elif pruned:
        chosen = prune_scores(chosen, corners, keep_top_k=keep, dense=dense, **common)
    rows = opset.detection_output(
        reshape(encodings.output(0), 0, -1),
        reshape(chosen, 0, -1),
        priors,
        {
            "background_label_id": 0,
            "top_k": top_k,
            "keep_top_k": [keep],
            "share_location": True,
            "normalized": True,
            "code_type": "caffe.PriorBoxParameter.CENTER_SIZE",
            "variance_encoded_in_target": False,
            "nms_threshold": NMS_THRESHOLD,
            "confidence_threshold": 1e-8,
            "clip_after_nms": True,
        },
    )
    compiled = CORE.compile_model(
        ov.Model([rows.output(0)], [encodings, scores, priors]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    result = compiled(list(arrays))[0].reshape(-1, 7)
    end = np.flatnonzero(result[:, 0] < 0)
    return result[: end[0]] if len(end) else result


def tensorflow_rule(arrays, *, keep: int, per_class: int) -> set[tuple[int, float]]:
    """(class, score) of what per-class greedy suppression with a cap on each class, then on all, keeps."""
    encodings, scores, priors = (array.astype(np.float64)[0] for array in arrays)
    boxes = priors[0].reshape(-1, 4)
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    centre = centre + encodings[:, :2] * 0.1 * size
    half = np.exp(encodings[:, 2:] * 0.2) * size / 2
    low, high = centre - half, centre + half
    area = np.prod(high - low, axis=1)
    kept = []
    for label in range(1, scores.shape[1]):
        mine: list[int] = []
        for anchor in np.argsort(-scores[:, label]):
            shared = np.prod(
                np.clip(np.minimum(high[mine], high[anchor]) - np.maximum(low[mine], low[anchor]), 0, None), 1
            )
            if not (shared > NMS_THRESHOLD * (area[mine] + area[anchor] - shared)).any():
                mine.append(anchor)
            if len(mine) == per_class:
                break
        kept += [(label, scores[anchor, label]) for anchor in mine]
    return {(label, float(np.float32(score))) for label, score in sorted(kept, key=lambda item: -item[1])[:keep]}


def as_set(rows: np.ndarray) -> set[tuple[int, float]]:
    return {(int(row[1]), float(row[2])) for row in rows}


SCENES = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(20, 300),
    st.sampled_from([1, 2, 7, 40]),
    st.sampled_from([0.0, 0.3, 0.9, 1.0]),
)


class TestPruning:
    @settings(deadline=None, max_examples=40)
    @given(SCENES, st.sampled_from([5, 30, 100]), st.booleans())
    def test_rows_are_those_without_pruning(self, described, keep, dense):
        """Leaving out hopeless scores changes no row, however crowded the scene, by either rule."""
        arrays = scene(*described)
        np.testing.assert_array_equal(
            answer(arrays, keep=keep, per_class=None, pruned=True, dense=dense),
            answer(arrays, keep=keep, per_class=None, pruned=False),
        )

    def test_a_cut_before_suppression_loses_detections_in_a_crowd(self):
        """The published mapping of top_k loses what this one keeps: the case that the rule exists for."""
        arrays = scene(1, 300, 1, 0.5)
        expected = tensorflow_rule(arrays, keep=100, per_class=100)
        assert as_set(answer(arrays, keep=100, per_class=None, pruned=True)) == expected
        assert len(as_set(answer(arrays, keep=100, per_class=None, pruned=False, top_k=100))) < len(expected)

    def test_scores_are_really_left_out(self):
        """In an ordinary scene nearly all scores are hopeless; a rule that keeps them all would be no help."""
        arrays = scene(2, 300, 40, 0.0)
        encodings, scores, priors = (opset.parameter(array.shape, np.float32) for array in arrays)
        corners = decode(encodings.output(0), priors.output(0), VARIANCES, clip=False)
        pruned = prune_scores(
            scores.output(0),
            corners,
            classes=40,
            background=True,
            keep_top_k=100,
            nms_threshold=NMS_THRESHOLD,
        )
        compiled = CORE.compile_model(ov.Model([pruned], [encodings, scores, priors]), "CPU")
        assert 100 <= int((compiled(list(arrays))[0][..., 1:] > 0).sum()) < 1000

    def test_the_rule_for_dense_anchors_leaves_out_what_the_other_keeps(self):
        """Where few candidates overlap none of their betters, the one rule keeps all scores, the other few."""
        centres = np.stack(np.meshgrid(np.linspace(0, 1, 55), np.linspace(0, 1, 55)), -1).reshape(-1, 2)
        corners = np.concatenate([centres - 0.03, centres + 0.03], 1).astype(np.float32)
        # Hills, as detectors' scores are: nearly everywhere a better one is a neighbour.
        scores = (0.4 + 0.2 * np.sin(centres @ np.array([7.0, 3.0])) + 2e-4 * centres[:, 0]).reshape(1, -1, 1)
        counts = []
        for dense in (False, True):
            parameter = opset.parameter(scores.shape, np.float32)
            sides = [opset.constant(corners[None, :, side]).output(0) for side in range(4)]
            pruned = prune_scores(
                parameter.output(0),
                sides,
                classes=1,
                background=False,
                keep_top_k=40,
                nms_threshold=0.3,
                dense=dense,
            )
            compiled = CORE.compile_model(ov.Model([pruned], [parameter]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            counts.append(int((compiled([scores.astype(np.float32)])[0] > 0).sum()))
        assert counts[0] == scores.size
        assert 40 <= counts[1] < scores.size / 2


class TestCapping:
    @settings(deadline=None, max_examples=25)
    @given(SCENES, st.integers(1, 20))
    def test_caps_each_class_after_suppression(self, described, per_class):
        """With a cap on each class below the cap on all, the rows are those of TensorFlow's rule."""
        arrays = scene(*described)
        expected = tensorflow_rule(arrays, keep=30, per_class=per_class)
        assert as_set(answer(arrays, keep=30, per_class=per_class, pruned=False)) == expected

    def test_the_cap_binds(self):
        """Without the cap the same scene has more rows of the class: the comparison above can fail."""
        arrays = scene(3, 200, 1, 0.3)
        capped = answer(arrays, keep=100, per_class=5, pruned=False)
        free = answer(arrays, keep=100, per_class=None, pruned=False)
        assert (len(capped), len(free) > 5) == (5, True)


@pytest.fixture(autouse=True, scope="module")
def _one_core() -> None:
    CORE.set_property("CPU", {"INFERENCE_NUM_THREADS": 1})
