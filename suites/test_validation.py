"""Both sides are asked the same, and what goes in and comes out is known."""

from __future__ import annotations

import pytest

from harness.checks import validation


@pytest.mark.requirement(*validation.same_pixels.requirements)
def test_same_pixels(evidence, prove):
    prove(validation.same_pixels(evidence))


@pytest.mark.requirement(*validation.inputs_and_outputs.requirements)
def test_inputs_and_outputs(evidence, prove):
    prove(validation.inputs_and_outputs(evidence))


@pytest.mark.requirement(*validation.outputs_accounted.requirements)
def test_outputs_accounted(evidence, prove):
    prove(validation.outputs_accounted(evidence))
