from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.compare.detections import compare_detections
from harness.compare.heads import compare_heads
from harness.compare.suppression import Suppression, suppress
from harness.observation.detection_output import check_rows, from_detection_output
from harness.observation.detections import Answer
from harness.observation.heads import heads_from_detection_output
from tests.compare.worlds import world

ov = pytest.importorskip("openvino")
SUPPRESSION = Suppression(0.05, 0.6, 100, 60)


def inputs(heads):
    """The three inputs of DetectionOutput: locations and priors in XYXY order, confidences with background."""
    batch, count = heads.box_encodings.shape[:2]
    locations = heads.box_encodings[..., [1, 0, 3, 2]].reshape(batch, -1)
    confidences = heads.class_scores.reshape(batch, -1)
    priors = np.stack([heads.anchors[:, [1, 0, 3, 2]].ravel(), heads.variances[:, [1, 0, 3, 2]].ravel()])[None]
    return [np.ascontiguousarray(one, np.float32) for one in (locations, confidences, priors)], count


def detection_output(heads, **changes):
    """The rows that the CPU's DetectionOutput writes for these heads."""
    import openvino.opset8 as ops

    arrays, _ = inputs(heads)
    attributes = {
        "background_label_id": 0,
        "top_k": -1,
        "keep_top_k": [SUPPRESSION.max_total_detections],
        "code_type": "caffe.PriorBoxParameter.CENTER_SIZE",
        "share_location": True,
        "variance_encoded_in_target": False,
        "confidence_threshold": SUPPRESSION.score_threshold,
        "nms_threshold": SUPPRESSION.iou_threshold,
        "clip_before_nms": False,
        "clip_after_nms": True,
        "normalized": True,
        **changes,
    }
    parameters = [ops.parameter(list(one.shape), np.float32) for one in arrays]
    model = ov.Model([ops.detection_output(*parameters, attributes)], parameters)
    return np.array(ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(arrays)[0])


@pytest.fixture(scope="module")
def scene():
    """A crowd, in which each object has many overlapping boxes; anchors lie inside the image."""
    made = world(21, anchors=400, objects=6, classes=4, suppression=SUPPRESSION)
    scores = made.heads.class_scores
    # With many boxes of a class over the threshold, a cut before suppression shows.
    assert (scores[0, :, 1:] > 0.05).sum(axis=0).max() > 60
    return made


class TestDetectionOutput:
    @pytest.mark.parametrize("seed", range(21, 27))
    def test_right(self, seed):
        """What OpenVINO's DetectionOutput makes of TensorFlow's heads is TensorFlow's answer, by every rule."""
        scene = world(seed, anchors=400, objects=6, classes=4, suppression=SUPPRESSION)
        rows = detection_output(scene.heads)
        assert check_rows(rows, 2, num_classes=4, keep_top_k=60, clipped=True) == ()
        answer = Answer(from_detection_output(rows, 2))
        comparison = compare_detections(scene.reference, answer, scene.noise, SUPPRESSION)
        assert (comparison.findings, comparison.explained) == ((), 0)
        assert comparison.compared == 120

    def test_clipped_first(self):
        """And where clipping comes first."""
        suppression = dataclasses.replace(SUPPRESSION, clip="before")
        scene = world(3, anchors=400, objects=8, over_edges=True, suppression=suppression)
        # TensorFlow drops boxes without area and DetectionOutput does not, so here every box reaches into the image.
        reaching = (scene.heads.anchors[:, :2] < 0.9).all(axis=1) & (scene.heads.anchors[:, 2:] > 0.1).all(axis=1)
        scores = scene.heads.class_scores.copy()
        scores[:, ~reaching] = 0.0
        heads = dataclasses.replace(scene.heads, class_scores=scores)
        reference = Answer(suppress(heads, suppression), heads)
        rows = detection_output(heads, clip_before_nms=True, clip_after_nms=False)
        answer = Answer(from_detection_output(rows, 2))
        assert compare_detections(reference, answer, scene.noise, suppression).findings == ()

    def test_boxes_outside(self):
        """Boxes outside the image, which TensorFlow drops and DetectionOutput writes without area, are a failure."""
        scene = world(3, anchors=400, objects=8, over_edges=True, suppression=SUPPRESSION)
        answer = Answer(from_detection_output(detection_output(scene.heads), 2))
        comparison = compare_detections(scene.reference, answer, scene.noise, SUPPRESSION)
        assert any("TensorFlow drops such boxes" in finding.what for finding in comparison.findings)

    @pytest.mark.parametrize(
        "changes",
        [
            {"top_k": 20},
            {"nms_threshold": 0.5},
            {"nms_threshold": 0.7},
            {"keep_top_k": [30]},
            {"confidence_threshold": 0.9},
            {"code_type": "caffe.PriorBoxParameter.CORNER"},
            {"background_label_id": 1},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_wrong_attributes(self, scene, changes):
        """A wrong attribute, top_k's cut before suppression among them, is a failure."""
        answer = Answer(from_detection_output(detection_output(scene.heads, **changes), 2, violations=[]))
        assert compare_detections(scene.reference, answer, scene.noise, SUPPRESSION).outcome == "failed"

    def test_heads(self, scene):
        """The heads read back from its three inputs are TensorFlow's."""
        arrays, count = inputs(scene.heads)
        heads = heads_from_detection_output(*arrays, num_classes=5)
        compared = compare_heads(scene.heads, heads, scene.noise)
        assert {comparison.outcome for comparison in compared.values()} == {"passed"}
        assert compared["anchors"].compared == 4 * count
