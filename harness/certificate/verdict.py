"""The verdict over all results."""

from __future__ import annotations

from collections.abc import Sequence

from harness.certificate.model import Result, Standing, Verdict


def verdict(results: Sequence[Result], *, standing: Standing, not_run: int = 0) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and, where it is not ``certified``, why.

    ``not_run`` is the number of selected checks that did not run. Nothing passes on nothing: a run in which no
    check compared anything is not certified.
    """
    reasons = []
    failed = sum(result.outcome == "failed" for result in results)
    errors = sum(result.outcome == "error" for result in results)
    if failed:
        reasons.append(_count(failed, "check failed", "checks failed"))
    if errors:
        reasons.append(_count(errors, "check could not be carried out", "checks could not be carried out"))
    if not_run:
        reasons.append(_count(not_run, "selected check did not run", "selected checks did not run"))
    if not any(result.outcome in ("passed", "failed") and result.compared > 0 for result in results):
        reasons.append("nothing was compared")
    if reasons:
        return "not_certified", tuple(reasons)
    return ("certified", ()) if standing == "certifying" else ("informational", ())


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
