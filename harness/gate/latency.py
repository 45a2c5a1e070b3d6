"""Latency by ratios: round by round, so that what slows a round down slows both sides.

Medians of different minutes compare the machine's load as much as the versions. Certificates whose latencies are of one
session were measured in turn; for those the ratio of each round is a sample, and a bootstrap over the rounds says how
well the median ratio is known.
"""

from __future__ import annotations

import hashlib

import numpy as np

from harness.certificate.model import CaseFacts, Certificate
from harness.gate.model import LatencyRatio, Speed

# What an upgrade may cost before it is called slower: less is not told apart from where code happens to lie in memory.
MARGIN = 0.05
FEWEST_ROUNDS = 10
_RESAMPLES = 4000
_LEVEL = 0.95


def latency_ratios(
    baseline: Certificate, candidate: Certificate, *, margin: float = MARGIN
) -> tuple[tuple[LatencyRatio, ...], tuple[str, ...]]:
    """The ratios of the cases that were measured in turn, and a line where latencies cannot be compared."""
    after = {case.name: case for case in candidate.cases}
    found, apart = [], 0
    for case in baseline.cases:
        other = after[case.name]
        if case.latency is None and other.latency is None:
            continue
        if not _in_turn(case, other):
            apart += 1
            continue
        assert case.latency is not None
        assert other.latency is not None
        found.append(_ratio(case.name, case.latency.samples, other.latency.samples, margin))
    notes = (f"the latencies of {apart} cases were not measured in turn, and say nothing",) if apart else ()
    return tuple(found), notes


def ratio_of(case: str, before: np.ndarray, after: np.ndarray, *, margin: float = MARGIN) -> LatencyRatio:
    """``after / before`` round by round, seconds float64 ``[rounds]`` each, with the median's interval and a verdict.

    ``slower``: the whole interval lies over ``1 + margin``; ``faster``: below ``1 / (1 + margin)``; ``same``: between
    the two; else ``too_noisy``, as with fewer than ten rounds.
    """
    logs = np.log(after) - np.log(before)
    # Of the case's name, so that the same certificates always give the same interval.
    seed = int.from_bytes(hashlib.sha256(case.encode()).digest()[:8], "little")
    draws = np.random.default_rng(seed).integers(0, len(logs), (_RESAMPLES, len(logs)))
    medians = np.median(logs[draws], axis=1)
    tail = (1 - _LEVEL) / 2
    low, high = np.exp(np.quantile(medians, [tail, 1 - tail]))
    bound = 1 + margin
    verdict: Speed = "too_noisy"
    if len(logs) >= FEWEST_ROUNDS:
        if low > bound:
            verdict = "slower"
        elif high < 1 / bound:
            verdict = "faster"
        elif low >= 1 / bound and high <= bound:
            verdict = "same"
    return LatencyRatio(case, float(np.exp(np.median(logs))), float(low), float(high), len(logs), verdict)


def _ratio(case: str, before: tuple[float, ...], after: tuple[float, ...], margin: float) -> LatencyRatio:
    return ratio_of(case, np.asarray(before), np.asarray(after), margin=margin)


def _in_turn(before: CaseFacts, after: CaseFacts) -> bool:
    one, other = before.latency, after.latency
    return (
        one is not None
        and other is not None
        and bool(one.session)
        and one.session == other.session
        and len(one.samples) == len(other.samples) > 0
    )
