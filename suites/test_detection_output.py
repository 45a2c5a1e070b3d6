"""DetectionOutput's rows and attributes are what pipeline.config says."""

from __future__ import annotations

import pytest

from harness.checks import detection_output


@pytest.mark.requirement(*detection_output.rows.requirements)
def test_rows(evidence, prove):
    prove(detection_output.rows(evidence))


@pytest.mark.requirement(*detection_output.attributes.requirements)
def test_attributes(evidence, prove):
    prove(detection_output.attributes(evidence))


@pytest.mark.requirement(*detection_output.rows_follow.requirements)
def test_rows_follow(evidence, prove):
    prove(detection_output.rows_follow(evidence))
