"""The IR answers as TensorFlow does at other batches and sizes."""

from __future__ import annotations

import pytest

from harness.checks import reshape


@pytest.mark.requirement(*reshape.batch.requirements)
@pytest.mark.parametrize("batch", [variant["batch"] for variant in reshape.batch.variants])
def test_batch(evidence, prove, batch):
    prove(reshape.batch(evidence, batch=batch))


@pytest.mark.requirement(*reshape.size.requirements)
@pytest.mark.parametrize("size", [variant["size"] for variant in reshape.size.variants])
def test_size(evidence, prove, size):
    prove(reshape.size(evidence, size=size))


@pytest.mark.requirement(*reshape.back_again.requirements)
def test_back_again(evidence, prove):
    prove(reshape.back_again(evidence))


@pytest.mark.requirement(*reshape.refused_size.requirements)
def test_refused_size(evidence, prove):
    prove(reshape.refused_size(evidence))


@pytest.mark.requirement(*reshape.dynamic.requirements)
def test_dynamic(evidence, prove):
    prove(reshape.dynamic(evidence))
