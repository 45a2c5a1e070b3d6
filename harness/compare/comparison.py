"""The outcome of one comparison: findings, the worst error beside its noise, and how much was compared."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from harness.checks.result import CheckResult, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.errors import Stage

#: A comparison that goes wrong everywhere says so once; the first findings show how.
MOST_FINDINGS = 25


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One difference that a truly close decision explains; ``close`` marks that decision, the others follow from it."""

    what: str
    where: Mapping[str, object]
    close: bool


@dataclasses.dataclass(frozen=True)
class Worst:
    """The largest error met, in multiples of its own noise; ``error`` and ``noise`` are in ``unit``."""

    error: float
    noise: float
    unit: str

    @property
    def ratio(self) -> float:
        """The error in units of the noise."""
        if self.noise > 0.0:
            return self.error / self.noise
        return 0.0 if self.error == 0.0 else float("inf")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What one comparison found.

    ``worst`` is the largest error of all that was compared, passed or not; ``factor`` how many times its noise it may
    be. ``compared`` counts elements, detections or masks: a comparison of nothing is an error, never a pass.
    """

    subject: str
    findings: tuple[Finding, ...] = ()
    worst: Worst | None = None
    factor: float | None = None
    compared: int = 0
    explanations: tuple[Explanation, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def explained(self) -> int:
        """How many differences a close decision explains."""
        return len(self.explanations)

    @property
    def worst_error(self) -> float | None:
        """The largest error met, in :attr:`unit`."""
        return None if self.worst is None else self.worst.error

    @property
    def noise(self) -> float | None:
        """The noise where the largest error was met, in :attr:`unit`."""
        return None if self.worst is None else self.worst.noise

    @property
    def tolerance(self) -> float | None:
        """What was allowed where the largest error was met, in :attr:`unit`."""
        return None if self.worst is None or self.factor is None else self.worst.noise * self.factor

    @property
    def unit(self) -> str:
        """The unit of the worst error, its noise and its tolerance."""
        return "" if self.worst is None else self.worst.unit

    @property
    def outcome(self) -> Literal["passed", "failed", "error"]:
        """With findings "failed", when nothing was compared "error", else "passed"."""
        if self.findings:
            return "failed"
        return "passed" if self.compared else "error"

    def to_result(self, check: str, requirements: tuple[str, ...], stage: Stage) -> CheckResult:
        """The result of a check that consists of this comparison."""
        notes = self.notes
        if self.outcome == "error":
            notes = (*notes, f"nothing of the {self.subject} was compared, which proves nothing")
        return CheckResult(
            check=check,
            requirements=requirements,
            stage=stage,
            outcome=self.outcome,
            findings=self.findings,
            worst_error=self.worst_error,
            noise=self.noise,
            tolerance=self.tolerance,
            unit=self.unit,
            compared=self.compared,
            explained=self.explained,
            notes=notes,
        )


def merge_comparisons(
    subject: str, comparisons: Mapping[str, Comparison], *, label: str = "part", allow_empty: bool = False
) -> Comparison:
    """Several comparisons as one; the keys are added to each finding's place, under ``label``.

    A part that compared nothing makes the whole one of nothing (outcome "error", unless something has failed), since
    what the other parts show does not prove it. ``allow_empty`` accepts such parts: scenes in which there is nothing.
    """
    findings = [_placed(finding, label, name) for name, one in comparisons.items() for finding in one.findings]
    explanations = [
        dataclasses.replace(explanation, where={label: name, **explanation.where})
        for name, one in comparisons.items()
        for explanation in one.explanations
    ]
    factors = [one.factor for one in comparisons.values() if one.factor is not None]
    empty = [] if allow_empty else [name for name, one in comparisons.items() if one.outcome == "error"]
    notes = [f"{name}: {note}" for name, one in comparisons.items() for note in one.notes]
    notes += [f"{name}: nothing was compared" for name in empty]
    return Comparison(
        subject=subject,
        findings=limited(findings),
        worst=worst_of(one.worst for one in comparisons.values()),
        factor=max(factors, default=None),
        compared=0 if empty else sum(one.compared for one in comparisons.values()),
        explanations=tuple(explanations),
        notes=tuple(notes),
    )


def worst_of(candidates: Iterable[Worst | None]) -> Worst | None:
    """The one with the largest ratio of error to noise."""
    return max((one for one in candidates if one is not None), key=lambda one: one.ratio, default=None)


def limited(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The first findings, and one that says how many more there are: never fewer than one, however many are cut."""
    collected = list(findings)
    if len(collected) <= MOST_FINDINGS:
        return tuple(collected)
    more = len(collected) - MOST_FINDINGS
    return (*collected[:MOST_FINDINGS], Finding(f"and {more} more findings of this comparison, not shown"))


def _placed(finding: Finding, label: str, name: str) -> Finding:
    return dataclasses.replace(finding, where={label: name, **finding.where})
