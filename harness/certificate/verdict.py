"""The verdict over all results."""

from __future__ import annotations

from collections.abc import Sequence

from harness.certificate.model import ExpectationFacts, Result, Standing, Verdict


def verdict(
    results: Sequence[Result],
    *,
    standing: Standing,
    not_run: int = 0,
    expectations: Sequence[ExpectationFacts] = (),
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and, where it is not ``certified``, why.

    ``not_run`` is the number of selected checks that did not run. Nothing passes on nothing: a run in which no
    check compared anything is not certified. A failure that was expected counts as none, but an expectation under
    which something passes, and one that fits nothing, count as failures.
    """
    reasons = []
    failed = sum(result.outcome == "failed" and result.expected is None for result in results)
    errors = sum(result.outcome == "error" and result.expected is None for result in results)
    passing = sum(entry.status == "unexpected_pass" for entry in expectations)
    stale = sum(entry.status == "stale" for entry in expectations)
    if failed:
        reasons.append(_count(failed, "check failed", "checks failed"))
    if errors:
        reasons.append(_count(errors, "check could not be carried out", "checks could not be carried out"))
    if not_run:
        reasons.append(_count(not_run, "selected check did not run", "selected checks did not run"))
    if passing:
        reasons.append(_count(passing, "expected failure passed", "expected failures passed"))
    if stale:
        reasons.append(_count(stale, "expectation is stale", "expectations are stale"))
    if not any(result.outcome in ("passed", "failed") and result.compared > 0 for result in results):
        reasons.append("nothing was compared")
    if reasons:
        return "not_certified", tuple(reasons)
    expected = any(result.expected is not None for result in results)
    return ("certified", ()) if standing == "certifying" and not expected else ("informational", ())


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
