"""Conversion time of the whole process: the chain, ovc on the same frozen graph, Model Optimizer where it is."""

from __future__ import annotations

import pytest

from tests.benchmarks.replay import CLOCK, replay


@pytest.mark.benchmark(timer=CLOCK, disable_gc=False)
@pytest.mark.parametrize("converter", ["chain", "ovc", "Model Optimizer"])
def test_conversion(benchmark, measured, converter):
    """Seconds from the start of the process to its end, the IR written."""
    if converter not in measured.conversion:
        pytest.skip(f"no {converter} here: IRPROOF_LEGACY names its environment")
    benchmark.group = f"conversion of {measured.subject.case.name}"
    replay(benchmark, measured.conversion[converter])
