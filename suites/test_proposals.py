"""The first stage predicts, and proposes, what TensorFlow does."""

from __future__ import annotations

import pytest

from harness.checks import proposals


@pytest.mark.requirement(*proposals.objectness.requirements)
def test_objectness(evidence, prove):
    prove(proposals.objectness(evidence))


@pytest.mark.requirement(*proposals.first_stage_encodings.requirements)
def test_first_stage_encodings(evidence, prove):
    prove(proposals.first_stage_encodings(evidence))


@pytest.mark.requirement(*proposals.proposal_operation.requirements)
def test_proposal_operation(evidence, prove):
    prove(proposals.proposal_operation(evidence))


@pytest.mark.requirement(*proposals.proposals.requirements)
def test_proposals(evidence, prove):
    prove(proposals.proposals(evidence))


@pytest.mark.requirement(*proposals.proposal_rows.requirements)
def test_proposal_rows(evidence, prove):
    prove(proposals.proposal_rows(evidence))


@pytest.mark.requirement(*proposals.inputs.requirements)
def test_inputs(evidence, prove):
    prove(proposals.inputs(evidence))
