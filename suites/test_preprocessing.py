"""The Preprocessor's resizing is cut out, and its arithmetic stays."""

from __future__ import annotations

import pytest

from harness.checks import preprocessing


@pytest.mark.requirement(*preprocessing.mean_and_scale.requirements)
def test_mean_and_scale(evidence, prove):
    prove(preprocessing.mean_and_scale(evidence))


@pytest.mark.requirement(*preprocessing.only_the_image_goes_in.requirements)
def test_only_the_image_goes_in(evidence, prove):
    prove(preprocessing.only_the_image_goes_in(evidence))
