"""Whether two certificates speak of the same: only then does a difference between them mean anything."""

from __future__ import annotations

from collections.abc import Iterable

from harness.certificate.model import CaseFacts, Certificate
from harness.errors import UsageError


class NotComparable(UsageError):
    """Two certificates were made by other suites, of other cases, or by other checks."""


def hindrances(baseline: Certificate, candidate: Certificate) -> tuple[str, ...]:
    """Why the two cannot be compared, a line each; empty where they can."""
    found = []
    for name, before, after in (
        ("suite version", baseline.tool.suite_version, candidate.tool.suite_version),
        ("profile", baseline.profile, candidate.profile),
    ):
        if before != after:
            found.append(f"the {name} is {before} in the baseline and {after} in the candidate")
    for name, certificate in (("baseline", baseline), ("candidate", candidate)):
        if not certificate.complete:
            found.append(f"the {name} is incomplete: checks that were selected did not run")
    before_cases = {case.name: case for case in baseline.cases}
    after_cases = {case.name: case for case in candidate.cases}
    found += _one_sided("case", before_cases, after_cases)
    for name in before_cases.keys() & after_cases.keys():
        found += _other_content(before_cases[name], after_cases[name])
    found += _one_sided(
        "check", {result.test for result in baseline.results}, {result.test for result in candidate.results}
    )
    if not found and not any(result.compared for result in baseline.results):
        found.append("nothing was compared in the baseline")
    return tuple(sorted(found))


def require_comparable(baseline: Certificate, candidate: Certificate) -> None:
    """Raise NotComparable with the reasons unless the two certificates can be compared."""
    reasons = hindrances(baseline, candidate)
    if reasons:
        raise NotComparable(
            f"The certificates cannot be compared: {'; '.join(reasons)}.",
            advice="Certify both with the same irproof, the same cases and the same profile.",
        )


def _one_sided(word: str, before: Iterable[str], after: Iterable[str]) -> list[str]:
    before, after = set(before), set(after)
    found = []
    for side, names in (("baseline", before - after), ("candidate", after - before)):
        if names:
            listed = ", ".join(sorted(names)[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
            found.append(f"only the {side} has the {word}{'s' if len(names) > 1 else ''} {listed}")
    return found


def _other_content(before: CaseFacts, after: CaseFacts) -> list[str]:
    """A case of the same name, made of another model, config or pictures; what one side never read is not known."""
    words = []
    for name in ("model", "config", "inputs"):
        one, other = getattr(before.hashes, name), getattr(after.hashes, name)
        if one is not None and other is not None and one != other:
            words.append(name)
    return [f"case {before.name} has another {' and '.join(words)}"] if words else []
