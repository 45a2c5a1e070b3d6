"""The end of the terminal output: a line a case, the requirements, the verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest

from harness.certificate.model import Certificate, Result
from harness.certificate.units import in_noise
from harness.requirements import areas

VERDICTS = {"certified": "CERTIFIED", "not_certified": "NOT CERTIFIED", "informational": "INFORMATIONAL"}
NO_CASE = "(no case)"
MOST_REASONS = 25


def show(reporter: pytest.TerminalReporter, certificate: Certificate) -> None:
    """Write the summary of a certificate to the terminal."""
    reporter.section(f"{certificate.converter.name} on {certificate.device.name}", sep="=")
    for line in table(certificate):
        reporter.write_line(line)
    for lines in (reasons(certificate), expectation_lines(certificate), requirement_lines(certificate)):
        for line in ["", *lines] if lines else []:
            reporter.write_line(line)
    good = certificate.verdict != "not_certified"
    reporter.write_line(verdict_line(certificate), bold=True, green=good, red=not good)


def table(certificate: Certificate) -> list[str]:
    """A row a case, a column an area: ``ok`` with what passed, ``FAIL`` with what didn't, and the worst error.

    ``expected`` stands where all that failed was expected to.
    """
    by_case: dict[str, list[Result]] = {case.name: [] for case in certificate.cases}
    for result in certificate.results:
        by_case.setdefault(result.case, []).append(result)
    named = {id_.split("-")[0] for result in certificate.results for id_ in result.requirements}
    columns = [area for area in areas() if area in named]
    rows = [["case", *columns, "worst error"]]
    for case, results in by_case.items():
        cells = [_cell([result for result in results if _in_area(result, area)]) for area in columns]
        rows.append([case or NO_CASE, *cells, worst_error(results)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def reasons(certificate: Certificate) -> list[str]:
    """Why cases failed, each reason once a case: one broken model fails every check of its case."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for result in certificate.results:
        if result.outcome in ("failed", "error") and result.expected is None:
            what = result.findings[0].what if result.findings else f"{result.check}, without saying why"
            counts[result.case, result.stage, what] += 1
    lines = [
        f"{case or NO_CASE}: {count} check{'s' if count > 1 else ''} at stage {stage}: {_shortened(what)}"
        for (case, stage, what), count in counts.items()
    ]
    more = len(lines) - MOST_REASONS
    return (
        lines if more <= 0 else [*lines[:MOST_REASONS], f"and {more} more reasons, see the certificate or the report"]
    )


def expectation_lines(certificate: Certificate) -> list[str]:
    """How many failures were expected, and each expectation that is an error."""
    if not certificate.expectations:
        return []
    count = sum(result.expected is not None for result in certificate.results)
    lines = [f"expected failures: {count} under {len(certificate.expectations)} expectations"]
    for number, entry in enumerate(certificate.expectations, 1):
        subject = f"expectation {number} ({entry.case}, {entry.requirement}, stage {entry.stage})"
        if entry.status == "unexpected_pass":
            lines.append(f"{subject}: nothing fails so in {_listed(entry.passing_cases)}; take it out, or narrow it")
        elif entry.status == "stale":
            lines.append(f"{subject}: stale, it fits nothing that was checked; take it out, or correct it")
    return lines


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def worst_error(results: Sequence[Result]) -> str:
    """The largest error of a case in units of its noise, and the check that met it."""
    found = [
        (ratio, result.check) for result in results if (ratio := in_noise(result.worst_error, result.noise)) is not None
    ]
    if not found:
        return ""
    # A NaN is the worst there is, and would lose every comparison.
    ratio, check = max(found, key=lambda pair: (math.inf, 1) if math.isnan(pair[0]) else (pair[0], 0))
    return f"{ratio:.3g} x noise ({check})"


def requirement_lines(certificate: Certificate) -> list[str]:
    """How many requirements passed, failed, and were not proven; the failed ones by id."""
    counts: Counter[str] = Counter(row.status for row in certificate.coverage)
    failed = [row.requirement for row in certificate.coverage if row.status == "failed"]
    unclaimed = [row.requirement for row in certificate.coverage if row.status == "not_claimed"]
    words = {"passed": "passed", "failed": "failed", "not_claimed": "not claimed", "not_covered": "not covered"}
    lines = [f"requirements: {', '.join(f'{counts[status]} {word}' for status, word in words.items())}"]
    if failed:
        lines.append(f"failed: {', '.join(failed)}")
    if unclaimed:
        lines.append(f"not claimed: {', '.join(unclaimed)}")
    return lines


def verdict_line(certificate: Certificate) -> str:
    """The verdict, and why."""
    reasons = [*certificate.verdict_reasons]
    if certificate.verdict == "informational":
        expected = any(result.expected is not None for result in certificate.results)
        passed = "every check passed or was expected to fail" if expected else "every check passed"
        reasons.append(f"{passed}, but this run does not certify: {', '.join(certificate.standing_reasons)}")
    explained = f": {'; '.join(reasons)}" if reasons else ""
    return f"{VERDICTS[certificate.verdict]}{explained}"


def _in_area(result: Result, area: str) -> bool:
    return any(id_.startswith(f"{area}-") for id_ in result.requirements)


def _cell(results: Sequence[Result]) -> str:
    counts = Counter(result.outcome for result in results)
    bad = counts["failed"] + counts["error"]
    expected = sum(result.expected is not None for result in results)
    run = bad + counts["passed"]
    if bad > expected:
        return f"FAIL {bad}/{run}"
    if expected:
        return f"expected {expected}/{run}"
    if run:
        return f"ok {run}"
    return "not claimed" if counts["not_claimed"] else "-"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:297]}..."
