"""Latency of the converted model: the chain's IR, ovc's, Model Optimizer's where it is, and TensorFlow itself."""

from __future__ import annotations

import pytest

from tests.benchmarks.replay import CLOCK, replay


@pytest.mark.benchmark(timer=CLOCK, disable_gc=False)
@pytest.mark.parametrize("kind", ["photo", "crowd"])
@pytest.mark.parametrize("contender", ["chain", "ovc", "Model Optimizer", "TensorFlow"])
def test_latency(benchmark, measured, kind, contender):
    """Seconds of one synchronous inference of one picture, in f32."""
    if contender not in measured.latency[kind]:
        pytest.skip(f"no {contender} here: IRPROOF_LEGACY names its environment")
    benchmark.group = f"latency of {measured.subject.case.name} on a {kind}"
    replay(benchmark, measured.latency[kind][contender])
