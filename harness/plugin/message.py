"""What a failing test says: what, where, by how much, and the command that repeats it."""

from __future__ import annotations

from harness.certificate.model import FindingFacts, Result
from harness.certificate.units import amount, noises


def failure(result: Result) -> str:
    """The message of a failed result, a few short lines; all findings stand in certificate and report."""
    lines = []
    if result.findings:
        lines += _finding(result.findings[0])
        more = len(result.findings) - 1
        if more:
            lines.append(f"and {more} more finding{'s' if more > 1 else ''}")
    else:
        lines.append(f"{result.check} {result.outcome} without saying why")
    proves = f", {', '.join(result.requirements)}" if result.requirements else ""
    lines.append(f"check: {result.check} ({result.outcome} at stage {result.stage}{proves})")
    lines.append(f"repeat: {result.reproduce}")
    return "\n".join(lines)


def expected_reason(result: Result) -> str:
    """Why a failure was expected, on one line."""
    assert result.expected is not None
    return f"{result.expected.reason} ({result.expected.link})"


def reason(result: Result) -> str:
    """Why a result that is neither passed nor failed is neither, on one line."""
    word = result.outcome.replace("_", " ")
    return f"{word}: {'; '.join(result.notes)}" if result.notes else word


def _finding(finding: FindingFacts) -> list[str]:
    lines = [finding.what]
    if finding.where:
        lines.append(f"where: {', '.join(f'{key} {value}' for key, value in finding.where.items())}")
    if finding.error is not None:
        ratio = noises(finding.error, finding.noise)
        line = f"error: {amount(finding.error, finding.unit)}{f' ({ratio})' if ratio else ''}"
        if finding.tolerance is not None:
            line += f", tolerance {amount(finding.tolerance)}"
        if finding.passing_tolerance is not None:
            line += f", would pass with {amount(finding.passing_tolerance)}"
        lines.append(line)
    return lines
