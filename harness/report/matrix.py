"""The matrix of cases by requirements, and the results of each case in the order that a reader wants."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

from harness.certificate.model import CaseFacts, Certificate, Result
from harness.requirements import areas, catalogue

# From what a reader has to know first to what needs no look.
SEVERITY = ("failed", "error", "passed", "not_claimed", "not_applicable")
WORDS = {
    "failed": "failed",
    "error": "error",
    "passed": "passed",
    "not_claimed": "not claimed",
    "not_applicable": "not applicable",
    "not_covered": "not covered",
}
SIGNS = {"failed": "✗", "error": "!", "passed": "✓", "not_claimed": "-", "not_applicable": "·"}


@dataclasses.dataclass(frozen=True)
class Cell:
    """What all results of one case say of one requirement; ``anchor`` is the id of the worst one's row."""

    outcome: str
    sign: str
    title: str
    anchor: str


@dataclasses.dataclass(frozen=True)
class NumberedResult:
    """A result with the id that links lead to; ids are counted, for names may hold anything."""

    anchor: str
    result: Result


@dataclasses.dataclass(frozen=True)
class CaseRow:
    """One case with its results, the worst first, and its cells in the order of the matrix's columns.

    ``facts`` is None for a case that could not even be read.
    """

    name: str
    anchor: str
    outcome: str
    results: tuple[NumberedResult, ...]
    cells: tuple[Cell | None, ...]
    facts: CaseFacts | None


@dataclasses.dataclass(frozen=True)
class Area:
    """A group of columns: the prefix of the ids, its title, and how many columns it spans."""

    name: str
    title: str
    columns: int


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Rows in the certificate's order of cases; columns only for requirements that some result names."""

    areas: tuple[Area, ...]
    requirements: tuple[str, ...]
    rows: tuple[CaseRow, ...]


def worst(outcomes: Iterable[str]) -> str:
    """The outcome that counts among several of one case."""
    return min(outcomes, key=SEVERITY.index, default="not_applicable")


def matrix(certificate: Certificate) -> Matrix:
    """The matrix of a certificate; a case without facts of its own (its reading failed) still has a row."""
    facts = {case.name: case for case in certificate.cases}
    by_case: dict[str, list[NumberedResult]] = {case.name: [] for case in certificate.cases}
    for number, result in enumerate(certificate.results):
        by_case.setdefault(result.case, []).append(NumberedResult(f"r{number}", result))
    named = {id_ for result in certificate.results for id_ in result.requirements}
    columns = tuple(id_ for id_ in catalogue() if id_ in named) + tuple(sorted(named - set(catalogue())))
    return Matrix(
        areas=_areas(columns),
        requirements=columns,
        rows=tuple(
            _row(f"c{number}", name, results, columns, facts.get(name))
            for number, (name, results) in enumerate(by_case.items())
        ),
    )


def _areas(columns: tuple[str, ...]) -> tuple[Area, ...]:
    counts: dict[str, int] = defaultdict(int)
    for id_ in columns:
        counts[id_.split("-")[0]] += 1
    return tuple(Area(name, areas().get(name, name), count) for name, count in counts.items())


def _row(
    anchor: str, name: str, results: list[NumberedResult], columns: tuple[str, ...], facts: CaseFacts | None
) -> CaseRow:
    ordered = sorted(results, key=lambda numbered: SEVERITY.index(numbered.result.outcome))
    return CaseRow(
        name=name,
        anchor=anchor,
        outcome=worst(numbered.result.outcome for numbered in results),
        results=tuple(ordered),
        cells=tuple(_cell(id_, ordered) for id_ in columns),
        facts=facts,
    )


def _cell(id_: str, ordered: list[NumberedResult]) -> Cell | None:
    # Ordered by severity: the first that names the requirement is the worst.
    naming = [numbered for numbered in ordered if id_ in numbered.result.requirements]
    if not naming:
        return None
    outcome = naming[0].result.outcome
    return Cell(
        outcome=outcome,
        sign=SIGNS[outcome],
        title=f"{id_} {WORDS[outcome]} ({', '.join(sorted({numbered.result.check for numbered in naming}))})",
        anchor=naming[0].anchor,
    )
