"""The input has the shape that pipeline.config implies, or that the caller asks for."""

from __future__ import annotations

import pytest

from harness.checks import input_shape


@pytest.mark.requirement(*input_shape.fixed_shape.requirements)
def test_fixed_shape(evidence, prove):
    prove(input_shape.fixed_shape(evidence))


@pytest.mark.requirement(*input_shape.fixed_shape_given.requirements)
def test_fixed_shape_given(evidence, prove):
    prove(input_shape.fixed_shape_given(evidence))


@pytest.mark.requirement(*input_shape.kept_aspect.requirements)
def test_kept_aspect(evidence, prove):
    prove(input_shape.kept_aspect(evidence))


@pytest.mark.requirement(*input_shape.kept_aspect_given.requirements)
def test_kept_aspect_given(evidence, prove):
    prove(input_shape.kept_aspect_given(evidence))


@pytest.mark.requirement(*input_shape.padded.requirements)
def test_padded(evidence, prove):
    prove(input_shape.padded(evidence))


@pytest.mark.requirement(*input_shape.batch_by_default.requirements)
def test_batch_by_default(evidence, prove):
    prove(input_shape.batch_by_default(evidence))
