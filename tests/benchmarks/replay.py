"""Samples that were measured elsewhere, interleaved and in worker processes, as rounds of pytest-benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np


class Clock:
    """A clock that goes on only as it is told; pytest-benchmark's timer in this folder."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


CLOCK = Clock()


def replay(benchmark: Any, seconds: np.ndarray) -> None:
    """Give the benchmark one round for each of the measured ``seconds``."""
    left = [float(one) for one in seconds]

    def go_on() -> None:
        # Without --benchmark-only there is one call more than rounds, or a single one.
        CLOCK.time += left.pop(0) if left else 0.0

    benchmark.pedantic(go_on, rounds=len(left), iterations=1)
