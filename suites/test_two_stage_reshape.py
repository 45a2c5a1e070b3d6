"""Two-stage IRs answer as TensorFlow does at other batches and sizes."""

from __future__ import annotations

import pytest

from harness.checks import two_stage_reshape


@pytest.mark.requirement(*two_stage_reshape.batch_of_two_stages.requirements)
@pytest.mark.parametrize("batch", [variant["batch"] for variant in two_stage_reshape.batch_of_two_stages.variants])
def test_batch_of_two_stages(evidence, prove, batch):
    prove(two_stage_reshape.batch_of_two_stages(evidence, batch=batch))


@pytest.mark.requirement(*two_stage_reshape.size_of_two_stages.requirements)
@pytest.mark.parametrize("size", [variant["size"] for variant in two_stage_reshape.size_of_two_stages.variants])
def test_size_of_two_stages(evidence, prove, size):
    prove(two_stage_reshape.size_of_two_stages(evidence, size=size))
