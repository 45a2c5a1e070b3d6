"""Raw heads and priors equal TensorFlow's, element by element."""

from __future__ import annotations

import pytest

from harness.checks import heads


@pytest.mark.requirement(*heads.prior_boxes.requirements)
def test_prior_boxes(evidence, prove):
    prove(heads.prior_boxes(evidence))


@pytest.mark.requirement(*heads.prior_box_options.requirements)
def test_prior_box_options(evidence, prove):
    prove(heads.prior_box_options(evidence))


@pytest.mark.requirement(*heads.variances.requirements)
def test_variances(evidence, prove):
    prove(heads.variances(evidence))


@pytest.mark.requirement(*heads.box_encodings.requirements)
def test_box_encodings(evidence, prove):
    prove(heads.box_encodings(evidence))


@pytest.mark.requirement(*heads.class_scores.requirements)
def test_class_scores(evidence, prove):
    prove(heads.class_scores(evidence))


@pytest.mark.requirement(*heads.box_predictor.requirements)
def test_box_predictor(evidence, prove):
    prove(heads.box_predictor(evidence))
