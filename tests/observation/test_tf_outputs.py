from __future__ import annotations

import numpy as np
import pytest

from harness.errors import UsageError
from harness.observation.tf_outputs import from_tf_outputs
from harness.observation.violations import LayoutError


@pytest.fixture
def outputs():
    """Two images with three slots each, of which two and none are taken."""
    return {
        "detection_boxes": np.float32([[[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.6, 0.7], [0, 0, 0, 0]]] * 2),
        "detection_scores": np.float32([[0.9, 0.8, 0.0]] * 2),
        "detection_classes": np.float32([[2, 1, 1]] * 2),
        "num_detections": np.float32([2, 0]),
    }


def kinds(outputs):
    violations = []
    from_tf_outputs(outputs, violations=violations)
    return [(violation.kind, violation.row) for violation in violations]


class TestReading:
    def test_images(self, outputs):
        """Only the first num_detections slots of an image are detections."""
        one, two = from_tf_outputs(outputs)
        assert (one.classes.tolist(), len(two)) == ([2, 1], 0)
        np.testing.assert_array_equal(one.boxes[0], np.float32([0.1, 0.2, 0.3, 0.4]))
        assert one.masks is None

    def test_output_indices(self, outputs):
        """Names may carry their output index."""
        named = {f"{name}:0": value for name, value in outputs.items()}
        assert len(from_tf_outputs(named)[0]) == 2

    def test_masks(self, outputs):
        """Masks stay with their detections."""
        outputs["detection_masks"] = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1)
        assert from_tf_outputs(outputs)[0].masks.ravel().tolist() == [0, 1]

    def test_missing(self, outputs):
        """Without one of the four outputs there is nothing to read."""
        del outputs["num_detections"]
        with pytest.raises(UsageError, match="lack num_detections"):
            from_tf_outputs(outputs)


class TestViolations:
    @pytest.mark.parametrize(
        ("name", "index", "value", "expected"),
        [
            ("detection_scores", (0, 1), np.nan, [("non_finite", 1)]),
            ("detection_boxes", (0, 0, 2), np.inf, [("non_finite", 0)]),
            ("detection_classes", (0, 0), 0, [("label", 0)]),
            ("detection_classes", (0, 0), 1.5, [("label", 0)]),
            ("num_detections", 0, 4, [("count", None)]),
            ("num_detections", 0, -1, [("count", None)]),
            ("num_detections", 0, 1.5, [("count", None)]),
            ("num_detections", 0, np.nan, [("count", None)]),
            ("detection_scores", (0, 2), np.nan, []),
        ],
    )
    def test_kinds(self, outputs, name, index, value, expected):
        """Whatever is off among the detections is named; what lies in the padding is not looked at."""
        outputs[name][index] = value
        assert kinds(outputs) == expected

    @pytest.mark.parametrize("name", ["detection_boxes", "detection_scores", "detection_classes"])
    def test_shapes(self, outputs, name):
        """Outputs of another batch do not belong together."""
        outputs[name] = outputs[name][:1]
        assert {kind for kind, _ in kinds(outputs)} == {"shape"}
        with pytest.raises(LayoutError, match=name):
            from_tf_outputs(outputs)

    def test_masks(self, outputs):
        """Masks for other slots belong to nothing."""
        outputs["detection_masks"] = np.zeros((2, 2, 5, 5))
        assert kinds(outputs) == [("mask", None)]
