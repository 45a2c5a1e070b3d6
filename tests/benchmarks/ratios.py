"""Contenders measured in turn, and the ratio between two of them with its spread.

Two medians from different minutes compare the machine's load as much as the contenders. Here each round measures
everyone once, in an order that rotates, and ratios are taken round by round: what slows a round down slows both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

Samples = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Ratio:
    """One contender's time over another's: the median over the rounds, and the quartiles around it."""

    median: float
    low: float
    high: float
    rounds: int

    @property
    def verdict(self) -> Literal["faster", "slower", "no difference"]:
        """What may be said: a difference only where the middle half of the rounds agrees on it."""
        if self.high < 1.0:
            return "faster"
        return "slower" if self.low > 1.0 else "no difference"

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each contender in each round: float64 ``[rounds]`` each. A contender measures itself once a call."""
    names = list(contenders)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            taken[name].append(contenders[name]())
    return {name: np.array(seconds) for name, seconds in taken.items()}


def paired_ratio(ours: np.ndarray, theirs: np.ndarray) -> Ratio:
    """``ours / theirs``, round by round; below 1 is faster. Raises ValueError when the rounds are not the same."""
    if ours.shape != theirs.shape or ours.ndim != 1 or not ours.size:
        raise ValueError(f"{ours.shape} and {theirs.shape} are not the seconds of the same rounds")
    low, median, high = np.quantile(ours / theirs, [0.25, 0.5, 0.75])
    return Ratio(float(median), float(low), float(high), ours.size)


def table(title: str, samples: Samples, notes: Mapping[str, str], unit: str, scale: float) -> list[str]:
    """Lines of a table: every contender's seconds times ``scale``, and the first one's ratio to each of the others."""
    names = list(samples)
    head = f"{'':24}{f'{unit}, median (quartiles)':>30}   {names[0]} takes"
    lines = [title, head]
    for name in names:
        low, median, high = np.quantile(samples[name] * scale, [0.25, 0.5, 0.75])
        line = f"{name:24}{f'{median:.4g} ({low:.4g} to {high:.4g})':>30}"
        if name != names[0]:
            ratio = paired_ratio(samples[names[0]], samples[name])
            line += f"   {ratio} of it: {ratio.verdict}"
        lines.append(line)
        if notes.get(name):
            lines.append(f"{'':24}{notes[name]}")
    return lines
