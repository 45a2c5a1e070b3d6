"""The verdict on latency: right about what is there, and seldom wrong about what is not."""

from __future__ import annotations

import numpy as np
import pytest

from harness.gate.latency import FEWEST_ROUNDS, ratio_of


def rounds(factor, spread, seed, count=30):
    """Seconds of both sides: a load that wanders, the same for both, and each side's own jitter with rare hiccups."""
    rng = np.random.default_rng(seed)
    load = np.exp(np.cumsum(rng.normal(0, 0.1, count)))
    sides = [load * rng.lognormal(0, spread, count) * (1 + 3 * (rng.random(count) < 0.05)) for _ in range(2)]
    return sides[0], factor * sides[1]


class TestRatio:
    def test_equal_versions_are_not_called_slower(self):
        """In two hundred comparisons of a version with itself, at jitters up to a fifth."""
        verdicts = [
            ratio_of(f"case {seed}", *rounds(1.0, spread, seed)).verdict
            for spread in (0.01, 0.05, 0.2)
            for seed in range(70)
        ]
        assert verdicts.count("slower") <= 2
        assert verdicts.count("same") > 70

    @pytest.mark.parametrize("factor", [1.2, 1.5, 3.0])
    def test_a_slower_version_is_called_so(self, factor):
        """Each time, at a jitter of a twentieth."""
        verdicts = {ratio_of(f"case {seed}", *rounds(factor, 0.05, seed)).verdict for seed in range(30)}
        assert verdicts == {"slower"}

    def test_the_interval_holds_what_is_true(self):
        """In nine of ten at least; 95 of 100 are promised."""
        held = [
            one.low <= 1.1 <= one.high for one in (ratio_of(f"c{seed}", *rounds(1.1, 0.1, seed)) for seed in range(100))
        ]
        assert sum(held) >= 88

    def test_few_rounds_tell_nothing(self):
        """However clear they look."""
        few = FEWEST_ROUNDS - 1
        assert ratio_of("case", np.ones(few), np.full(few, 2.0)).verdict == "too_noisy"
        assert ratio_of("case", np.ones(few + 1), np.full(few + 1, 2.0)).verdict == "slower"

    def test_a_load_that_doubles_half_way_changes_nothing(self):
        """Both sides of a round bear it."""
        before, after = rounds(1.0, 0.01, 3)
        factor = np.where(np.arange(30) < 15, 1.0, 2.0)
        assert ratio_of("case", before * factor, after * factor).verdict == "same"

    def test_the_same_samples_give_the_same_interval(self):
        """Two readings of the same certificates agree."""
        sides = rounds(1.1, 0.1, 5)
        assert ratio_of("case", *sides) == ratio_of("case", *sides)
