"""What a gate states: changes, latency ratios, and a verdict over them."""

from __future__ import annotations

import dataclasses
from typing import Literal

Kind = Literal[
    "newly_failing",
    "fails_earlier",
    "no_longer_proven",
    "newly_passing",
    "error_growth",
    "signature",
    "operations",
    "latency",
]
Speed = Literal["slower", "same", "faster", "too_noisy"]


@dataclasses.dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    ``regression`` says that it closes the gate. ``check`` and ``stage`` are empty where the whole case is meant.
    ``before`` and ``after`` are for people; ``noises`` is the growth of an error in units of the case's noise.
    """

    kind: Kind
    case: str
    what: str
    regression: bool
    check: str = ""
    test: str = ""
    stage: str = ""
    before: str = ""
    after: str = ""
    noises: float | None = None


@dataclasses.dataclass(frozen=True)
class LatencyRatio:
    """The candidate's latency over the baseline's in one case: the median over ``rounds``, and its 95% interval."""

    case: str
    ratio: float
    low: float
    high: float
    rounds: int
    verdict: Speed


@dataclasses.dataclass(frozen=True)
class Gate:
    """The comparison of a candidate's certificate with a baseline's.

    ``differences`` are lines on versions, converter and device that are not the same; ``notes`` what could not be told.
    """

    baseline: str
    candidate: str
    changes: tuple[Change, ...] = ()
    latencies: tuple[LatencyRatio, ...] = ()
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    compared: int = 0

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The changes that close the gate."""
        return tuple(change for change in self.changes if change.regression)

    @property
    def passed(self) -> bool:
        """Whether the candidate may go in."""
        return not self.regressions
