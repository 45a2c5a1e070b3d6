"""The benchmarks' arithmetic is right, and can show that something is slower."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.benchmarks.ratios import interleaved, paired_ratio, table
from tests.benchmarks.replay import CLOCK, replay


class Benchmark:
    """What replay uses of pytest-benchmark's fixture."""

    def pedantic(self, target, rounds, iterations):
        self.seconds = []
        for _ in range(rounds):
            started = CLOCK()
            target()
            self.seconds.append(CLOCK() - started)


class TestPairedRatio:
    @pytest.mark.parametrize(
        ("ours", "theirs", "median", "verdict"),
        [
            ([1, 1, 1, 1], [2, 2, 2, 2], 0.5, "faster"),
            ([3, 3, 3, 3], [2, 2, 2, 2], 1.5, "slower"),
            ([2, 2, 2, 2], [2, 2, 2, 2], 1.0, "no difference"),
            ([1, 3, 1, 3, 1, 3], [2, 2, 2, 2, 2, 2], 1.0, "no difference"),
            ([1, 1, 1, 90], [2, 2, 2, 2], 0.5, "faster"),  # one hiccup
        ],
    )
    def test_verdict(self, ours, theirs, median, verdict):
        """Below 1 is faster, above is slower, and a spread that holds 1 decides nothing; nor does one hiccup."""
        if ours[-1] == 90:
            ours, theirs = [*ours, 1, 1, 1], [*theirs, 2, 2, 2]

        ratio = paired_ratio(np.array(ours, float), np.array(theirs, float))

        assert ratio.median == pytest.approx(median)
        assert ratio.verdict == verdict
        assert ratio.rounds == len(ours)

    def test_pairing_cancels_load(self):
        """A machine that slows down over the rounds changes no ratio, though it changes both medians."""
        load = np.linspace(1.0, 5.0, 20)

        ratio = paired_ratio(0.6 * load, 1.0 * load)

        assert (ratio.low, ratio.median, ratio.high) == pytest.approx((0.6, 0.6, 0.6))

    @pytest.mark.parametrize(("ours", "theirs"), [([1.0], [1.0, 2.0]), ([], [])])
    def test_other_rounds(self, ours, theirs):
        """Seconds of other rounds, or of none, have no ratio."""
        with pytest.raises(ValueError, match="same rounds"):
            paired_ratio(np.array(ours), np.array(theirs))


class TestInterleaved:
    def test_order_rotates(self):
        """Everyone runs once a round, and nobody is always first."""
        order = []
        contenders = {name: lambda name=name: order.append(name) or 0.0 for name in "abc"}

        samples = interleaved(contenders, 4)

        assert "".join(order) == "abcbcacababc"
        assert {name: seconds.shape for name, seconds in samples.items()} == {"a": (4,), "b": (4,), "c": (4,)}

    def test_shows_slower(self):
        """Measured for real, what sleeps longer is slower."""

        def sleeping(seconds):
            def measure():
                started = time.perf_counter()
                time.sleep(seconds)
                return time.perf_counter() - started

            return measure

        samples = interleaved({"ours": sleeping(0.03), "theirs": sleeping(0.01)}, 5)

        assert paired_ratio(samples["ours"], samples["theirs"]).verdict == "slower"
        assert paired_ratio(samples["theirs"], samples["ours"]).verdict == "faster"


class TestTable:
    def test_lines(self):
        """The table has everyone's time, the first one's ratio to the others, and what is noted of them."""
        samples = {"chain": np.full(3, 0.02), "ovc": np.full(3, 0.04), "mo": np.full(3, 0.01)}

        lines = table("Title", samples, {"ovc": "two loops"}, "ms", 1e3)

        text = "\n".join(lines)
        assert lines[0] == "Title"
        assert "20 (20 to 20)" in text
        assert "0.5 (0.5 to 0.5) of it: faster" in text
        assert "2 (2 to 2) of it: slower" in text
        assert "two loops" in text


class TestReplay:
    def test_rounds(self):
        """Each sample is one round, as long as it was measured."""
        benchmark = Benchmark()

        replay(benchmark, np.array([0.5, 0.25, 2.0]))

        assert benchmark.seconds == pytest.approx([0.5, 0.25, 2.0])
