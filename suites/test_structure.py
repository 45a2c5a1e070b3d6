"""The IR is made of what it should be, and of nothing else."""

from __future__ import annotations

import pytest

from harness.checks import structure


@pytest.mark.requirement(*structure.no_loops.requirements)
def test_no_loops(evidence, prove):
    prove(structure.no_loops(evidence))


@pytest.mark.requirement(*structure.nothing_dead.requirements)
def test_nothing_dead(evidence, prove):
    prove(structure.nothing_dead(evidence))


@pytest.mark.requirement(*structure.one_detection_output.requirements)
def test_one_detection_output(evidence, prove):
    prove(structure.one_detection_output(evidence))


@pytest.mark.requirement(*structure.prior_box_operations.requirements)
def test_prior_box_operations(evidence, prove):
    prove(structure.prior_box_operations(evidence))


@pytest.mark.requirement(*structure.constant_prior_boxes.requirements)
def test_constant_prior_boxes(evidence, prove):
    prove(structure.constant_prior_boxes(evidence))
