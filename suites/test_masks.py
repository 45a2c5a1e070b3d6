"""Masks are TensorFlow's, each on its detection's own class."""

from __future__ import annotations

import pytest

from harness.checks import masks


@pytest.mark.requirement(*masks.mask_layout.requirements)
def test_mask_layout(evidence, prove):
    prove(masks.mask_layout(evidence))


@pytest.mark.requirement(*masks.rows_before_masks.requirements)
def test_rows_before_masks(evidence, prove):
    prove(masks.rows_before_masks(evidence))


@pytest.mark.requirement(*masks.second_roi_pooling.requirements)
def test_second_roi_pooling(evidence, prove):
    prove(masks.second_roi_pooling(evidence))


@pytest.mark.requirement(*masks.masks.requirements)
def test_masks(evidence, prove):
    prove(masks.masks(evidence))
