"""A certificate as a Markdown summary, as CI systems show beside a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from harness.certificate.model import Certificate, Result
from harness.certificate.units import noises
from harness.requirements import areas

_VERDICTS = {"certified": "certified", "not_certified": "NOT certified", "informational": "informational"}
MOST_FAILURES = 50
# Whatever Markdown or HTML could read as more than text.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~@:])")


def text(certificate: Certificate) -> str:
    """Verdict, a table of cases by areas, what failed and why, and what took part."""
    converter = f"{certificate.converter.name} {certificate.converter.version}".strip()
    parts = [f"# {_plain(converter)} on {_plain(certificate.device.name)}: {_VERDICTS[certificate.verdict]}"]
    reasons = [*certificate.verdict_reasons]
    reasons += [f"does not certify: {reason}" for reason in certificate.standing_reasons]
    parts += ["\n".join(f"- {_plain(reason)}" for reason in reasons)] if reasons else []
    parts += [_cases(certificate), *_failures(certificate), *_expectations(certificate), _facts(certificate)]
    return "\n\n".join(parts) + "\n"


def _cases(certificate: Certificate) -> str:
    named = {id_.split("-")[0] for result in certificate.results for id_ in result.requirements}
    columns = [area for area in areas() if area in named]
    by_case: dict[str, list[Result]] = {case.name: [] for case in certificate.cases}
    for result in certificate.results:
        by_case.setdefault(result.case, []).append(result)
    rows = [["case", *columns], ["---"] * (len(columns) + 1)]
    for case, results in by_case.items():
        cells = [_cell([one for one in results if any(id_.startswith(f"{area}-") for id_ in one.requirements)])
                 for area in columns]  # fmt: skip
        rows.append([_plain(case) or "(no case)", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(results: Sequence[Result]) -> str:
    counts = Counter(result.outcome for result in results)
    bad = counts["failed"] + counts["error"]
    expected = sum(result.expected is not None for result in results)
    run = bad + counts["passed"]
    if bad:
        return f"**{bad}/{run} failed**" if bad > expected else f"{bad}/{run} expected to fail"
    if run:
        return f"ok {run}"
    return "not claimed" if counts["not_claimed"] else "-"


def _failures(certificate: Certificate) -> list[str]:
    failed = [one for one in certificate.results if one.outcome in ("failed", "error") and one.expected is None]
    if not failed:
        return []
    rows = ["| case | check | stage | requirements | what | error |", "| --- | --- | --- | --- | --- | --- |"]
    for one in failed[:MOST_FAILURES]:
        what = one.findings[0].what if one.findings else "no reason given"
        cells = (one.case, one.check, one.stage, ", ".join(one.requirements), what, noises(one.worst_error, one.noise))
        rows.append(f"| {' | '.join(_plain(cell) for cell in cells)} |")
    more = len(failed) - MOST_FAILURES
    title = f"## {len(failed)} failed"
    return [title, "\n".join(rows), *([f"and {more} more, see the certificate"] if more > 0 else [])]


def _expectations(certificate: Certificate) -> list[str]:
    if not certificate.expectations:
        return []
    rows = ["| case | requirement | stage | reason | what became of it |", "| --- | --- | --- | --- | --- |"]
    for entry in certificate.expectations:
        cells = (entry.case, entry.requirement, entry.stage, f"{entry.reason} {entry.link}", entry.status)
        rows.append(f"| {' | '.join(_plain(cell.replace('unexpected_', 'unexpected ')) for cell in cells)} |")
    return ["## Expected failures", "\n".join(rows)]


def _facts(certificate: Certificate) -> str:
    counts: Counter[str] = Counter(row.status for row in certificate.coverage)
    requirements = ", ".join(
        f"{counts[status]} {word}"
        for status, word in (
            ("passed", "passed"),
            ("failed", "failed"),
            ("not_claimed", "not claimed"),
            ("not_covered", "not covered"),
        )
    )
    lines = [f"Requirements: {requirements}", f"Suite {certificate.tool.suite_version}, profile {certificate.profile}"]
    lines += [f"{name} {version}" for name, version in certificate.versions.items()]
    return "\n".join(f"- {_plain(line)}" for line in lines)


def _plain(value: str) -> str:
    """Text that stays text in a table's cell: one line, nothing of Markdown's or HTML's."""
    line = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    line = line if len(line) <= 300 else f"{line[:297]}..."
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", escaped)
