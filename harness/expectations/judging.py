"""What became of each expectation. Strict: what passes unexpectedly and what names nothing are errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from harness.certificate.model import ExpectationFacts, ExpectationStatus, Result
from harness.expectations.entry import FAILING, Expectation


@dataclasses.dataclass(frozen=True)
class Scope:
    """What a run was about.

    ``selected`` are the names of the cases of the run and ``known`` those of all cases that there are. ``left_out``
    are pairs of case and requirement for which checks were left out of the run (the long tier of profile quick, say).
    ``partial`` says that only a part of the suites was asked for, so that nobody knows what is missing.
    """

    selected: Collection[str]
    known: Collection[str]
    left_out: Collection[tuple[str, str]] = ()
    partial: bool = False


def judge(entries: Sequence[Expectation], results: Sequence[Result], scope: Scope) -> tuple[ExpectationFacts, ...]:
    """Each entry with its status, in the file's order; the names of the statuses are explained at the dataclass."""
    return tuple(_judged(entry, results, scope) for entry in entries)


def _judged(entry: Expectation, results: Sequence[Result], scope: Scope) -> ExpectationFacts:
    concerned = [result for result in results if entry.concerns(result)]
    failures = [result for result in concerned if entry.foresees(result)]
    failing = {result.case for result in failures}
    passing: list[str] = []
    unjudged = False
    for name in sorted(name for name in scope.selected if entry.concerns_case(name)):
        outcomes = {result.outcome for result in concerned if result.case == name}
        if name in failing:
            continue
        if scope.partial or _left_out(entry, name, scope.left_out):
            unjudged = True
        elif "passed" in outcomes and not outcomes & set(FAILING):
            passing.append(name)
    if not any(entry.concerns_case(name) for name in scope.selected):
        unjudged = any(entry.concerns_case(name) for name in scope.known)
    status: ExpectationStatus = (
        "unexpected_pass" if passing else "met" if failures else "not_judged" if unjudged else "stale"
    )
    return ExpectationFacts(
        case=entry.case,
        requirement=entry.requirement,
        stage=entry.stage,
        check=entry.check,
        reason=entry.reason,
        link=entry.link,
        status=status,
        failures=len(failures),
        passing_cases=tuple(passing),
    )


def _left_out(entry: Expectation, case: str, left_out: Iterable[tuple[str, str]]) -> bool:
    return any(name == case and entry.concerns_requirements((id_,)) for name, id_ in left_out)
