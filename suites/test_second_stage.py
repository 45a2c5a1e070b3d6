"""The second stage's predictions and detections are TensorFlow's."""

from __future__ import annotations

import pytest

from harness.checks import second_stage


@pytest.mark.requirement(*second_stage.detections_of_two_stages.requirements)
def test_detections_of_two_stages(evidence, prove):
    prove(second_stage.detections_of_two_stages(evidence))


@pytest.mark.requirement(*second_stage.second_stage_heads.requirements)
def test_second_stage_heads(evidence, prove):
    prove(second_stage.second_stage_heads(evidence))


@pytest.mark.requirement(*second_stage.position_sensitive_heads.requirements)
def test_position_sensitive_heads(evidence, prove):
    prove(second_stage.position_sensitive_heads(evidence))


@pytest.mark.requirement(*second_stage.second_detection_output.requirements)
def test_second_detection_output(evidence, prove):
    prove(second_stage.second_detection_output(evidence))


@pytest.mark.requirement(*second_stage.detection_rows.requirements)
def test_detection_rows(evidence, prove):
    prove(second_stage.detection_rows(evidence))


@pytest.mark.requirement(*second_stage.detections_follow.requirements)
def test_detections_follow(evidence, prove):
    prove(second_stage.detections_follow(evidence))


@pytest.mark.requirement(*second_stage.position_sensitive_pooling.requirements)
def test_position_sensitive_pooling(evidence, prove):
    prove(second_stage.position_sensitive_pooling(evidence))


@pytest.mark.requirement(*second_stage.roi_pooling.requirements)
def test_roi_pooling(evidence, prove):
    prove(second_stage.roi_pooling(evidence))


@pytest.mark.requirement(*second_stage.first_difference_of_stages.requirements)
def test_first_difference_of_stages(evidence, prove):
    prove(second_stage.first_difference_of_stages(evidence))
