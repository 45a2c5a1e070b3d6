"""The detections are TensorFlow's, as sets."""

from __future__ import annotations

import pytest

from harness.checks import detections


@pytest.mark.requirement(*detections.detections.requirements)
def test_detections(evidence, prove):
    prove(detections.detections(evidence))


@pytest.mark.requirement(*detections.crowd.requirements)
def test_crowd(evidence, prove):
    prove(detections.crowd(evidence))


@pytest.mark.requirement(*detections.first_difference.requirements)
def test_first_difference(evidence, prove):
    prove(detections.first_difference(evidence))
