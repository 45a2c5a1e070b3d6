"""What cannot be converted is refused, by a message that names what is wrong."""

from __future__ import annotations

import pytest

from harness.checks import bad_input

pytestmark = pytest.mark.long


@pytest.mark.requirement(*bad_input.truncated_model.requirements)
def test_truncated_model(evidence, prove):
    prove(bad_input.truncated_model(evidence))


@pytest.mark.requirement(*bad_input.text_as_binary.requirements)
def test_text_as_binary(evidence, prove):
    prove(bad_input.text_as_binary(evidence))


@pytest.mark.requirement(*bad_input.unknown_operation.requirements)
def test_unknown_operation(evidence, prove):
    prove(bad_input.unknown_operation(evidence))


@pytest.mark.requirement(*bad_input.other_input.requirements)
def test_other_input(evidence, prove):
    prove(bad_input.other_input(evidence))


@pytest.mark.requirement(*bad_input.input_without_cast.requirements)
def test_input_without_cast(evidence, prove):
    prove(bad_input.input_without_cast(evidence))


@pytest.mark.requirement(*bad_input.no_config.requirements)
def test_no_config(evidence, prove):
    prove(bad_input.no_config(evidence))


@pytest.mark.requirement(*bad_input.broken_config.requirements)
def test_broken_config(evidence, prove):
    prove(bad_input.broken_config(evidence))


@pytest.mark.requirement(*bad_input.other_classes.requirements)
def test_other_classes(evidence, prove):
    prove(bad_input.other_classes(evidence))


@pytest.mark.requirement(*bad_input.other_threshold.requirements)
def test_other_threshold(evidence, prove):
    prove(bad_input.other_threshold(evidence))


@pytest.mark.requirement(*bad_input.shape_without_height.requirements)
def test_shape_without_height(evidence, prove):
    prove(bad_input.shape_without_height(evidence))
