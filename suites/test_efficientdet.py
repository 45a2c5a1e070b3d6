"""EfficientDet's labels and anchors are TensorFlow's."""

from __future__ import annotations

import pytest

from harness.checks import efficientdet


@pytest.mark.requirement(*efficientdet.labels_and_anchors.requirements)
def test_labels_and_anchors(evidence, prove):
    prove(efficientdet.labels_and_anchors(evidence))
