"""What a check yields: findings, and one result that sums them up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from harness.errors import Stage

Outcome = Literal["passed", "failed", "error", "not_claimed", "not_applicable"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One difference that matters: what, where, by how much, and what tolerance would have passed.

    ``where`` names the place in words of the field: ``{"scene": ..., "image": 0, "class": 3, "node": ...}``.
    ``error``, ``noise`` and ``tolerance`` are in the same unit, named in ``unit``; ``passing_tolerance`` is the
    smallest tolerance under which this finding would not have been one.
    """

    what: str
    where: Mapping[str, object] = dataclasses.field(default_factory=dict)
    error: float | None = None
    noise: float | None = None
    tolerance: float | None = None
    passing_tolerance: float | None = None
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """The outcome of one check on one case.

    ``worst_error`` is the largest error met (passed or not) and ``noise`` the case's measured noise for the same
    quantity, so that ``worst_error / noise`` can be shown. ``compared`` says how many things were compared: a
    check that compared nothing is an ``error``, never a pass. ``explained`` counts differences that a truly close
    decision explains. ``notes`` are one-line facts for the report.
    """

    check: str
    requirements: tuple[str, ...]
    stage: Stage
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    worst_error: float | None = None
    noise: float | None = None
    tolerance: float | None = None
    unit: str = ""
    compared: int = 0
    explained: int = 0
    notes: tuple[str, ...] = ()
